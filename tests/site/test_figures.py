"""The same thing has the same number on every page, and each number the list that it counts."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from collections.abc import Iterator

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts.models import Workspace
from pocdir.cli import pocdir as commands
from pocdir.db import db, transaction
from pocdir.incidents.actions import open_incident
from pocdir.outreach.jobs import record_lapses
from tests.accounts import made as people
from tests.conftest import Api
from tests.latency.made import DAY, HOUR, event, told
from tests.outreach import made

RECIPIENT = ("recipient", "A2")
STATES = {
    "": "Asked for, and not recorded",
    "running": "Time still to come",
    "undeliverable": "Could not be delivered",
}


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        made.teams(now - 400 * DAY)
        yield


@pytest.fixture
def browser(app: Flask, lab: Workspace, now: dt.datetime) -> FlaskClient:
    return people.browser(app, people.person(now=now, workspace="lab"), now=now)


@pytest.fixture
def incident(app: Flask, lab: Workspace, now: dt.datetime) -> str:
    """One case with every way in which a notification can stand, and some outside any case; its reference."""
    start = now - 40 * DAY
    with transaction() as session:
        case = open_incident(
            session, workspace_id=lab.id, given={"title": "Sinkhole"}, now=start, actor="user:a"
        )
        ref = str(case.ref)
    for _ in range(3):
        told(lab, at=start, incident=case)
    event(lab, told(lab, at=start, incident=case), "ack.given", at=start + DAY)
    robot = told(lab, at=start, incident=case, team="isp")
    event(lab, robot, "ack.given", at=start, by=RECIPIENT, may_be_automatic=True)
    ticket = told(lab, at=start, incident=case, team="isp")
    event(lab, ticket, "reply.automatic", at=start + HOUR, by=("recipient", "S"), subclass="receipt")
    for team in ("isp", "cert-at"):
        lost = told(lab, at=start, incident=case, team=team)
        event(lab, lost, "delivery.failed", at=start + HOUR, by=("remote_mta", "S"), status="5.1.1")
    event(lab, told(lab, at=start), "response.misdirected", at=start + 2 * DAY, by=RECIPIENT)
    gone = told(lab, at=start, incident=case)
    event(lab, gone, "notification.withdrawn", at=start + DAY, reason="mistake")
    event(lab, told(lab, at=start), "outcome.remediation_observed", at=start + DAY)
    told(lab, at=now - HOUR, incident=case)
    told(lab, at=start, answer_asked=False)
    record_lapses(now)
    db.session.remove()
    return ref


def words(page: str) -> str:
    """A page as it is read."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def tiles(page: str) -> dict[str, int]:
    """The large figures of a page by their labels."""
    found = re.findall(r"<dt>([^<]+)</dt><dd><span class=\"figure\">\s*([\d,]+)\s*</span>", page)
    return {html.unescape(label): int(number.replace(",", "")) for label, number in found}


def rows(page: str) -> int:
    return page.split("<tbody>")[1].split("</tbody>")[0].count("<tr>") if "<tbody>" in page else 0


def test_each_number_of_what_waits_has_a_list_of_that_length(browser: FlaskClient, incident: str) -> None:
    for state, label in STATES.items():
        page = browser.get("/unanswered", query_string={"state": state}).text
        assert tiles(page)[label] == rows(page) > 0
        assert f"{rows(page)} notification" in words(page)
    narrowed = browser.get("/unanswered?team=isp").text
    assert tiles(narrowed) == tiles(browser.get("/unanswered").text), (
        "the figures count all, whatever is listed"
    )
    assert 0 < rows(narrowed) < tiles(narrowed)[STATES[""]]


