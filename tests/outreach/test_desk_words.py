"""What a team says of itself at its own desk, and what becomes of it where somebody wants to tell it something."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.db import db
from pocdir.directory.queries import entries
from pocdir.directory.rules.checks import declines_tests
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from tests.accounts import made as people
from tests.conftest import Api
from tests.latency.made import DAY, told
from tests.outreach import made
from tests.outreach.browsing import send
from tests.outreach.made import contact
from tests.outreach.policies import FAR, WHERE, chosen, steps_of, work


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Iterator[Any]:
    made.teams(now - 400 * DAY)
    made.carrier(now - 400 * DAY)
    with time_machine.travel(now, tick=False) as moved:
        yield moved


def said(slug: str) -> dict[str, Any]:
    db.session.rollback()
    return entries.said(entries.entry(slug, audiences=entries.EVERYBODY).team)


def logged(ref: str) -> Event:
    db.session.rollback()
    return next(it for it in events_of_notification(ref) if it.type == "notification.logged")


def test_a_teams_own_words_stand_at_once_and_only_the_teams(app: Flask, now: dt.datetime) -> None:
    desk = contact(app, now)
    typed = {
        "declines": ["", "sample_request", "ping"], "classes": "fraud, vulnerable/weak-crypto",
        "intake": ["", "evidence"], "promise.acknowledgement": "PT24H",
    }  # fmt: skip
    assert send(desk, "/desk", **typed).location == "/desk"
    stands = said("cert-at")
    assert stands["opt_outs"] == ["sample_request", "ping", "fraud", "vulnerable/weak-crypto"]
    assert (stands["intake"], stands["promise"]) == (["evidence"], {"acknowledgement": "PT24H"})
    assert declines_tests(stands["opt_outs"])
    page = desk.get("/desk").text
    assert 'value="sample_request" checked' in page and "fraud vulnerable/weak-crypto" in page
    assert "Request for a sample" in desk.get("/teams/cert-at").text
    again = send(desk, "/desk", **typed)  # nothing differs: there is nothing to propose
    assert again.status_code == 302
    assert (said("cert-at"), said("isp")["opt_outs"]) == (stands, [])
    marked = send(desk, "/desk", **{"promise.acknowledgement": "2 days", "promise.answer": "P7D"}).text
    assert re.search(r'name="promise.acknowledgement"[^>]* aria-invalid="true"', marked)
    assert not re.search(r'name="promise.answer"[^>]* aria-invalid', marked)
    for wrong in ({"classes": "love-letters"}, {"promise.answer": "soon"}, {"declines": ["", "praise"]}):
        refused = send(desk, "/desk", **typed | wrong)
        assert (refused.status_code, "Nothing was saved" in refused.text) == (422, True)
    assert said("cert-at") == stands
    assert send(desk, "/desk", declines="", intake="").status_code == 302
    assert (said("cert-at")["opt_outs"], said("cert-at")["promise"]) == ([], None)


def test_who_logs_what_a_team_does_not_take_reads_so_first_and_the_record_says_it(
    app: Flask, api: Api, now: dt.datetime
) -> None:
    send(contact(app, now, "isp"), "/desk", declines=["", "report"], intake="")
    incident = api.post("/api/v1/incidents", {"title": "Hits"}).get_json()["ref"]
    api.post(f"/api/v1/incidents/{incident}/assets", {"items": [{"kind": "ip", "value": "203.0.113.7"}]})
    (planned,) = [
        it
        for it in api.post(f"/api/v1/incidents/{incident}/plan").get_json()["contacts"]
        if it["team"]["slug"] == "isp"
    ]
    assert planned["declines"] == ["report"]
    browser = people.browser(app, people.person(now=now, workspace="lab"), now=now)
    plan = html.unescape(browser.get(f"/incidents/{incident}/plan").text)
    assert "Does not take" in plan and 'value="isp" checked' not in plan
    assert "Does not take" in browser.get("/notify?team=isp").text
    typed = {"action": "log", "team": "isp", "kind": "report"}
    asked = send(browser, "/notify", **typed)
    assert asked.status_code == 422 and "does not take this (report)" in asked.text
    path = send(browser, "/notify", **typed, despite_opt_out="true").location
    assert logged(path.rsplit("/", 1)[1]).payload["opted_out"] is True
    assert "the team does not take this kind" in browser.get(path).text
    plain = api.post("/api/v1/notifications", {"team": "isp", "kind": "follow_up"}).get_json()
    assert "opted_out" not in logged(plain["ref"]).payload


def test_no_step_suggests_what_a_team_does_not_take(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    send(contact(app, now, "carrier"), "/desk", declines=["", "referral"], intake="")
    send(contact(app, now, "isp"), "/desk", declines=["", "follow_up"], intake="")
    chosen(lab, now - 9 * DAY, FAR | {"target": "same_team"}, FAR)
    ref = told(lab, at=now - 30 * DAY, team="isp", **WHERE)
    work(app, now)
    skipped = [each for each in steps_of(ref) if each.type == "escalation.step_skipped"]
    assert [each.payload["reason"] for each in skipped] == ["opted_out", "opted_out"]
