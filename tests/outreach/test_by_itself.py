"""Steps that go out by themselves: approved beforehand, to teams that take them so, once, and never in bursts."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import json
import random
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import delete

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import Workspace
from pocdir.cli import pocdir
from pocdir.core.errors import Conflict
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.incidents.models import Incident
from pocdir.outreach.escalation.jobs import follow_returned
from pocdir.outreach.escalation.models import PolicyApproval
from pocdir.outreach.escalation.verification import unlike_events
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.projections import differences
from pocdir.outreach.sending.actions import allow
from tests.accounts import made as people
from tests.conftest import Api
from tests.latency.made import DAY, HOUR, event
from tests.outreach import made
from tests.outreach.browsing import send as post_form
from tests.outreach.by_itself import STEP, approved, incident_of, reported, steps_of, takes, words
from tests.outreach.made import contact, team_token
from tests.outreach.policies import chosen, work
from tests.outreach.sent import letters

pytestmark = pytest.mark.usefixtures("three_addresses")


def test_a_step_goes_out_by_itself_once_where_both_sides_said_yes(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    approved(lab, now - 10 * DAY, STEP)
    takes("carrier", "referral", now=now - 9 * DAY)
    ref = reported(lab, now - 3 * DAY)  # asked for until yesterday, a day to wait
    for _ in range(2):
        work(app, now)
        assert words(ref) == ["step_due", "step_taken"]
    due, taken = steps_of(ref)
    assert (taken.claimed_by, taken.actor, due.occurred_at) == ("clock", "service", now)
    [mail] = letters()
    assert (mail.kind, mail.to, mail.notification) == (
        "notification",
        "abuse@carrier.example",
        taken.payload["notification"],
    )
    assert "It calls in" not in (mail.body or "") and "No answer is recorded here by" in (mail.body or "")
    assert list(differences()) == []


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("consent", "no_consent"), ("kind", "no_consent"), ("label", "key"), ("stopped", None), ("owner", "owner"),
        ("workspace", "not_allowed"), ("opted out", "opted_out"),
    ],
)  # fmt: skip
def test_without_one_of_them_it_stays_a_suggestion_that_says_why(
    app: Flask, lab: Workspace, now: dt.datetime, why: str, expected: str | None
) -> None:
    approved(lab, now - 10 * DAY, STEP | {"approval": why == "owner"}, allowed=why != "stopped")
    if why != "consent":
        takes("carrier", "follow_up" if why == "kind" else "referral", now=now - 9 * DAY)
    if why == "workspace":
        with transaction() as session:
            allow(session, session.merge(lab), allowed=False, now=now - DAY, actor="user:steward")
    if why == "opted out":
        made.entered(made.CARRIER[0] | {"opt_outs": ["referral"]}, now - 5 * DAY)
    ref = reported(lab, now - 3 * DAY, tlp="TLP:AMBER" if why == "label" else "TLP:GREEN")
    work(app, now)
    if why == "opted out":
        assert "step_skipped" in words(ref)
    else:
        assert words(ref) == ["step_due"] + ([f"step_held: {expected}"] if expected else [])
    assert letters() == []
    db.session.rollback()
    assert db.session.query(Notification).count() == 1


def test_people_at_risk_an_answer_and_a_pause_hold_everything(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    approved(lab, now - 10 * DAY, STEP)
    takes("carrier", "referral", now=now - 9 * DAY)
    incident = incident_of(lab, now=now - 9 * DAY, people_at_risk=True, tlp="TLP:GREEN")
    at_risk = reported(lab, now - 3 * DAY, incident=incident)
    answered, paused = reported(lab, now - 3 * DAY), reported(lab, now - 3 * DAY)
    event(lab, answered, "ack.given", at=now - 2 * DAY)
    event(lab, paused, "expectation.paused", at=now - 2.5 * DAY)
    work(app, now)
    assert words(at_risk) == ["step_due", "step_held: people_at_risk"]
    assert words(answered) == words(paused) == []
    assert letters() == []


def test_after_an_outage_a_team_gets_one_letter_and_the_rest_are_suggestions(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    approved(lab, now - 60 * DAY, STEP, STEP | {"target": "national"})
    for slug in ("carrier", "cert-at"):
        takes(slug, "referral", now=now - 50 * DAY)
    refs = [reported(lab, now - 3.5 * DAY + number * HOUR) for number in range(4)]
    work(app, now)
    first, *others = [words(ref) for ref in refs]
    assert first == ["step_due", "step_taken"]
    assert others == [["step_due", "step_held: told_lately"]] * 3
    work(app, now + 2 * HOUR)
    assert [mail.to for mail in letters()] == ["abuse@carrier.example"]  # what was held is a person's to take
    work(app, now + DAY)  # the step after the one that was taken
    assert words(refs[0])[2:] == ["step_due", "step_taken"]
    assert [mail.to for mail in letters()] == ["abuse@carrier.example", "reports@cert.example"]


def test_what_an_outage_left_behind_whole_is_suggested_only(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    approved(lab, now - 60 * DAY, STEP, STEP | {"target": "national"})
    for slug in ("carrier", "cert-at"):
        takes(slug, "referral", now=now - 50 * DAY)
    ref = reported(lab, now - 40 * DAY)
    work(app, now)
    assert {"step_taken", "step_held: late"} & set(words(ref)) == {"step_held: late"}
    assert letters() == []


def test_a_new_version_is_not_approved_by_the_old_one(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    approved(lab, now - 10 * DAY, STEP)
    chosen(lab, now - 9 * DAY, STEP | {"content": "full"})
    takes("carrier", "referral", now=now - 9 * DAY)
    ref = reported(lab, now - 3 * DAY)
    work(app, now)
    assert words(ref) == ["step_due"]


def test_an_owner_approves_any_member_stops_and_each_sees_what_will_go_out(
    app: Flask, lab: Workspace, api: Api, now: dt.datetime, three_addresses: Any
) -> None:
    chosen(lab, now - 10 * DAY, STEP)
    ref = reported(lab, now - 2.5 * DAY)
    path = "/api/v1/policies/national-first/by-itself"
    with transaction() as session:
        member = Api(
            app,
            create_token(
                session,
                workspace_id=lab.id,
                scopes=["notification.log", "policy.read"],
                now=now,
                actor="operator",
            )[1],
        )
        other = create_workspace(session, name="other", now=now, actor="operator")
        outsider = Api(app, create_token(session, workspace_id=other.id, now=now, actor="operator")[1])
    assert (
        member.post(path, {"by_itself": True}).status_code,
        outsider.post(path, {"by_itself": True}).status_code,
    ) == (403, 404)
    assert api.get("/api/v1/steps", ahead=True).json["items"] == []
    approved_ = api.post(path, {"by_itself": True})
    assert (approved_.status_code, approved_.json["by_itself"]) == (200, True)
    [ahead] = api.get("/api/v1/steps", ahead=True).json["items"]
    assert (ahead["ref"], ahead["by_itself"], ahead["held"]) == (ref, False, "no_consent")
    ahead_ = CliRunner().invoke(pocdir, ["policy", "due", "--ahead", "--workspace", "lab"])
    assert "no: the team has not said that it takes it so" in ahead_.output
    takes("carrier", "referral", now=now)
    [ahead] = api.get("/api/v1/steps", ahead=True).json["items"]
    assert (ahead["to"]["team"], ahead["due_at"], ahead["by_itself"]) == (
        "carrier",
        isoformat(now + DAY / 2),
        True,
    )
    assert api.get(f"/api/v1/notifications/{ref}/steps").json["by_itself"] is True
    assert outsider.get("/api/v1/steps", ahead=True).json["items"] == []
    browser = people.browser(app, people.person(now=now, workspace="lab", role="owner"), now=now)
    assert "<h1>Steps to come</h1>" in browser.get("/steps?ahead=yes").text
    assert "Step 1 goes out by itself, as things stand" in browser.get(f"/notifications/{ref}/steps").text
    assert "Stop it" in browser.get("/policies/national-first").text
    assert list(unlike_events()) == []
    ahead_ = CliRunner().invoke(pocdir, ["policy", "due", "--ahead", "--workspace", "lab"])
    assert ahead_.output.splitlines()[1].endswith("\tisp\tcarrier abuse@carrier.example\t\tyes")
    three_addresses.shift(1)
    assert member.post(path, {"by_itself": False}).json["by_itself"] is False
    work(app, now + DAY)
    assert (words(ref), letters()) == (["step_due"], [])
    assert list(unlike_events()) == []
    three_addresses.shift(1)
    run = CliRunner().invoke(
        pocdir, ["policy", "by-itself", "national-first", "--workspace", "lab", "--json"]
    )
    assert (run.exit_code, json.loads(run.output)["by_itself"]) == (0, True)
    with transaction() as session:
        session.execute(delete(PolicyApproval))
    db.session.rollback()
    assert [line for line in unlike_events() if "approval" in line]


def test_a_team_says_it_at_its_desk_or_to_a_steward_and_nobody_for_another(
    app: Flask, api: Api, now: dt.datetime
) -> None:
    team = Api(app, team_token("carrier", now)["Authorization"].removeprefix("Bearer "))
    assert team.post("/api/v1/desk/takes", {"takes": ["referral"]}).json["takes"] == ["referral"]
    assert team.get("/api/v1/desk").json["takes"] == ["referral"]
    said = team.post("/api/v1/desk", {"promise": {"acknowledgement": "PT24H"}, "opt_outs": ["ping"]}).json
    assert (said["promise"]["acknowledgement"], said["opt_outs"], said["intake"]) == ("PT24H", ["ping"], [])
    assert api.post("/api/v1/desk/takes", {"takes": ["referral"]}).status_code == 403
    assert (
        api.post("/api/v1/teams/isp/takes", {"takes": ["referral"], "note": "they said"}).status_code == 403
    )
    assert team.post("/api/v1/teams/isp/takes", {"takes": ["referral"], "note": "we say"}).status_code == 403
    run = CliRunner()
    by_word = ["desk", "takes", "--team", "isp", "--kind", "follow_up", "--note", "J. Doe by phone", "--json"]
    assert json.loads(run.invoke(pocdir, by_word).output)["takes"] == ["follow_up"]
    assert run.invoke(pocdir, by_word[:-3]).exit_code == 2
    words_ = [
        "desk",
        "say",
        "--team",
        "isp",
        "--promise",
        "answer=P3D",
        "--decline",
        "ping",
        "--note",
        "J. Doe",
        "--json",
    ]
    assert json.loads(run.invoke(pocdir, words_).output)["promise"]["answer"] == "P3D"
    at = ["desk", "digest", "--team", "isp", "--hour", "8", "--address", "abuse@isp.example"]
    assert "08:00 to abuse@isp.example" in run.invoke(pocdir, at).output
    steward = people.browser(app, people.person("st@example.org", now=now, site_role="steward"), now=now)
    assert 'value="follow_up" checked' in steward.get("/teams/isp/takes").text
    assert post_form(steward, "/teams/isp/takes", takes=["", "follow_up", "referral"]).status_code == 422
    said_so = post_form(steward, "/teams/isp/takes", takes=["", "follow_up"], note="J. Doe")
    assert said_so.location == "/teams/isp"
    desk = contact(app, now, "isp")
    assert 'value="follow_up" checked' in desk.get("/desk").text
    assert post_form(desk, "/desk/takes", takes="").location == "/desk"
    assert run.invoke(pocdir, ["desk", "show", "--team", "isp", "--json"]).output.count('"takes":[]') == 1


def test_two_workers_at_once_send_one_letter(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    approved(lab, now - 10 * DAY, STEP)
    takes("carrier", "referral", now=now - 9 * DAY)
    refs = [reported(lab, now - 3 * DAY) for _ in range(3)]
    db.session.remove()
    failures: list[BaseException] = []

    def go() -> None:
        try:
            with app.app_context():
                work(app, now)
        except BaseException as failure:
            failures.append(failure)

    workers = [threading.Thread(target=go) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    said = [word for ref in refs for word in words(ref)]
    assert (said.count("step_taken"), len(letters())) == (1, 1)
    assert said.count("step_due") == 3


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2))
def test_whatever_happens_each_step_goes_once_to_who_takes_it_and_never_in_bursts(
    app: Flask, lab: Workspace, now: dt.datetime, three_addresses: Any, seed: int
) -> None:
    """Sixty days with outages, answers, pauses, a consent that ends, returned letters: what holds at the end of any."""
    chance, start = random.Random(seed), now - 60 * DAY
    approved(lab, start, STEP, STEP | {"target": "national"}, STEP | {"target": "same_team"})
    consents = {"carrier": start, "cert-at": start + 10 * DAY}
    risky = incident_of(lab, start, people_at_risk=True, tlp="TLP:GREEN").id
    here: Any = SimpleNamespace(id=lab.id)
    refs: dict[str, bool] = {}
    at = start
    while at < now:
        three_addresses.move_to(at)
        for slug, since in consents.items():
            if at >= since:
                takes(slug, "referral", now=at)
        if chance.random() < 0.5:
            at_risk = chance.random() < 0.2
            label = chance.choice(["TLP:GREEN", "TLP:CLEAR", "TLP:AMBER"])
            more = {"incident": db.session().get_one(Incident, risky)} if at_risk else {}
            refs[reported(here, at, tlp="TLP:AMBER" if at_risk else label, **more)] = at_risk
        for ref in chance.sample(sorted(refs), min(2, len(refs))):
            kind = chance.choice(
                ["ack.given", "expectation.paused", "expectation.resumed", "reply.automatic"]
            )
            payload = {"subclass": "receipt", "ticket": "T-1"} if kind == "reply.automatic" else {}
            if chance.random() < 0.3:
                with contextlib.suppress(Conflict):  # what was not paused is not resumed
                    event(here, ref, kind, at=at, **payload)
        if chance.random() < 0.7:  # else the worker is down
            follow_returned(at)
            work(app, at)
        at += chance.choice([HOUR, 6 * HOUR, DAY, 3 * DAY])
    by_team: dict[str, list[dt.datetime]] = {}
    for ref, at_risk in refs.items():
        taken = [e for e in steps_of(ref) if e.type == "escalation.step_taken"]
        assert len({e.payload["level"] for e in taken}) == len(taken)
        assert not (at_risk and taken)
        for each in taken:
            assert each.sealed["to"] in consents and each.occurred_at >= consents[each.sealed["to"]]
            by_team.setdefault(each.sealed["to"], []).append(each.occurred_at)
    assert by_team
    for times in by_team.values():
        times.sort()
        assert all(later - earlier >= HOUR for earlier, later in itertools.pairwise(times))
    assert len(letters()) == sum(map(len, by_team.values()))
    assert list(differences()) == []