def test_home_api_command_and_list_count_the_same(browser: FlaskClient, api: Api, incident: str) -> None:
    counted = tiles(browser.get("/unanswered").text)
    home = browser.get("/").text
    for label, href in (
        (STATES[""], "/unanswered"),
        (STATES["undeliverable"], "/unanswered?state=undeliverable"),
    ):
        row = re.search(rf'href="{re.escape(href)}">{label}</a>.*?class="figure">([\d,]+)<', home, re.S)
        assert row is not None
        assert int(row[1]) == counted[label] == rows(browser.get(href).text)
    items = api.get("/api/v1/unanswered").get_json()["items"]
    printed = CliRunner().invoke(commands, ["unanswered", "--json"]).stdout.splitlines()
    assert len(items) == len(printed) == counted[STATES[""]]
    assert {each["ref"] for each in items} == {json.loads(line)["ref"] for line in printed}


def test_an_incidents_numbers_add_up_to_who_was_told(browser: FlaskClient, incident: str) -> None:
    shown = browser.get(f"/incidents/{incident}").text
    counted = tiles(shown)
    assert counted.pop("Told") == sum(counted.values()) == 9
    assert "1 more was withdrawn" in words(shown)
    (row,) = re.findall(r"<tbody>\s*<tr>(.*?)</tr>", browser.get("/incidents").text, re.S)
    listed = dict(re.findall(r'<td class="n" data-l="([^"]+)">(\d+)</td>', row))
    assert (listed["Told"], listed["Answered"], listed["No answer recorded"]) == (
        "9",
        str(counted["Answered"]),
        str(counted["No answer recorded"]),
    )


@pytest.mark.parametrize(
    "level", ["acknowledgement", "answer", "remediation_claimed", "remediation_observed"]
)
def test_the_figures_of_a_level_count_the_same_notifications(
    browser: FlaskClient, api: Api, incident: str, level: str
) -> None:
    (all_,) = api.get("/api/v1/latency", level=level).get_json()["groups"]
    assert all_["n"] == all_["events"] + all_["censored"] + sum(all_["ended_otherwise"].values())
    for by in ("team", "kind", "country", "channel", "month"):
        groups = api.get("/api/v1/latency", level=level, by=by).get_json()["groups"]
        for name in ("n", "events", "censored"):
            assert sum(group[name] for group in groups) == all_[name]
    file = browser.get(f"/responsiveness.json?level={level}").get_json()
    assert sum(sum(row.values()) for row in file["matrix"].values()) == all_["n"]
    page = browser.get(f"/responsiveness?level={level}").text
    assert tiles(page)["Notifications"] == all_["n"]
    assert f"{all_['events']} reached this, {all_['censored']} have not" in words(page)
    assert f"The table counts the same {all_['n']} notification" in words(page)


def test_a_teams_page_has_the_numbers_of_its_row(
    app: Flask, browser: FlaskClient, api: Api, incident: str, now: dt.datetime
) -> None:
    for group in api.get("/api/v1/latency", by="team").get_json()["groups"]:
        page = words(browser.get(f"/teams/{group['key']}").text)
        assert f"{group['events']} of {group['n']} notifications acknowledged" in page
    assert "How they answered us no record" in words(browser.get("/teams/mute").text)
    assert "How they answered us" not in words(app.test_client().get("/teams/isp").text)
    other = people.browser(app, people.person("eve@example.org", now=now, workspace="other"), now=now)
    assert "How they answered us no record" in words(other.get("/teams/isp").text)


def test_the_matrix_says_how_many_answers_no_time_counts(browser: FlaskClient, incident: str) -> None:
    file = browser.get("/responsiveness.json").get_json()
    (all_,) = file["groups"]
    assert sum(file["matrix"]["answered"].values()) == all_["events"] + file["may_be_automatic"]
    assert file["may_be_automatic"] == 1
    assert "Of those answered, 1 may be automatic" in words(browser.get("/responsiveness").text)
    assert sum(file["matrix"]["undeliverable"].values()) == all_["ended_otherwise"]["undeliverable"] == 2


def test_a_number_is_written_in_one_way(app: Flask) -> None:
    with app.test_request_context("/"):
        page = app.jinja_env.from_string(
            "{{ 1199|numberformat }} {{ ngettext('%(num)s answer', '%(num)s answers', 1199) }}"
        )
        assert page.render() == "1,199 1,199 answers"
