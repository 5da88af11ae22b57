"""Steps that go out by themselves: approved beforehand, to teams that take them so, once, and never in bursts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.accounts.queries import team_id_of
from pocdir.db import db, transaction
from pocdir.incidents.actions import open_incident
from pocdir.incidents.models import Incident
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.mail.models import Mail
from pocdir.outreach.desk.actions import choose_automatic
from pocdir.outreach.escalation import queries
from pocdir.outreach.escalation.actions import policies
from pocdir.outreach.escalation.jobs import follow_returned
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.projections import differences
from pocdir.outreach.sending.actions import allow, send
from tests.latency.made import DAY, HOUR, event, told
from tests.outreach import made
from tests.outreach.policies import chosen, work
from tests.outreach.test_sending import relay  # noqa: F401 - fixture

WHERE = {"assets": [{"kind": "ip", "value": "203.0.113.7", "port": None}]}
STEP = {"target": "resolver", "wait": "P1D"}  # of a report to the provider: the carrier above it
TWO = [
    {"kind": "email", "value": value, "purpose": "incident", "preference": number}
    for number, value in enumerate(("abuse@isp2.example", "second@isp2.example", "third@isp2.example"), 1)
]


@pytest.fixture(autouse=True)
def directory(app: Flask, lab: Workspace, now: dt.datetime, relay: None) -> Iterator[Any]:  # noqa: F811
    """Teams, a provider with three addresses, and a workspace that may send."""
    made.teams(now - 400 * DAY)
    made.carrier(now - 400 * DAY)
    provider = {
        "slug": "isp2", "name": "Second ISP", "kind": "provider", "country": "AT", "channels": TWO,
        "responsibilities": [],
    }  # fmt: skip
    made.entered(provider, now - 400 * DAY)
    with transaction() as session:
        allow(session, session.merge(lab), allowed=True, now=now - 300 * DAY, actor="user:steward")
    with time_machine.travel(now, tick=False) as clock:
        yield clock


def takes(slug: str, *kinds: str, now: dt.datetime) -> None:
    with transaction() as session:
        choose_automatic(session, team_id_of(session, slug), kinds, now=now, actor="user:b")


def approved(lab: Workspace, now: dt.datetime, *steps: dict[str, Any], allowed: bool = True) -> None:
    slug = chosen(lab, now, *steps)
    with transaction() as session:
        found = queries.policy(slug, workspace_id=lab.id, session=session)
        policies.let_go(session, found, allowed, now=now, actor="user:a")


def reported(lab: Workspace, at: dt.datetime, **more: Any) -> str:
    return told(
        lab,
        at=at,
        **({"team": "isp", "tlp": "TLP:GREEN", "subject": "Hits", "body": "It calls in."} | WHERE | more),
    )


def incident_of(lab: Workspace, now: dt.datetime, **more: Any) -> Incident:
    with transaction() as session:
        return open_incident(
            session, workspace_id=lab.id, now=now, actor="user:a", given={"title": "Hits"} | more
        )


def steps_of(ref: str) -> list[Event]:
    """What was written down of its steps; of one moment in the order of the path."""
    db.session.rollback()
    found = [
        e
        for e in events_of_notification(ref)
        if e.type.startswith("escalation.") and e.type != "escalation.set"
    ]
    return sorted(
        found, key=lambda e: (e.occurred_at, e.payload.get("level", 0), e.type != "escalation.step_due")
    )


def words(ref: str) -> list[str]:
    """What was written down of its steps, with why a step was held."""
    return [
        e.type.removeprefix("escalation.") + (f": {e.payload['reason']}" if e.type.endswith("held") else "")
        for e in steps_of(ref)
    ]


def letters() -> list[Mail]:
    db.session.expire_all()
    return list(db.session.query(Mail).order_by(Mail.id))


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


def returned(lab: Workspace, now: dt.datetime, ref: str, *, by: str = "remote_mta") -> None:
    event(lab, ref, "delivery.failed", at=now, by=(by, "S"), status="5.1.1")


def sent(lab: Workspace, now: dt.datetime, **more: Any) -> str:
    ref = reported(lab, now, team="isp2", channel=("email", "abuse@isp2.example"), **more)
    with transaction() as session:
        send(session, ref=ref, now=now, actor="user:a")
    return ref


def test_a_letter_that_came_back_goes_to_each_other_address_of_the_team_once(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    ref = sent(lab, now)
    assert follow_returned(now) == 0
    returned(lab, now, ref)
    assert [follow_returned(now), follow_returned(now)] == [1, 0]
    first, second = letters()
    assert (first.to, second.to) == ("abuse@isp2.example", "second@isp2.example")
    assert "could not be delivered" in (second.body or "") and "It calls in." in (second.body or "")
    assert words(ref) == ["other_channel"]
    again = steps_of(ref)[0].payload["notification"]
    returned(lab, now, again)
    assert follow_returned(now) == 1
    assert letters()[-1].to == "third@isp2.example"
    last = steps_of(again)[0].payload["notification"]
    event(lab, last, "ack.given", at=now + HOUR, recorded=now + HOUR)
    db.session.rollback()
    assert {each.response for each in db.session.query(Notification)} == {"acknowledged"}
    assert list(differences()) == []


def test_where_no_address_is_left_the_record_says_so(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    ref = reported(lab, now, team="cert-at", channel=("email", "reports@cert.example"))
    with transaction() as session:
        send(session, ref=ref, now=now, actor="user:a")
    returned(lab, now, ref)
    assert [follow_returned(now), follow_returned(now)] == [0, 0]
    assert words(ref) == ["no_working_contact"]


def test_the_senders_word_a_label_or_people_at_risk_send_nothing(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    by_word = sent(lab, now)
    returned(lab, now, by_word, by="sender")
    strict = reported(lab, now, team="isp2", channel=("email", "abuse@isp2.example"), tlp="TLP:AMBER")
    incident = incident_of(lab, now=now, people_at_risk=True, tlp="TLP:GREEN")
    at_risk = reported(lab, now, team="isp2", channel=("email", "abuse@isp2.example"), incident=incident)
    with transaction() as session:
        send(session, ref=strict, now=now, actor="user:a", plain_text=True)
        send(session, ref=at_risk, now=now, actor="user:a", people_at_risk=True)
    for ref in (strict, at_risk):
        returned(lab, now, ref)
    assert follow_returned(now) == 0
    assert (words(by_word), words(strict), words(at_risk)) == (
        [],
        ["step_held: key"],
        ["step_held: people_at_risk"],
    )
    assert len(letters()) == 3
