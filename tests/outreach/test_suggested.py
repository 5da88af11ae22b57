"""The suggested steps of all notifications, decided on one by one or many at once."""

from __future__ import annotations

import datetime as dt
import html
import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir import cli
from pocdir.accounts.models import Workspace
from pocdir.db import db
from tests.accounts import made as people
from tests.conftest import Api
from tests.latency.made import DAY, told
from tests.outreach import made
from tests.outreach.browsing import send
from tests.outreach.policies import FAR, WHERE, chosen, said, work


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Iterator[Any]:
    made.teams(now - 400 * DAY)
    made.carrier(now - 400 * DAY)
    with time_machine.travel(now, tick=False) as moved:
        yield moved


def browser(app: Flask, now: dt.datetime, workspace: str, role: str) -> FlaskClient:
    user = people.person(f"{role}@{workspace}.example", now=now, workspace=workspace, role=role)
    return people.browser(app, user, now=now)


def taken(ref: str) -> int:
    return sum(type_ == "step_taken" for type_, _level, _at in said(ref))


def test_what_is_due_is_listed_and_taken_one_by_one_or_many_at_once(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen(lab, now - 9 * DAY, FAR, FAR)
    refs = [told(lab, at=now - (3.5 + n) * DAY, team="isp", subject=f"Hits {n}", **WHERE) for n in range(4)]
    told(lab, at=now, team="isp", subject="Still running", **WHERE)
    work(app, now)
    first = api.get("/api/v1/steps", limit=3).get_json()
    rest = api.get("/api/v1/steps", limit=3, cursor=first["next"]).get_json()
    assert [it["ref"] for it in first["items"] + rest["items"]] == refs
    assert rest["next"] is None
    assert first["items"][0]["to"]["team"] == "carrier"

    researcher = browser(app, now, "lab", "researcher")
    page = html.unescape(researcher.get("/steps").text)
    assert all(f"/notifications/{ref}/steps" in page for ref in refs)
    one = send(researcher, "/steps", only=f"{refs[0]}:1")
    assert "Logged: the letter to copy" in one.text
    many = send(researcher, "/steps", choose=[f"{ref}:1" for ref in refs[:2]], action="take")
    assert many.text.count("Logged: the letter to copy") == 2  # the first one leads to what it led to before
    assert [taken(ref) for ref in refs] == [1, 1, 0, 0]
    skipped = {"action": "skip", "note": "by phone", "steps": [{"ref": refs[2], "level": 1}]}
    assert api.post("/api/v1/steps", skipped).get_json()["items"][0]["refused"] is None
    db.session.rollback()  # what a command reads is of now
    due = ["policy", "due", "--workspace", "lab"]
    assert cli.run([*due, "--json"]) == 0
    suggested = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [it["level"] for it in suggested if it["ref"] in refs[2:]] == [2, 1]
    assert cli.run([*due, "--take", f"{refs[3]}:1", "--take", f"{refs[2]}:1"]) == 1
    assert (taken(refs[3]), "step_not_open" in capsys.readouterr().err) == (1, True)
    assert cli.run([*due, "--take", refs[3]]) == 2
    none = send(researcher, "/steps", action="skip", note="by phone")
    assert none.status_code == 422 and "Choose at least one step" in none.text


def test_nothing_is_taken_among_many_that_one_person_has_to_say_yes_to(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime
) -> None:
    chosen(lab, now - 9 * DAY, FAR | {"approval": True})
    held = told(lab, at=now - 4 * DAY, team="isp", subject="Owner", **WHERE)
    chosen(lab, now - 8 * DAY, FAR, name="Plain")
    incident = api.post("/api/v1/incidents", {"title": "Exposed", "people_at_risk": True}).get_json()["ref"]
    sent = (now - 4 * DAY).isoformat()
    body = {"team": "isp", "incident": incident, "sent_at": sent, "assets": ["203.0.113.7"]}
    risky = api.post("/api/v1/notifications", body).get_json()["ref"]
    work(app, now)
    researcher = browser(app, now, "lab", "researcher")
    page = send(researcher, "/steps", choose=[f"{held}:1", f"{risky}:1"], action="take").text
    assert "owner_needed" in page and "people_at_risk" in page
    assert (taken(held), taken(risky)) == (0, 0)
    assert next(it for it in api.get("/api/v1/steps").get_json()["items"] if it["ref"] == risky)[
        "people_at_risk"
    ]
    # An owner agrees to one of them; the researcher takes it then, unless it goes to somebody else by now.
    waiting = [it["ref"] for it in api.get("/api/v1/steps", waiting="true").get_json()["items"]]
    assert waiting == [held]
    assert "owner_needed" in send(researcher, "/steps", choose=[f"{held}:1"], action="approve").text
    owner = browser(app, now, "lab", "owner")
    assert 'value="approve"' in owner.get(f"/notifications/{held}/steps").text
    for _ in range(2):
        agreed = send(owner, "/steps", "/steps?waiting=owner", choose=[f"{held}:1"], action="approve")
        assert agreed.text.count("Agreed") == 1
    assert [it["type"] for it in api.get(f"/api/v1/notifications/{held}/events").json["items"]].count(
        "escalation.step_approved"
    ) == 1
    assert "an owner agreed" in researcher.get("/steps").text
    assert api.get("/api/v1/steps", waiting="true").get_json()["items"] == []
    assert "Logged: the letter to copy" in send(researcher, "/steps", only=f"{held}:1").text
    assert "step_not_open" in send(owner, "/steps", choose=[f"{held}:1"], action="approve").text
    # Another workspace neither sees nor takes them.
    rival = browser(app, now, "rivals", "owner")
    assert "Nothing is suggested" in rival.get("/steps").text
    assert "notification_unknown" in send(rival, "/steps", "/account", only=f"{risky}:1").text
    assert (taken(held), taken(risky)) == (1, 0)


def test_after_a_late_start_repeats_fall_due_one_after_the_other_and_both_lists_say_so(
    app: Flask, api: Api, lab: Workspace, clock: Any, now: dt.datetime
) -> None:
    ref = told(lab, at=now - 20 * DAY, team="isp", **WHERE)
    slug = chosen(
        lab, now, {"target": "national", "wait": "P1D", "repeat": 2, "content": "reference"}, rest="P1D"
    )
    assert api.post("/api/v1/policy-choices", {"policy": slug, "notification": ref}).status_code == 201

    def steps() -> list[tuple[str, dt.datetime]]:
        found = api.get(f"/api/v1/notifications/{ref}/steps").json["steps"]
        return [(it["state"], dt.datetime.fromisoformat(it["due_at"])) for it in found]

    def due() -> list[tuple[int, dt.datetime]]:
        found = api.get("/api/v1/steps").json["items"]
        return [(it["level"], dt.datetime.fromisoformat(it["due_at"])) for it in found]

    late = [("due", now), ("ahead", now + DAY), ("ahead", now + 2 * DAY)]
    assert (steps(), due()) == (late, [(1, now)])  # also while the worker has not looked at it
    work(app, now)
    assert (steps(), due(), said(ref)) == (late, [(1, now)], [("step_due", 1, now)])

    # Nobody decides for two days: every step has fallen due. Who then takes one waits for an answer to that one.
    clock.move_to(now + 2 * DAY)
    work(app, now + 2 * DAY)
    assert [state for state, _ in steps()] == ["due"] * 3
    act = {"action": "take", "level": 1}
    assert api.post(f"/api/v1/notifications/{ref}/steps", act).status_code == 201
    after = [("taken", now), ("ahead", now + 3 * DAY), ("ahead", now + 4 * DAY)]
    assert (steps(), due()) == (after, [])
    clock.move_to(now + 3 * DAY)
    assert due() == [(2, now + 3 * DAY)]
    work(app, now + 3 * DAY)
    assert [at for type_, level, at in said(ref) if (type_, level) == ("step_due", 2)][-1] == now + 3 * DAY
