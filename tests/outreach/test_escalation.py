"""Next steps: written down when they fall due, taken or skipped by a person, ended by an answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.queries.projections import differences
from tests.conftest import Api
from tests.latency.made import DAY, HOUR, event, told
from tests.outreach import made
from tests.outreach.policies import chosen, policy, work

WHERE = {"assets": [{"kind": "ip", "value": "203.0.113.7", "port": None}]}
FAR = {"target": "resolver", "wait": "P1D"}


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


def steps_of(ref: str) -> list[Event]:
    db.session.rollback()
    found = (
        e
        for e in events_of_notification(ref)
        if e.type.startswith("escalation.") and e.type != "escalation.set"
    )
    return list(found)


def said(ref: str) -> list[tuple[str, int, dt.datetime]]:
    """(type, level, when) of what is recorded of its steps."""
    return [(e.type.partition(".")[2], e.payload["level"], e.occurred_at) for e in steps_of(ref)]


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
