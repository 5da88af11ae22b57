"""The page of answer times: its arguments, its words, its files; the methods for everybody."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterator

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts.models import Workspace
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.directory.models import Team
from pocdir.latency.tables import plain
from tests.accounts import made as people
from tests.latency.made import DAY, event, told
from tests.outreach import made

PLAIN = "’"


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        made.teams(now - 400 * DAY)
        yield


@pytest.fixture
def browser(app: Flask, lab: Workspace, now: dt.datetime) -> FlaskClient:
    return people.browser(app, people.person(now=now, workspace="lab"), now=now)


@pytest.fixture
def year(lab: Workspace, now: dt.datetime) -> None:
    """Two answers by one team; one of the other's still open, its devices no longer seen."""
    start = now - 40 * DAY
    for answer in (1, 3):
        event(lab, told(lab, at=start), "ack.given", at=start + answer * DAY)
    event(lab, told(lab, at=now - 10 * DAY, team="isp"), "outcome.remediation_observed", at=now - 9 * DAY)
    db.session.remove()


def test_the_page_shows_the_median_the_curve_and_its_table(browser: FlaskClient, year: None) -> None:
    page = browser.get("/responsiveness")
    assert page.status_code == 200
    assert page.text.count("<svg") == 1
    assert "<figure" not in page.text or "3 d" in page.text
    assert "half within 3 days" in page.text
    assert "67" in page.text
    assert "style=" not in page.text
    assert "<script>" not in page.text


def test_one_answer_makes_no_band(browser: FlaskClient, lab: Workspace, now: dt.datetime) -> None:
    event(lab, told(lab, at=now - 20 * DAY), "ack.given", at=now - 10 * DAY)
    db.session.remove()
    page = browser.get("/responsiveness").text
    assert "10 d" in page
    assert "too few for a band" in page
    assert "100\xa0% – 100\xa0%" not in page
    assert "10 d – 10 d" not in page
    (group,) = browser.get("/responsiveness.json").json["groups"]
    assert (group["median_seconds"], group["band"]) == (10 * 86_400, [None, None])


def test_picture_and_table_count_the_same_as_still_followed(browser: FlaskClient, year: None) -> None:
    page = browser.get("/responsiveness").text
    assert "Still waiting" not in page
    picture, table = page.split("</svg>")[0], page.split("</svg>")[1].split("</table>")[0]
    assert re.findall(r'class="risk"[^>]*>(\d+)<', picture)[0] == "3"
    cells = re.findall(r'data-l="Still followed">(\d+)<', table)
    assert cells[0] == "3"
    assert "the start" in table


def test_without_cases_it_says_what_to_do_next(browser: FlaskClient) -> None:
    page = browser.get("/responsiveness")
    assert page.status_code == 200
    assert "<svg" not in page.text.partition("<main")[2]
    assert "/notify" in page.text


def test_acted_and_never_answered_stands_in_the_matrix(browser: FlaskClient, year: None) -> None:
    row = re.search(r'<tr class="marked">(.*?)</tr>', browser.get("/responsiveness").text)
    assert row
    assert re.findall(r"<td[^>]*>(\d+)</td>", row[1]) == ["1", "0", "0", "0"]


@pytest.mark.parametrize("by", ["team", "kind", "country", "channel", "month"])
def test_every_grouping_has_its_rows(browser: FlaskClient, year: None, by: str) -> None:
    page = browser.get("/responsiveness", query_string={"by": by})
    assert page.status_code == 200
    assert 'id="h-groups"' in page.text


@pytest.mark.parametrize(
    "level",
    ["delivered", "receipt", "acknowledgement", "answer", "remediation_claimed", "remediation_observed"],
)
def test_every_level_has_its_page(browser: FlaskClient, year: None, level: str) -> None:
    assert browser.get("/responsiveness", query_string={"level": level}).status_code == 200


def test_more_groups_than_can_be_told_apart_stand_in_the_table(
    browser: FlaskClient, lab: Workspace, now: dt.datetime
) -> None:
    for month in range(9):
        told(lab, at=now - 300 * DAY + month * 31 * DAY)
    db.session.remove()
    page = browser.get("/responsiveness?by=month").text
    assert page.count('<g class="g') == 6
    table = page.partition('id="h-groups"')[2].partition("</table>")[0]
    assert table.count("<tr>") == 1 + 9


