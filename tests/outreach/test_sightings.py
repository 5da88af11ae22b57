"""Sightings come in, and what was measured becomes states, events and cells of the matrix."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from pocdir import cli
from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.models import Workspace
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.incidents import queries as incidents
from pocdir.ledger import queries as ledger
from pocdir.outreach.outcome.queries import outcome, outcome_of_one
from pocdir.outreach.queries.snapshots import of_incidents
from pocdir.site.queries.ledger import verified
from tests.conftest import Api
from tests.outreach import made

DAY, HOUR = dt.timedelta(days=1), dt.timedelta(hours=1)
DEVICES = ("203.0.113.1", "203.0.113.2")
BASELINE = ("198.51.100.1", "198.51.100.2")


class World:
    """An incident with two devices that were told about three days ago, and two that nobody was told about."""

    def __init__(self, api: Api, now: dt.datetime) -> None:
        self.api, self.now, self.sent_at = api, now, now - 3 * DAY
        self.ref = api.post("/api/v1/incidents", {"title": "Sinkhole hits"}).json["ref"]
        items = [{"kind": "ip", "value": value} for value in DEVICES]
        items += [{"kind": "ip", "value": value, "control": True} for value in BASELINE]
        assert api.post(f"/api/v1/incidents/{self.ref}/assets", {"items": items}).status_code == 201
        self.notification = self.told("cert-at", DEVICES)

    def told(self, team: str, assets: tuple[str, ...]) -> str:
        body = {
            "team": team, "incident": self.ref, "assets": list(assets), "sent_at": isoformat(self.sent_at),
            "expect": [{"of": "remediation", "within": "P2D"}],
        }  # fmt: skip
        response = self.api.post("/api/v1/notifications", body)
        assert response.status_code == 201, response.text
        return str(response.json["ref"])

    def window(self, begin: float, end: float, *seen: tuple[str, float], **more: Any) -> TestResponse:
        """Post a window of the sinkhole; its times in hours since the sending."""
        body = {
            "method": "sinkhole",
            "window_from": self.at(begin),
            "window_to": self.at(end),
            "items": [{"value": value, "seen_at": self.at(hour)} for value, hour in seen],
        }
        return self.api.post(f"/api/v1/incidents/{self.ref}/sightings", body | more)

    def csv(self, text: str | bytes, **query: str) -> TestResponse:
        given = {"method": "sinkhole", "window_from": self.at(0), "window_to": self.at(24)} | query
        return self.api.client.post(
            f"/api/v1/incidents/{self.ref}/sightings",
            query_string=given,
            data=text,
            headers=self.api.headers,
            content_type="text/csv",
        )

    def at(self, hours: float) -> str:
        return isoformat(self.sent_at + hours * HOUR)

    def outcome(self) -> Any:
        response = self.api.get(f"/api/v1/incidents/{self.ref}/outcome")
        assert response.status_code == 200, response.text
        return response.json

    def events(self) -> list[tuple[str, float]]:
        """The outcome events that count, with hours since the sending."""
        state = self.api.get(f"/api/v1/notifications/{self.notification}/events").json["items"]
        gone = {it["payload"]["event"] for it in state if it["type"] == "event.corrected"}
        found = [it for it in state if it["type"].startswith("outcome.") and it["id"] not in gone]
        hours = [dt.datetime.fromisoformat(it["occurred_at"]) - self.sent_at for it in found]
        return sorted(
            ((it["type"].partition(".")[2], hour / HOUR) for it, hour in zip(found, hours, strict=True)),
            key=lambda it: it[1],
        )


@pytest.fixture
def world(app: Flask, api: Api, now: dt.datetime) -> Iterator[World]:
    with time_machine.travel(now, tick=False):
        made.teams(now)
        yield World(api, now)


def test_the_talks_case_never_answered_and_no_longer_seen(world: World) -> None:
    assert world.outcome()["assets"] == {"all": 2, "quiet": 0, "seen": 0, "unknown": 2}
    first = world.window(0, 24, (DEVICES[0], 1), (DEVICES[1], 20), (BASELINE[0], 2), (BASELINE[1], 3))
    assert first.status_code == 201, first.text
    assert {name: first.json[name] for name in ("sightings", "seen", "strangers", "rows")} == {
        "sightings": 4, "seen": 4, "strangers": 0, "rows": 4,
    }  # fmt: skip
    assert world.events() == []
    world.window(24, 48, (BASELINE[0], 47))
    found = world.outcome()
    assert found["assets"] == {"all": 2, "quiet": 2, "seen": 0, "unknown": 0}
    assert found["controls"] == {"all": 2, "quiet": 1, "seen": 1, "unknown": 0}
    assert found["matrix"] == {
        group: {
            "observed": int(group == "no_answer"), "claimed": 0, "none": 0, "unknown": 0,
        }
        for group in ("answered", "ticket_only", "no_answer", "undeliverable")
    }  # fmt: skip
    assert world.events() == [("remediation_observed", 44)]
    notification = world.api.get(f"/api/v1/notifications/{world.notification}").json
    assert notification["state"]["outcome"] == "observed"
    assert notification["expect"][0]["state"] == "stopped"
    groups = world.api.get("/api/v1/latency", level="remediation_observed").json["groups"]
    assert (groups[0]["n"], groups[0]["events"], groups[0]["median_seconds"]) == (1, 1, 44 * 3600)
    db.session.remove()
    assert verified().faults == ()


def test_seen_again_is_a_relapse_and_the_order_of_arrival_does_not_matter(world: World) -> None:
    windows = [(0, 24, (DEVICES[0], 1)), (24, 48), (48, 72, (DEVICES[1], 60))]
    for each in (windows[2], windows[1]):
        world.window(*each)
    assert world.events() == [("remediation_observed", 48), ("relapsed", 60)]
    world.window(*windows[0])
    assert world.events() == [("remediation_observed", 25), ("relapsed", 60)]
    found = world.outcome()
    assert found["assets"] == {"all": 2, "quiet": 1, "seen": 1, "unknown": 0}
    assert found["matrix"]["no_answer"] == {"observed": 0, "claimed": 0, "none": 1, "unknown": 0}
    before = world.api.get(f"/api/v1/notifications/{world.notification}/events").json["items"]
    assert world.window(*windows[0]).status_code == 201
    assert world.api.get(f"/api/v1/notifications/{world.notification}/events").json["items"] == before
    assert len(world.api.get(f"/api/v1/incidents/{world.ref}/windows").json["items"]) == 3


def test_what_was_quiet_before_the_sending_is_no_answer_to_it(world: World) -> None:
    world.window(-30, -1)
    assert world.outcome()["assets"]["quiet"] == 2
    assert world.events() == []
    world.window(-1, 30)
    assert world.events() == [("remediation_observed", 24)]


def test_a_claim_holds_until_something_is_seen_again(world: World) -> None:
    claim = {"type": "outcome.remediation_claimed", "occurred_at": world.at(30)}
    assert world.api.post(f"/api/v1/notifications/{world.notification}/events", claim).status_code == 201
    world.window(0, 10, (DEVICES[0], 1))
    assert world.outcome()["matrix"]["answered"]["claimed"] == 1
    world.window(30, 40, (DEVICES[0], 35))
    assert world.outcome()["matrix"]["answered"] == {"observed": 0, "claimed": 0, "none": 1, "unknown": 0}


def test_quiet_after_is_the_incidents_own(world: World) -> None:
    url = f"/api/v1/incidents/{world.ref}"
    assert world.api.get(url).json["quiet_after"] == "PT24H"
    world.window(0, 6)
    assert world.outcome()["assets"]["unknown"] == 2
    assert world.api.patch(url, {"quiet_after": "PT6H"}).json["quiet_after"] == "PT6H"
    assert world.outcome()["assets"]["quiet"] == 2
    for wrong in ("PT1M", "P1M", "soon"):
        assert world.api.patch(url, {"quiet_after": wrong}).status_code == 422
    db.session.remove()
    assert verified().faults == ()


def test_a_file_is_read_and_given_back(world: World) -> None:
    text = f"seen_at,ip\r\n{world.at(1)},{DEVICES[0]}\r\n{world.at(1.1)},{DEVICES[0]}\r\n{world.at(5)},192.0.2.9\r\n"
    answer = world.csv(text.replace(world.at(1.1), world.at(1.1).rstrip("Z")))
    assert answer.json["without_zone"] == 1
    assert (answer.status_code, answer.json["not_assets"]) == (201, ["192.0.2.9"])
    assert {name: answer.json[name] for name in ("rows", "sightings", "seen", "strangers")} == {
        "rows": 3, "sightings": 2, "seen": 1, "strangers": 1,
    }  # fmt: skip
    listed = world.api.get(f"/api/v1/incidents/{world.ref}/sightings", limit=1).json
    assert listed["next"] is None
    assert {name: listed["items"][0][name] for name in ("value", "seen_at", "last_seen", "count")} == {
        "value": DEVICES[0], "seen_at": world.at(1), "last_seen": world.at(1.1), "count": 2,
    }  # fmt: skip
    back = world.api.client.get(
        f"/api/v1/incidents/{world.ref}/sightings", headers=world.api.headers | {"Accept": "text/csv"}
    )
    line = back.text.splitlines()[1]
    back.close()
    assert line.split(",")[:4] == [DEVICES[0], world.at(1), world.at(1.1), "2"]


def test_a_list_goes_on_where_it_ended(world: World) -> None:
    world.window(0, 24, *((value, hour) for value in DEVICES for hour in (1, 3, 5)))
    world.window(24, 48, *((value, hour) for value in DEVICES for hour in (25, 30)))
    items, cursor = [], None
    while True:
        query = {"limit": 4} | ({"cursor": cursor} if cursor else {})
        listed = world.api.get(f"/api/v1/incidents/{world.ref}/sightings", **query).json
        items += [(it["value"], it["seen_at"]) for it in listed["items"]]
        cursor = listed["next"]
        if cursor is None:
            break
    assert len(items) == len(set(items)) == 10


def test_one_key_keeps_a_window_once(world: World) -> None:
    text = f"value,seen_at\n{DEVICES[0]},{world.at(1)}\n"
    world.api.headers["Idempotency-Key"] = "monday"
    first = world.csv(text)
    assert (first.status_code, world.csv(text).json) == (201, first.json)
    other = world.csv(text.replace(DEVICES[0], DEVICES[1]))
    assert (other.status_code, other.json["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        ("203.0.113.1,{inside}\n203.0.113.1,{outside}\n", "line 3"),
        ("203.0.113.1,yesterday\n", "line 2"),
        ("203.0.113.1,2026-11-20\n", "line 2"),
        ("not an address,{inside}\n", "line 2"),
        (",{inside}\n", "line 2"),
        ("203.0.113.1\n", "line 2"),
    ],
)
def test_one_wrong_row_and_nothing_is_kept(world: World, rows: str, where: str) -> None:
    answer = world.csv("value,seen_at\n" + rows.format(inside=world.at(1), outside=world.at(25)))
    assert (answer.status_code, answer.json["code"]) == (422, "sightings_invalid")
    assert list(answer.json["errors"]) == [where]
    assert world.api.get(f"/api/v1/incidents/{world.ref}/windows").json["items"] == []


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ({"method": "guess"}, "method_unknown"),
        ({"window_to": "before"}, "window_invalid"),
        ({"window_to": "2026-11-22T12:06:00Z"}, "window_in_future"),
        ({"window_from": "yesterday"}, "invalid"),
        ({"items": None}, "invalid"),
    ],
)
def test_a_window_that_cannot_be_is_refused(world: World, given: dict[str, Any], code: str) -> None:
    if given.get("window_to") == "before":
        given = {"window_to": world.at(0)}
    answer = world.window(0, 1, **given)
    assert (answer.status_code, answer.json["code"]) == (422, code)


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", b"value,seen_at\n\xff,x\n", '"value,seen_at\n'])
def test_what_is_no_such_file_is_refused(world: World, text: str | bytes) -> None:
    answer = world.csv(text)
    assert (answer.status_code, answer.json["code"]) == (422, "csv_invalid")


def test_a_closed_incident_takes_no_sightings(world: World) -> None:
    world.api.patch(f"/api/v1/incidents/{world.ref}", {"closed": True})
    assert (world.window(0, 1).status_code, world.window(0, 1).json["code"]) == (409, "incident_closed")


def test_others_find_no_such_incident(world: World, now: dt.datetime) -> None:
    with transaction() as session:
        other = create_workspace(session, name="other", now=now, actor="operator")
        token = create_token(session, workspace_id=other.id, now=now, actor="operator")[1]
    world.api.headers = {"Authorization": f"Bearer {token}"}
    assert world.window(0, 1).status_code == 404
    for name in ("sightings", "windows", "outcome"):
        assert world.api.get(f"/api/v1/incidents/{world.ref}/{name}").status_code == 404


def test_what_bears_red_leaves_no_time_of_detection_in_the_ledger(world: World) -> None:
    world.api.patch(f"/api/v1/incidents/{world.ref}", {"tlp": "TLP:RED"})
    world.window(0, 48, (DEVICES[0], 1))
    db.session.remove()
    kept = next(it for it in ledger.events_of_incident(world.ref) if it.type == "sightings.recorded")
    assert not {"from", "to", "digest"} & {*kept.payload, *kept.sealed}
    (observed,) = (
        it
        for it in ledger.events_of_notification(world.notification)
        if it.type == "outcome.remediation_observed"
    )
    assert "last_seen" not in observed.payload


def test_one_notification_is_measured_by_its_own_assets_alone(world: World, lab: Workspace) -> None:
    world.told("isp", (DEVICES[0],))
    assert world.window(0, 40, (DEVICES[0], 1), (DEVICES[1], 39)).status_code == 201
    incident = incidents.incident(world.ref, workspace_id=lab.id)
    whole = outcome(incident)
    alone = [outcome_of_one(incident, each) for each in of_incidents([incident.id])]
    assert [len(each.measured.ids) for each in alone] == [2, 1]
    assert alone[0].became | alone[1].became == whole.became
    assert sorted(whole.became.values()) == ["none", "observed"]


def test_answers_and_sightings_stand_side_by_side_by_api_and_command(
    world: World, api: Api, now: dt.datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    assert world.window(0, 24, (DEVICES[0], 1), (BASELINE[0], 2)).status_code == 201
    fact = {"type": "ack.given", "occurred_at": world.at(30), "payload": {"note": "we look"}}
    assert api.post(f"/api/v1/notifications/{world.notification}/events", fact).status_code == 201
    assert world.window(24, 48).status_code == 201
    path = f"/api/v1/incidents/{world.ref}/timeline"
    whole = api.get(path).get_json()["items"]
    assert [it["at"] for it in whole] == sorted(it["at"] for it in whole)
    runs = [it["measured"] for it in whole if it["measured"]]
    assert [(it["seen"], it["of"], it["controls_seen"], it["controls"]) for it in runs] == [
        (1, 2, 1, 2),
        (0, 2, 0, 2),
    ]
    answer = next(it["event"] for it in whole if it["event"] and it["event"]["type"] == "ack.given")
    assert answer["notification"] == {
        "ref": world.notification,
        "team": {"slug": "cert-at", "name": "CERT.at"},
    }
    paged, cursor = [], {}
    while True:
        part = api.get(path, limit=2, **cursor).get_json()
        paged += part["items"]
        if part["next"] is None:
            break
        cursor = {"cursor": part["next"]}
    assert paged == whole
    assert api.get(path, cursor="nonsense").get_json()["code"] == "cursor_unknown"
    assert cli.run(["incident", "show", world.ref, "--workspace", "lab", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["title"], shown["timeline"]) == ("Sinkhole hits", whole)
    assert cli.run(["incident", "show", world.ref, "--workspace", "lab"]) == 0
    assert "we look" in (said := capsys.readouterr().out) and "1 of 2 told seen, 1 of 2 controls" in said
    with transaction() as session:
        rivals = create_workspace(session, name="rivals", now=now, actor="operator")
        text = create_token(session, workspace_id=rivals.id, now=now, actor="operator")[1]
    assert Api(api.client.application, text).get(path).status_code == 404
