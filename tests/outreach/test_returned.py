"""What came back as undeliverable goes to the team's other addresses by itself, where nothing speaks against it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.outreach.escalation.jobs import follow_returned
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.projections import differences
from pocdir.outreach.sending.actions import send
from tests.latency.made import HOUR, event
from tests.outreach.by_itself import incident_of, reported, steps_of, words
from tests.outreach.sent import letters

pytestmark = pytest.mark.usefixtures("three_addresses")


def returned(
    lab: Workspace, now: dt.datetime, ref: str, *, by: str = "remote_mta", status: str = "5.1.1"
) -> None:
    event(lab, ref, "delivery.failed", at=now, by=(by, "S"), status=status)


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


def test_who_refuses_such_mail_by_a_rule_of_its_own_is_not_sent_it_by_another_way(
    lab: Workspace, now: dt.datetime
) -> None:
    ref = sent(lab, now)
    returned(lab, now, ref, status="5.7.1")
    assert follow_returned(now) == 0
    assert (words(ref), len(letters())) == (["step_held: refused"], 1)


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
