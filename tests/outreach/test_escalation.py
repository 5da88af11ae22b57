"""Next steps: written down when they fall due, taken or skipped by a person, ended by an answer."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text, update

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import Workspace
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach.escalation import queries
from pocdir.outreach.escalation.models import Policy
from pocdir.outreach.escalation.rules.policy import digest
from pocdir.outreach.queries import notifications
from pocdir.outreach.queries.past_due import PastDue, past_due
from pocdir.outreach.queries.projections import differences
from tests.accounts import made as people
from tests.conftest import Api
from tests.latency.made import DAY, HOUR, Own, event, told
from tests.outreach import made
from tests.outreach.browsing import send
from tests.outreach.made import team_token
from tests.outreach.policies import FAR, WHERE, chosen, policy, said, steps_of, work


@pytest.fixture(autouse=True)
def directory(app: Flask, now: dt.datetime) -> Iterator[None]:
    """Three teams and a carrier, at a moment that stands still."""
    made.teams(now - 400 * DAY)
    made.carrier(now - 400 * DAY)
    with time_machine.travel(now, tick=False):
        yield


@pytest.fixture
def outsider(app: Flask, now: dt.datetime) -> Api:
    """The API of another workspace."""
    with transaction() as session:
        other = create_workspace(session, name="other", now=now, actor="operator")
        return Api(app, create_token(session, workspace_id=other.id, now=now, actor="operator")[1])


def test_each_step_is_written_once_dated_when_it_fell_due(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    chosen(lab, now - 30 * DAY, FAR, FAR | {"target": "national"}, rest="P1D")
    ref = told(lab, at=now - 20 * DAY, team="isp", **WHERE)
    due = now - 18 * DAY  # the lapse of the acknowledgement
    for _ in range(2):
        work(app, now)
        assert said(ref) == [
            ("step_due", 1, due + DAY), ("step_due", 2, due + 2 * DAY), ("exhausted", 2, due + 3 * DAY),
        ]  # fmt: skip
    first, second, _end = steps_of(ref)
    assert (first.sealed["to"], second.sealed["to"]) == ("carrier", "cert-at")
    assert {e.recorded_at for e in steps_of(ref)} == {now}
    assert list(differences()) == []


def test_a_policy_is_kept_in_versions_and_nobody_else_sees_it(api: Api, outsider: Api) -> None:
    kept = api.post("/api/v1/policies", policy({"wait": "P1D"}))
    assert (kept.status_code, kept.json["slug"], kept.json["version"]) == (201, "national-first", 1)
    assert api.post("/api/v1/policies", policy({"wait": "P1D"})).json["version"] == 1
    assert api.post("/api/v1/policies", policy({"wait": "P3D"})).json["version"] == 2
    path = "/api/v1/policies/national-first"
    assert api.get(path).json["steps"][0]["wait"] == "P3D"
    assert api.get(path, version=1).json["steps"][0]["wait"] == "P1D"
    assert [each["version"] for each in api.get("/api/v1/policies").json["items"]] == [2]
    start = {"start": "2026-11-20T12:00:00Z", "team": "cert-at"}
    assert api.get(f"{path}/timetable", **start).json["steps"][0]["due_at"] == "2026-11-23T12:00:00Z"
    for answer in (outsider.get(path), outsider.get(f"{path}/timetable"), api.get(path, version=9)):
        assert (answer.status_code, answer.json["code"]) == (404, "policy_unknown")
    assert outsider.get("/api/v1/policies").json["items"] == []
    refused = api.post("/api/v1/policies", policy({"wait": "P1M"}))
    assert (refused.status_code, refused.json["code"]) == (422, "policy_invalid")


def test_a_step_is_taken_with_a_letter_that_says_what_its_reader_needs(
    app: Flask, lab: Workspace, api: Api, outsider: Api, now: dt.datetime
) -> None:
    chosen(lab, now - 9 * DAY, FAR | {"content": "full"}, FAR)
    ref = told(lab, at=now - 3.5 * DAY, team="isp", subject="Sinkhole hits", body="It calls in.", **WHERE)
    event(lab, ref, "reply.automatic", at=now - 3 * DAY, subclass="receipt", ticket="T-77")
    work(app, now)
    path = f"/api/v1/notifications/{ref}/steps"
    shown = api.get(path).json
    assert (shown["state"], shown["to"]["team"]) == ("due", "carrier")
    assert [(each["state"], each["may_decide"]) for each in shown["steps"]] == [
        ("due", True),
        ("ahead", True),
    ]

    done = api.post(path, {"action": "take", "level": 1})
    assert done.status_code == 201, done.json
    child = api.get(f"/api/v1/notifications/{done.json['notification']}").json
    assert (child["team"], child["kind"], child["parent"]) == ("carrier", "referral", ref)
    for words in (
        "lab wrote to ISP abuse desk",
        "Sinkhole hits",
        "T-77",
        ref,
        "Duty desk, +43 1 0000",
        "calls in",
    ):
        assert words in child["body"], words
    assert child["assets"] == WHERE["assets"]
    assert (
        api.post(path, {"action": "take", "level": 1}).json["notification"] == child["ref"]
    )  # pressed twice
    assert [each["state"] for each in api.get(path).json["steps"]] == ["taken", "ahead"]
    assert api.get(f"/api/v1/notifications/{child['ref']}/steps").json["policy"] is None
    for answer in (outsider.get(path), outsider.post(path, {"action": "take", "level": 2})):
        assert (answer.status_code, answer.json["code"]) == (404, "notification_unknown")

    event(lab, child["ref"], "ack.given", at=now + HOUR)  # who was told further up the path has it
    work(app, now + 30 * DAY)
    assert said(ref)[-1] == ("step_skipped", 2, now + HOUR)
    assert api.get(path).json["state"] == "answered"
    assert list(differences()) == []


@pytest.mark.parametrize(
    ("act", "status", "code"),
    [
        ({"action": "take"}, 422, "level_needed"),
        ({"action": "take", "level": 2}, 409, "step_not_open"),
        ({"action": "take", "level": 9}, 409, "step_not_open"),
        ({"action": "skip", "level": 1}, 422, "note_needed"),
        ({"action": "skip", "level": 2}, 409, "step_not_open"),
        ({"action": "climb", "level": 1}, 422, "invalid"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    app: Flask, lab: Workspace, api: Api, now: dt.datetime, act: dict[str, Any], status: int, code: str
) -> None:
    chosen(lab, now - 9 * DAY, FAR, FAR, FAR)
    ref = told(lab, at=now - DAY, team="isp", **WHERE)
    before = len(events_of_notification(ref))
    answer = api.post(f"/api/v1/notifications/{ref}/steps", act)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    db.session.rollback()
    assert len(events_of_notification(ref)) == before


def test_what_came_back_is_followed_at_once_and_where_nobody_is_known_the_next_one_is(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    chosen(lab, now - 30 * DAY, {"target": "parent"}, FAR, {"target": "global"}, FAR | {"wait": "PT0S"})
    ref = told(lab, at=now - 20 * DAY, team="isp", **WHERE)
    bounced = now - 20 * DAY + HOUR
    event(lab, ref, "delivery.failed", at=bounced, status="5.1.1")
    work(app, now)
    end = bounced + 2 * DAY  # the carrier had its time
    assert said(ref) == [
        ("step_due", 1, bounced), ("no_working_contact", 1, bounced), ("step_skipped", 1, bounced),
        ("step_due", 2, bounced), ("step_due", 3, end), ("no_working_contact", 3, end), ("step_skipped", 3, end),
        ("step_due", 4, end), ("exhausted", 4, end + 2 * DAY),
    ]  # fmt: skip


def test_an_answer_ends_it_for_good_and_ticket_mail_does_not(
    app: Flask, lab: Workspace, api: Api, now: dt.datetime
) -> None:
    chosen(lab, now - 300 * DAY, FAR, FAR, FAR, outcome_within="P14D")
    answered, ticketed = (told(lab, at=now - 200 * DAY, team="isp", **WHERE) for _ in range(2))
    event(lab, ticketed, "reply.automatic", at=now - 199 * DAY, subclass="receipt", ticket="T-1")
    work(app, now - 197 * DAY)
    event(lab, answered, "ack.given", at=now - 196.5 * DAY)
    for days in (190, 100, 1, 0):
        work(app, now - days * DAY)
    assert said(answered) == [("step_due", 1, now - 197 * DAY)]
    assert [type_ for type_, _, _ in said(ticketed)] == ["step_due", "step_due", "step_due", "exhausted"]
    # One clock reminds its sender of the outcome: dated, once, and nothing climbs from it.
    db.session.rollback()
    clocks = [e for e in events_of_notification(answered) if e.type.startswith("expectation.")]
    assert [(e.type, e.payload["of"], e.occurred_at) for e in clocks] == [
        ("expectation.set", "acknowledgement", now - 200 * DAY),
        ("expectation.lapsed", "acknowledgement", now - 198 * DAY),
        ("expectation.set", "remediation", now - 196.5 * DAY),
        ("expectation.lapsed", "remediation", now - 182.5 * DAY),
    ]
    refused = api.post(f"/api/v1/notifications/{answered}/steps", {"action": "take", "level": 2})
    assert (refused.status_code, refused.json["code"]) == (409, "answered_already")
    assert list(differences()) == []


def test_a_sample_that_was_asked_for_and_never_came_is_followed_to_the_end(
    app: Flask, lab: Workspace, api: Api, now: dt.datetime
) -> None:
    """As the talk tells it: notified, devices no longer seen, a sample asked for, nothing within 24 hours."""
    report = told(lab, at=now - 10 * DAY, team="isp", **WHERE)
    event(lab, report, "outcome.remediation_observed", at=now - 8 * DAY, count=31, all=31, method="sinkhole")
    chosen(
        lab, now - 8 * DAY, {"wait": "PT0S", "target": "resolver"}, {"wait": "PT24H", "target": "national"}
    )
    ref = told(lab, at=now - 5 * DAY, team="isp", kind="sample_request", **WHERE)
    due = now - 4 * DAY
    for level, (at, team) in enumerate(((due, "carrier"), (due + DAY, "cert-at")), 1):
        work(app, at)
        with time_machine.travel(at + HOUR, tick=False):
            done = api.post(f"/api/v1/notifications/{ref}/steps", {"action": "take", "level": level}).json
        assert api.get(f"/api/v1/notifications/{done['notification']}").json["team"] == team
    work(app, now)
    # The second one waited a day from when a person had taken the first.
    assert said(ref) == [
        ("step_due", 1, due), ("step_taken", 1, due + HOUR), ("step_taken", 2, due + DAY + HOUR),
        ("exhausted", 2, due + 3 * DAY + HOUR),
    ]  # fmt: skip
    state = api.get(f"/api/v1/notifications/{ref}").json["state"]
    assert (state["response"], state["clock"]) == ("awaiting", "exhausted")
    assert said(report) == []
    assert list(differences()) == []


def test_no_step_falls_due_in_a_pause_or_before_an_embargo_ends(
    app: Flask, lab: Workspace, api: Api, now: dt.datetime
) -> None:
    slug = chosen(lab, now - 90 * DAY, FAR, FAR)
    paused, held = (told(lab, at=now - 30 * DAY, team="isp", **WHERE) for _ in range(2))
    lapse = now - 28 * DAY
    event(lab, paused, "expectation.paused", at=lapse + 1.5 * DAY)
    event(lab, paused, "expectation.resumed", at=lapse + 11.5 * DAY)
    choice = {"policy": slug, "notification": held, "not_before": (now + DAY).isoformat()}
    assert api.post("/api/v1/policy-choices", choice | {"at": lapse.isoformat()}).status_code == 201
    recorded = api.get(f"/api/v1/notifications/{held}/events").json["items"]
    assert (recorded[-1]["type"], recorded[-1]["occurred_at"]) == ("escalation.set", isoformat(lapse))
    work(app, now)
    assert said(paused) == [
        ("step_due", 1, lapse + DAY), ("step_due", 2, lapse + 12 * DAY), ("exhausted", 2, lapse + 14 * DAY),
    ]  # fmt: skip
    assert said(held) == []
    refused = api.post(f"/api/v1/notifications/{held}/steps", {"action": "take", "level": 1})
    assert (refused.status_code, refused.json["code"]) == (409, "embargo")
    work(app, now + 2 * DAY)
    assert said(held)[0] == ("step_due", 1, now + DAY)
    early = {"notification": held, "at": (now - 31 * DAY).isoformat()}
    for wrong in ({"not_before": choice["not_before"]}, {"policy": "none-such"}, {"at": early["at"]}, early):
        assert api.post("/api/v1/policy-choices", {"policy": slug} | wrong).status_code in (404, 422)
    event(lab, held, "notification.withdrawn", at=now + 2 * DAY)
    assert api.post("/api/v1/policy-choices", choice).json["code"] == "withdrawn_already"


def test_where_people_may_be_at_risk_or_an_owner_decides_somebody_says_yes(
    app: Flask, lab: Workspace, api: Api, now: dt.datetime
) -> None:
    opened = api.post("/api/v1/incidents", {"title": "Leak", "people_at_risk": True})
    incident = opened.json["ref"]
    kept = api.post("/api/v1/policies", policy(FAR | {"approval": True}))
    chosen_for = api.post("/api/v1/policy-choices", {"policy": kept.json["slug"], "incident": incident})
    assert chosen_for.status_code == 201
    report = {
        "team": "isp",
        "incident": incident,
        "assets": WHERE["assets"],
        "sent_at": (now - 5 * DAY).isoformat(),
    }
    ref, elsewhere = (
        api.post("/api/v1/notifications", each).json["ref"] for each in (report, report | {"incident": None})
    )
    work(app, now)
    assert (len(said(ref)), len(said(elsewhere))) == (1, 0)
    path, act = f"/api/v1/notifications/{ref}/steps", {"action": "take", "level": 1}
    refused = api.post(path, act)
    assert (refused.status_code, refused.json["code"]) == (409, "people_at_risk")
    researcher = people.browser(app, people.person("r@example.org", now=now, workspace="lab"), now=now)
    page = f"/notifications/{ref}/steps"
    refused = send(researcher, page, level="1", action="take", people_at_risk="true")
    assert (refused.status_code, "an owner" in refused.text) == (403, True)
    assert send(researcher, "/policies", page, action="keep", name="x").status_code == 403
    assert api.post(path, act | {"people_at_risk": True}).status_code == 201


def test_two_workers_at_once_write_each_step_once(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    chosen(lab, now - 90 * DAY, FAR, FAR, {"target": "global"})
    refs = [told(lab, at=now - 30 * DAY, team="isp", **WHERE) for _ in range(12)]
    db.session.remove()
    together, failed = threading.Barrier(2), []

    def run() -> None:
        try:
            with app.app_context():
                together.wait(timeout=30)
                work(app, now)
                db.session.remove()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert failed == []
    work(app, now)
    told_of = [said(ref) for ref in refs]
    assert all(each == told_of[0] for each in told_of)
    assert [type_ for type_, _, _ in told_of[0]] == [
        "step_due", "step_due", "step_due", "no_working_contact", "step_skipped", "exhausted",
    ]  # fmt: skip
    assert list(differences()) == []


def test_a_path_that_cannot_be_worked_out_holds_up_nobody_elses(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    """A policy of an older version of the service may say what is refused by now."""
    chosen(lab, now - 30 * DAY, FAR, rest="P1D")
    broken = told(lab, at=now - 20 * DAY, team="isp", **WHERE)
    with transaction() as session:
        session.execute(update(Policy).values(definition=policy(FAR, hours=["09:00", "09:01"])))
    chosen(lab, now - 30 * DAY, FAR, rest="P1D", name="Sound")
    sound = told(lab, at=now - 19 * DAY, team="isp", **WHERE)
    work(app, now)
    assert said(broken) == []
    assert [step for step, *_ in said(sound)] == ["step_due", "exhausted"]
    assert past_due(now) == PastDue(expectations=0, steps=1, failing=1)
    with transaction() as session:
        session.execute(
            update(Policy).where(Policy.slug == "national-first").values(definition=policy(FAR, rest="P1D"))
        )
    assert (work(app, now + HOUR / 2), work(app, now + HOUR)) == (0, 2)
    assert past_due(now + HOUR) == PastDue(0, 0, 0)


@pytest.mark.parametrize(
    "hours", [["09:00", "09:59"], ["17:00", "09:00"], ["09Z", "17:00"], ["09+05", "17+05"]]
)
def test_a_working_day_has_an_hour_at_least_and_no_zone(api: Api, hours: list[str]) -> None:
    answer = api.post("/api/v1/policies", policy(FAR, hours=hours))
    assert (answer.status_code, answer.json["code"]) == (422, "policy_invalid")


def test_the_notified_team_does_not_read_whom_else_the_sender_turns_to(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    chosen(lab, now - 30 * DAY, FAR, rest="P1D")
    ref = told(lab, at=now - 20 * DAY, team="isp", **WHERE)
    work(app, now)
    read = (
        app.test_client()
        .get(f"/api/v1/notifications/{ref}/events", headers=team_token("isp", now))
        .json["items"]
    )
    assert read
    assert {each["type"].partition(".")[0] for each in read} == {"notification", "expectation"}
    assert {each["actor"] for each in read} == {None}


def test_a_policy_that_was_changed_afterwards_is_found(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    chosen(lab, now - 90 * DAY, FAR)
    ref = told(lab, at=now - 30 * DAY, team="isp", **WHERE)
    other = chosen(lab, now, FAR, name="Other")
    assert list(differences()) == []
    with transaction() as session:
        kept = queries.policy("national-first", workspace_id=lab.id, session=session)
        kept.definition = policy(FAR | {"target": "global"})
        kept.digest = digest(kept.definition)  # by somebody who knows how
    assert list(differences()) == ["policy national-first, version 1: is not as it was kept"]
    with transaction() as session:
        kept = queries.policy("national-first", workspace_id=lab.id, session=session)
        kept.definition = policy(FAR)
        kept.digest = digest(kept.definition)
        path = queries.path_row(
            notifications.own_notification_to_change(ref, Own(lab.id), session).id, session
        )
        assert path is not None
        path.policy_id = queries.policy(other, workspace_id=lab.id, session=session).id
    assert list(differences()) == [f"notification {ref}: follows another policy than its events say"]


def test_the_worker_finds_what_is_due_by_the_index_of_what_is_still_to_come(app: Flask) -> None:
    due = "SELECT notification_id FROM notification_paths WHERE look_at <= '2026-01-01' ORDER BY look_at LIMIT 100"
    if db.engine.dialect.name == "sqlite":
        plan = db.session.execute(text(f"EXPLAIN QUERY PLAN {due}")).all()
    else:
        db.session.execute(text("SET LOCAL enable_seqscan = off"))  # an empty table is read whole
        plan = db.session.execute(text(f"EXPLAIN {due}")).all()
    assert "ix_notification_paths_look_at" in str(plan)
    assert "SORT" not in str(plan).upper()
