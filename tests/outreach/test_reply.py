"""What a recipient says against a report, and what follows from it."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir import cli
from pocdir.accounts.actions import create_token
from pocdir.accounts.queries import team_id_of
from pocdir.core.times import isoformat
from pocdir.db import transaction
from pocdir.directory.proposals.queries import proposals
from pocdir.outreach.jobs import record_lapses
from pocdir.outreach.presentation.contests import contest_events
from pocdir.outreach.webhooks.rules import body_of
from tests.accounts import made as people
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.test_parcels_hostile import statements

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Iterator[Any]:
    with time_machine.travel(now, tick=False) as moved:
        made.teams(now)
        yield moved


@pytest.fixture
def browser(app: Flask, now: dt.datetime) -> FlaskClient:
    return people.browser(app, people.person(now=now, workspace="lab"), now=now)


def logged(api: Api, **more: Any) -> dict[str, Any]:
    told = {"team": "isp", "assets": ["203.0.113.70", "203.0.113.71"], "subject": "Sinkhole"}
    response = api.post("/api/v1/notifications", told | more)
    assert response.status_code == 201, response.text
    return dict(response.get_json())


def say(app: Flask, told: dict[str, Any], action: str, **filled_in: Any) -> str:
    path = urlsplit(told["recipient_page"]).path
    answer = app.test_client().post(path, data={"action": action, "confirmed": "yes"} | filled_in)
    assert answer.status_code == 200
    return answer.text


def test_words_of_contest_stand_beside_the_report_wherever_it_is_named(
    app: Flask, api: Api, browser: FlaskClient, clock: Any, now: dt.datetime
) -> None:
    incident = api.post("/api/v1/incidents", {"title": "Sinkhole"}).get_json()["ref"]
    expect = [{"of": of, "within": "P2D"} for of in ("acknowledgement", "remediation")]
    told = logged(api, incident=incident, expect=expect)
    clock.move_to(now + DAY)
    say(app, told, "contest", note="These addresses were not ours <then>.")
    say(app, told, "done")  # another word does not take the first one away
    clock.move_to(now + 3 * DAY)
    other = logged(api, incident=incident, team="cert-at", sent_at=now.isoformat())
    record_lapses(now + 3 * DAY)
    words = "<q><bdi>These addresses were not ours &lt;then&gt;.</bdi></q>"
    pages = (f"/notifications/{told['ref']}", f"/incidents/{incident}")
    assert [words in browser.get(path).text for path in pages] == [True, True]
    assert words not in browser.get(f"/notifications/{other['ref']}").text


def test_a_contested_report_that_still_waits_shows_the_words_in_the_working_list(
    app: Flask, api: Api, browser: FlaskClient, clock: Any, now: dt.datetime
) -> None:
    told = logged(api, expect=[{"of": "remediation", "within": "P2D"}])
    silent = logged(api, team="cert-at", expect=[{"of": "sample", "within": "P2D"}])
    clock.move_to(now + DAY)
    event = say(app, told, "contest", note="Not ours then.")
    assert "Take it back" in event
    clock.move_to(now + 3 * DAY)
    record_lapses(now + 3 * DAY)
    assert "<bdi>Not ours then.</bdi>" in browser.get("/unanswered").text
    lapses = ("Asked for by this time, not recorded here", "No answer recorded here by this time")
    for ref, said in ((told["ref"], [True, False]), (silent["ref"], [False, True])):
        page = browser.get(f"/notifications/{ref}").text
        assert [words in page for words in lapses] == said


def test_it_stands_beside_the_claim_at_every_door_and_is_looked_up_for_a_list_at_once(
    app: Flask,
    api: Api,
    browser: FlaskClient,
    clock: Any,
    now: dt.datetime,
    capsys: pytest.CaptureFixture[str],
) -> None:
    expect = [{"of": "remediation", "within": "P2D"}]
    told, red = logged(api, expect=expect), logged(api, expect=expect, tlp="TLP:RED")
    assert told["contested"] == []
    clock.move_to(now + DAY)
    for each in (told, red):
        say(app, each, "contest", note="Not ours <then>.")
    clock.move_to(now + 3 * DAY)
    record_lapses(now + 3 * DAY)
    words = [{"note": "Not ours <then>.", "occurred_at": isoformat(now + DAY)}]
    one, seen = f"/api/v1/notifications/{told['ref']}", []
    with statements() as few:
        seen += api.get("/api/v1/unanswered", limit=1).get_json()["items"]
    with statements() as more:
        seen += api.get("/api/v1/unanswered").get_json()["items"]
    assert len(few) == len(more)
    seen += [*api.get("/api/v1/notifications").get_json()["items"], api.get(one).get_json()]
    assert [each["contested"] for each in seen] == [words] * 6

    link = re.search(r'href="(/feed/[^"]+)"', browser.get("/unanswered").text)[1]
    summaries = re.findall(r"<summary>.*</summary>", app.test_client().get(link).text)
    assert [("contests" in each, "Not ours" in each) for each in summaries] == [(True, False), (True, True)]
    for command in (["unanswered"], ["notification", "list"], ["notification", "show", told["ref"]]):
        assert cli.run([*command, "--workspace", "lab"]) == 0
        assert "Not ours <then>." in capsys.readouterr().out
    export = api.client.get("/api/v1/workspace/export", headers=api.headers, buffered=True).get_json()
    assert [each["contested"] for each in export["notifications"]] == [words] * 2
    [event] = contest_events([told["ref"]])[told["ref"]]
    body = json.loads(body_of(event, red=True, contested=[event], links={}))
    assert body["data"]["contested"] == [{"event": event.id, "occurred_at": isoformat(now + DAY)}]

    corrected = {"type": "response.contested", "payload": {"note": "said by phone, to me alone"}}
    assert api.post(f"{one}/events", corrected).status_code == 201
    with transaction() as session:
        _, text = create_token(
            session, workspace_id=None, team_id=team_id_of(session, "isp"), now=now, actor="operator"
        )
    theirs = Api(app, text).get(one).get_json()["contested"]
    assert [each["note"] for each in theirs] == ["Not ours <then>.", None]
    back = {"type": "event.corrected", "payload": {"event": event.id, "why": "they are"}}
    assert Api(app, text).post(f"{one}/events", back).status_code == 201
    assert [each["note"] for each in api.get(one).get_json()["contested"]] == ["said by phone, to me alone"]


def test_not_for_us_leads_to_a_referral_and_to_a_correction_that_a_steward_decides(
    app: Flask, api: Api, browser: FlaskClient, clock: Any, now: dt.datetime
) -> None:
    told = logged(api)
    clock.move_to(now + DAY)
    path = urlsplit(told["recipient_page"]).path
    asked = app.test_client().post(path, data={"action": "not_ours"}).text
    assert 'name="correct" value="prefix 203.0.113.0/24"' in asked
    foreign = {"action": "not_ours", "confirmed": "yes", "correct": ["prefix 203.0.113.0/24", "prefix zz"]}
    refused = app.test_client().post(path, data=foreign)
    assert refused.status_code == 422
    assert '<p class="err">The entry does not say this any more. Choose again.</p>' in refused.text
    wrong = {"ask": "CERT.at", "correct": ["prefix 203.0.113.0/24"]}
    assert "The stewards of the directory are asked" in say(app, told, "not_ours", **wrong)
    assert "The stewards of the directory are asked" not in say(app, told, "not_ours", **wrong)
    [kept] = proposals(team_id=None, is_open=True, limit=9)
    assert (kept.by, kept.actor, kept.person, kept.note) == ("team", "recipient", None, "CERT.at")
    assert [it["of"] for it in kept.changes] == [["prefix", "203.0.113.0/24", "holder"]]
    assert kept.changes[0]["after"] is None
    page = browser.get(f"/notifications/{told['ref']}").text
    assert "CERT.at" in page
    assert f"/notify?kind=referral&amp;parent={told['ref']}&amp;team=cert-at" in page
    form = browser.get(f"/notify?kind=referral&parent={told['ref']}&team=cert-at").text
    assert '<option value="referral" selected>' in form


def test_what_comes_within_a_minute_asks_the_stewards_for_nothing(app: Flask, api: Api) -> None:
    say(app, logged(api), "not_ours", correct="prefix 203.0.113.0/24")
    assert proposals(team_id=None, is_open=True, limit=9) == []
