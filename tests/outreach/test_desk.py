"""A team's own desk: what was told to it as JSON and CSV, and one answer to many reports."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from pocdir import cli
from pocdir.cli import pocdir
from pocdir.core.cells import FORMULA
from pocdir.db import db
from pocdir.ledger import queries as ledger
from pocdir.outreach.desk import rules
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.browsing import send
from tests.outreach.made import contact, team_token


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Iterator[Any]:
    with time_machine.travel(now, tick=False) as moved:
        made.teams(now)
        yield moved


@pytest.fixture
def theirs(app: Flask, now: dt.datetime) -> dict[str, str]:
    return team_token("cert-at", now)


@pytest.fixture
def desk(app: Flask, now: dt.datetime) -> FlaskClient:
    return contact(app, now)


def logged(api: Api, **more: Any) -> str:
    answer = api.post("/api/v1/notifications", {"team": "cert-at", **more})
    assert answer.status_code == 201, answer.text
    ref: str = answer.get_json()["ref"]
    return ref


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def said(ref: str) -> list[str]:
    """Types of what the team has said."""
    db.session.rollback()
    return [it.type for it in ledger.events_of_notification(ref) if it.claimed_by == "recipient"]


def test_a_team_pulls_what_was_told_to_it_page_by_page(
    api: Api, client: FlaskClient, theirs: dict[str, str]
) -> None:
    assets = [{"kind": "ip", "value": "203.0.113.7", "port": 8080}, {"kind": "hash", "value": "a" * 64}]
    refs = [logged(api, subject="Hits", assets=assets, tlp="TLP:GREEN"), logged(api), logged(api)]
    foreign = logged(api, team="isp")
    first = client.get("/api/v1/told?limit=2", headers=theirs).get_json()
    second = client.get(f"/api/v1/told?limit=2&cursor={first['next']}", headers=theirs).get_json()
    assert [it["ref"] for it in first["items"] + second["items"]] == refs
    assert second["next"] is None
    told = first["items"][0]
    assert (told["sender"], told["subject"], told["response"]) == ("lab", "Hits", "awaiting")
    assert [it["value"] for it in told["assets"]] == ["203.0.113.7", "a" * 64]
    assert "recipient_page" not in told and "incident" not in told
    assert client.get(f"/api/v1/told?cursor={foreign}", headers=theirs).get_json()["code"] == "cursor_unknown"
    # A collector that comes back asks for what is new by the last reference that it has.
    fresh = logged(api)
    again = client.get(f"/api/v1/told?cursor={refs[-1]}", headers=theirs).get_json()
    assert [it["ref"] for it in again["items"]] == [fresh]


def test_the_csv_has_a_row_for_each_asset_in_the_names_of_intelmq(
    api: Api, client: FlaskClient, theirs: dict[str, str], desk: FlaskClient
) -> None:
    assets = [
        {"kind": "ip", "value": "203.0.113.7", "port": 8080},
        {"kind": "domain", "value": "example.org"},
    ]
    ref = logged(api, subject='=HYPERLINK("http://x")', assets=assets)
    other = logged(api)
    headers = theirs | {"Accept": "text/csv"}
    answer = client.get("/api/v1/told?limit=1", headers=headers)
    assert answer.content_type == "text/csv; charset=utf-8"
    rows = table(answer.text)
    assert [it["source.ip"] for it in rows] == ["203.0.113.7", ""]
    assert [it["source.fqdn"] for it in rows] == ["", "example.org"]
    assert {it["extra.ref"] for it in rows} == {ref}
    assert {it["event_description.text"] for it in rows} == {'\'=HYPERLINK("http://x")'}
    link = answer.headers["Link"]
    assert link == f'</api/v1/told?limit=1&cursor={ref}>; rel="next"'
    last = client.get(link[1 : link.index(">")], headers=headers)
    assert [it["extra.ref"] for it in table(last.text)] == [other]
    assert "Link" not in last.headers
    whole = desk.get("/desk/file?format=csv")
    assert [it["extra.ref"] for it in table(whole.text)] == [ref, ref, other]
    assert "attachment" in whole.headers["Content-Disposition"]
    items = desk.get("/desk/file?format=json").get_json()["items"]
    assert items == client.get("/api/v1/told", headers=theirs).get_json()["items"]
    assert "/desk/file?format=csv" in desk.get("/told").text


@pytest.mark.parametrize(
    ("digits", "column"), [(32, "malware.hash.md5"), (64, "malware.hash.sha256"), (128, "malware.hash")]
)
def test_a_digest_stands_in_the_column_of_its_length(
    api: Api, client: FlaskClient, theirs: dict[str, str], digits: int, column: str
) -> None:
    logged(api, assets=[{"kind": "hash", "value": "a" * digits}])
    answer = client.get("/api/v1/told", headers=theirs | {"Accept": "text/csv"})
    assert [it[column] for it in table(answer.text)] == ["a" * digits]


def test_nothing_of_a_stricter_incident_is_told(
    api: Api, client: FlaskClient, theirs: dict[str, str], now: dt.datetime
) -> None:
    kind = {"class": "malicious-code", "type": "infected-system", "detected_from": "2026-11-01T00:00:00Z"}
    for label, told in (("TLP:RED", None), ("TLP:GREEN", "malicious-code")):
        incident = api.post("/api/v1/incidents", {"title": "Ours", "tlp": "TLP:GREEN", **kind}).get_json()[
            "ref"
        ]
        logged(api, incident=incident, tlp="TLP:GREEN")
        api.patch(f"/api/v1/incidents/{incident}", {"tlp": label})
        answer = client.get("/api/v1/told", headers=theirs)
        item = answer.get_json()["items"][-1]
        assert item["class"] == told
        assert (item["since"] == item["sent_at"]) == (told is None)
        assert "Ours" not in answer.text


def test_who_answers_for_no_team_pulls_nothing(
    api: Api, client: FlaskClient, app: Flask, now: dt.datetime
) -> None:
    logged(api)
    assert api.get("/api/v1/told").get_json()["code"] == "forbidden"
    assert client.get("/api/v1/told").get_json()["code"] == "unauthenticated"
    narrow = team_token("cert-at", now, scopes=("latency.read",))
    assert client.get("/api/v1/told", headers=narrow).get_json()["code"] == "scope_missing"
    assert client.get("/api/v1/told", headers=team_token("isp", now)).get_json()["items"] == []


def test_one_answer_to_many_is_asked_once_more_and_each_says_what_became_of_it(
    api: Api, desk: FlaskClient
) -> None:
    refs = [logged(api, subject=f"Report {number}") for number in range(3)]
    foreign = logged(api, team="isp")
    typed = {"choose": [*refs[:2], foreign], "action": "passed_on", "count": "4"}
    asked = send(desk, "/desk/answers", form_at="/told", **typed)
    assert "Record this answer to 3 reports?" in asked.text
    assert [said(ref) for ref in refs] == [[], [], []]
    for _ in range(2):  # pressed twice is said once
        page = send(desk, "/desk/answers", form_at="/told", **typed, confirmed="yes")
    assert "notification_unknown" in page.text
    assert [said(ref) for ref in refs] == [["response.passed_on"], ["response.passed_on"], []]
    assert said(foreign) == []
    wrong = send(desk, "/desk/answers", form_at="/told", **typed | {"count": "many"}, confirmed="yes")
    assert wrong.status_code == 422 and "A whole number is needed" in wrong.text
    none = send(desk, "/desk/answers?state=answered", form_at="/told", action="passed_on")
    assert none.status_code == 422 and "Choose at least one report" in none.text
    assert refs[0] in none.text and '<option value="passed_on" selected>' in none.text


def test_a_sender_answers_nothing_for_the_team_in_bulk(api: Api, app: Flask, now: dt.datetime) -> None:
    both = contact(app, now, workspace="lab")
    ref = logged(api)
    page = send(both, "/desk/answers", form_at="/account", choose=[ref], action="received", confirmed="yes")
    assert "event_not_yours" in page.text
    assert said(ref) == []


def test_a_teams_program_answers_many_at_once(api: Api, client: FlaskClient, theirs: dict[str, str]) -> None:
    refs = [logged(api), logged(api, team="isp")]
    body = {"type": "ack.given", "notifications": refs, "payload": {"ticket": "T-1"}}
    done = client.post("/api/v1/events", json=body, headers=theirs).get_json()["items"]
    assert done[0]["refused"] is None
    assert done[1]["refused"]["code"] == "notification_unknown"
    assert said(refs[0]) == ["ack.given"]
    answered = client.get("/api/v1/told?state=answered", headers=theirs).get_json()["items"]
    assert [it["ref"] for it in answered] == refs[:1]


def test_the_operator_answers_for_a_team_on_its_word_which_proves_nothing_more(api: Api) -> None:
    ref, foreign = logged(api), logged(api, team="isp")
    answer = ["desk", "answer", "--team", "cert-at"]
    asked = [*answer, "passed_on", ref, foreign, "--count", "31", "--json"]
    done = [json.loads(line) for line in CliRunner().invoke(pocdir, asked).stdout.splitlines()]
    assert [(each["refused"] or {}).get("code") for each in done] == [None, "notification_unknown"]
    event = next(it for it in ledger.events_of_notification(ref) if it.id == done[0]["event"])
    assert (event.type, event.claimed_by, event.assurance, event.actor, event.payload["count"]) == (
        "response.passed_on", "recipient", "S", "operator", 31,
    )  # fmt: skip
    stands = api.get(f"/api/v1/notifications/{ref}").get_json()
    assert (stands["state"]["response"], stands["sent_level"]) == ("passed_on", "P0")
    assert [cli.run([*answer, *more]) for more in (("contest", ref), ("need", ref, "--count", "3"))] == [1, 2]


@given(st.text(min_size=1, max_size=20), st.sampled_from(["", *FORMULA]))
def test_no_cell_is_a_formula(text: str, start: str) -> None:
    told = {
        "since": None, "class": start + text, "type": text, "tlp": "TLP:RED", "subject": start + text, "ref": "r",
        "kind": "report", "sender": start + text, "sent_at": None, "response": "awaiting", "withdrawn_at": None,
        "expect": [], "assets": [{"kind": "url", "value": start + text, "port": None}],
    }  # fmt: skip
    (row,) = rules.rows([told])
    assert not [cell for cell in row if cell.startswith(FORMULA)]


def test_the_operator_reads_the_same_on_the_command_line(
    api: Api, client: FlaskClient, theirs: dict[str, str]
) -> None:
    def run(*words: str) -> Any:
        db.session.rollback()  # a command of its own begins anew
        return CliRunner().invoke(pocdir, ["told", "--team", *words], standalone_mode=False)

    assert run("cert-at").return_value == 1
    logged(api, subject="Hits", assets=[{"kind": "ip", "value": "203.0.113.7"}])
    told = run("cert-at", "--state", "open", "--json")
    assert json.loads(told.stdout) == client.get("/api/v1/told", headers=theirs).get_json()["items"][0]
    (row,) = table(run("cert-at", "--csv").stdout)
    assert (row["source.ip"], row["extra.sender"]) == ("203.0.113.7", "lab")
    assert "lab" in run("cert-at").stdout
    assert run("isp").return_value == 1