def test_the_day_named_as_the_last_counts_whole(browser: FlaskClient, year: None, now: dt.datetime) -> None:
    day = (now - 10 * DAY).date().isoformat()
    query = {"since": day, "until": day}
    assert json.loads(browser.get("/responsiveness.json", query_string=query).text)["groups"][0]["n"] == 1
    assert f'value="{day}"' in browser.get("/responsiveness", query_string=query).text


@pytest.mark.parametrize(
    "query",
    ["by=colour", "level=x", "since=soon", "until=2026-13-40", "sent_level=P9", "team=%00", "as_known_at=1"],
)
@pytest.mark.parametrize("path", ["/responsiveness", "/responsiveness.csv", "/responsiveness.json"])
def test_what_it_cannot_mean_is_said(browser: FlaskClient, path: str, query: str) -> None:
    response = browser.get(f"{path}?{query}")
    assert response.status_code == 422
    assert query.partition("=")[0] in response.text


def test_empty_arguments_say_nothing_and_foreign_ones_are_refused(browser: FlaskClient, year: None) -> None:
    assert browser.get("/responsiveness?by=&team=&since=&until=&lang=ar").status_code == 200
    assert browser.get("/responsiveness?tean=isp").status_code == 422


def test_the_permanent_link_keeps_what_was_asked_and_known(
    browser: FlaskClient, year: None, lab: Workspace, now: dt.datetime
) -> None:
    page = browser.get("/responsiveness?by=team&level=answer").text
    links = [
        link.replace("&amp;", "&")
        for link in re.findall(r'href="(/responsiveness[^"]*as_known_at[^"]*)"', page)
    ]
    assert len(links) == 3
    assert all("by=team" in link and "level=answer" in link for link in links)
    before = browser.get(links[1]).text
    with time_machine.travel(now + DAY, tick=False):
        told(lab, at=now + DAY)
        db.session.remove()
        assert browser.get(links[1]).text == before


def test_the_csv_says_what_it_does_not_show(browser: FlaskClient, year: None, now: dt.datetime) -> None:
    response = browser.get("/responsiveness.csv?by=team")
    assert response.headers["Content-Disposition"] == 'attachment; filename="responsiveness.csv"'
    assert response.headers["Cache-Control"] == "no-store"
    lines = response.text.splitlines()
    notes = [line for line in lines if line.startswith("# ")]
    assert "no answer recorded here is not no action" in notes[0]
    rows = list(csv.DictReader(lines[len(notes) :]))
    assert [(row["key"], row["n"], row["answered"], row["still_open"]) for row in rows] == [
        ("cert-at", "2", "2", "0"), ("isp", "1", "0", "1"),
    ]  # fmt: skip
    assert rows[0]["median_seconds"] == "86400.0"
    assert rows[1]["median_seconds"] == ""
    assert {row["as_known_at"] for row in rows} == {isoformat(now)}


def test_no_cell_of_the_csv_starts_a_formula(browser: FlaskClient, year: None) -> None:
    with transaction() as session:
        team = session.query(Team).filter_by(slug="isp").one()
        team.name = '=HYPERLINK("https://example.org")'
    assert "'=HYPERLINK" in browser.get("/responsiveness.csv?by=team").text
    assert [plain(text) for text in ("+1", "-1", "@a", "＝b", "a=b", "")] == [
        "'+1",
        "'-1",
        "'@a",
        "'＝b",
        "a=b",
        "",
    ]


def test_the_json_has_groups_curve_and_matrix(browser: FlaskClient, year: None) -> None:
    answer = json.loads(browser.get("/responsiveness.json").text)
    assert answer["groups"][0]["n"] == 3
    assert answer["curve"][0] == {"t": 0.0, "s": 1.0, "lo": None, "hi": None, "at_risk": 3}
    assert answer["matrix"]["no_answer"]["observed"] == 1
    assert len(answer["not_shown"]) == 4


def test_another_workspace_sees_nothing(app: Flask, year: None, now: dt.datetime) -> None:
    outsider = people.browser(app, people.person("b@example.org", now=now, workspace="other"), now=now)
    assert json.loads(outsider.get("/responsiveness.json").text)["groups"][0]["n"] == 0
    assert "CERT.at" not in outsider.get("/responsiveness").text


def test_without_an_account_it_leads_to_the_sign_in(client: FlaskClient) -> None:
    for path in ("/responsiveness", "/responsiveness.csv", "/responsiveness.json"):
        response = client.get(path)
        assert response.status_code == 302
        assert response.headers["Location"].startswith("/login")


def test_the_methods_are_for_everybody(client: FlaskClient) -> None:
    page = client.get("/methods")
    assert page.status_code == 200
    assert "Kaplan" in page.text
