"""Facts about a notification by API: who may record what, what ends and what is taken back."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from flask import Flask

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.queries import team_id_of
from pocdir.core.times import isoformat
from pocdir.db import transaction
from pocdir.outreach.jobs import record_lapses
from tests.conftest import Api
from tests.outreach import made

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _world(app: Flask, now: dt.datetime) -> Any:
    with time_machine.travel(now, tick=False) as clock:
        made.teams(now)
        yield clock


def logged(api: Api, **more: Any) -> dict[str, Any]:
    response = api.post("/api/v1/notifications", {"team": "cert-at", **more})
    assert response.status_code == 201, response.text
    return response.get_json()


def test_the_sender_may_state_an_acknowledgement(api: Api) -> None:
    ref = logged(api)["ref"]
    response = api.post(
        f"/api/v1/notifications/{ref}/events",
        {"type": "ack.given", "occurred_at": "2026-11-22T12:00:30Z", "payload": {"ticket": "#1"}},
    )
    assert response.status_code == 201, response.text
    event = response.get_json()
    assert (event["claimed_by"], event["assurance"], event["log_index"]) == ("sender", "S", None)
    assert event["payload"]["ticket"] == "#1"
    answer = api.get(f"/api/v1/notifications/{ref}").get_json()
    assert answer["state"]["response"] == "acknowledged"
    assert answer["state"]["clock"] == "stopped"
    assert answer["due"] is None


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"type": "nonsense"}, 422, "event_unknown"),
        ({"type": "expectation.lapsed"}, 403, "event_not_yours"),
        ({"type": "message.submitted"}, 403, "event_not_yours"),
        ({"type": "escalation.exhausted"}, 403, "event_not_yours"),
        ({"type": "ack.given", "occurred_at": "2026-11-22T11:59:59Z"}, 422, "event_before_sending"),
        ({"type": "ack.given", "occurred_at": "2026-11-22T12:05:01Z"}, 422, "event_in_future"),
        ({"type": "ack.given", "payload": {"nonsense": 1}}, 422, "payload_invalid"),
        ({"type": "ack.given", "payload": []}, 422, "invalid"),
        ({"type": "ack.given", "payload": {"note": "in order \u202egnihton"}}, 422, "invalid"),
        ({"type": "event.corrected", "payload": {"event": "x", "why": "it \u2066is"}}, 422, "invalid"),
    ],
)
def test_what_is_no_fact_is_refused_and_leaves_nothing(
    api: Api, given: dict[str, Any], status: int, code: str
) -> None:
    ref = logged(api)["ref"]
    response = api.post(f"/api/v1/notifications/{ref}/events", given)
    assert (response.status_code, response.get_json()["code"]) == (status, code)
    assert len(api.get(f"/api/v1/notifications/{ref}/events").get_json()["items"]) == 2


def test_a_contact_of_the_notified_team_acknowledges_as_an_account(
    api: Api, app: Flask, now: dt.datetime
) -> None:
    ref, foreign = logged(api)["ref"], logged(api, team="isp")["ref"]
    with transaction() as session:
        team = team_id_of(session, "cert-at")
        token = create_token(session, workspace_id=None, team_id=team, now=now, actor="operator")[1]
    contact = Api(app, token)
    response = contact.post(f"/api/v1/notifications/{ref}/events", {"type": "ack.given"})
    assert response.status_code == 201, response.text
    assert (response.get_json()["claimed_by"], response.get_json()["assurance"]) == ("recipient", "A5")
    assert api.get(f"/api/v1/notifications/{ref}").get_json()["sent_level"] == "P4"
    refused = contact.post(f"/api/v1/notifications/{ref}/events", {"type": "delivery.failed"})
    assert (refused.status_code, refused.get_json()["code"]) == (403, "event_not_yours")
    assert contact.get(f"/api/v1/notifications/{foreign}").status_code == 404


def test_a_token_of_both_speaks_for_the_team_only_where_the_team_was_told(
    api: Api, app: Flask, lab: Any, now: dt.datetime
) -> None:
    with transaction() as session:
        other = create_workspace(session, name="other", now=now, actor="operator")
        team = team_id_of(session, "cert-at")
        both = create_token(session, workspace_id=other.id, team_id=team, now=now, actor="operator")[1]
    desk = Api(app, both)
    to_team, to_isp = logged(api)["ref"], logged(api, team="isp")["ref"]
    own = logged(desk, team="isp")["ref"]
    own_to_team = logged(desk)["ref"]
    assert desk.get(f"/api/v1/notifications/{to_isp}").status_code == 404
    for ref, claim in (
        (to_team, ("recipient", "A5")),
        (own, ("sender", "S")),
        (own_to_team, ("sender", "S")),
    ):
        event = desk.post(f"/api/v1/notifications/{ref}/events", {"type": "ack.given"}).get_json()
        assert (event["claimed_by"], event["assurance"]) == claim


def test_a_contact_does_not_read_what_the_sender_noted(api: Api, app: Flask, now: dt.datetime) -> None:
    ref = logged(api)["ref"]
    api.post(f"/api/v1/notifications/{ref}/events", {"type": "ack.given", "payload": {"note": "told by Eve"}})
    with transaction() as session:
        team = team_id_of(session, "cert-at")
        token = create_token(session, workspace_id=None, team_id=team, now=now, actor="operator")[1]
    events = Api(app, token).get(f"/api/v1/notifications/{ref}/events")
    assert events.status_code == 200
    assert "told by Eve" not in events.text
    assert "told by Eve" in api.get(f"/api/v1/notifications/{ref}/events").text


def test_only_an_expectation_that_was_set_is_changed(api: Api) -> None:
    ref, other = logged(api)["ref"], logged(api)["ref"]
    events = api.get(f"/api/v1/notifications/{other}/events").get_json()["items"]
    foreign = next(each["id"] for each in events if each["type"] == "expectation.set")
    posted = {"type": "expectation.changed", "payload": {"expectation": foreign, "state": "met"}}
    answer = api.post(f"/api/v1/notifications/{ref}/events", posted)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "event_not_found")
    assert api.post(f"/api/v1/notifications/{other}/events", posted).status_code == 201


def test_a_mistake_is_withdrawn_and_counts_no_longer(api: Api, now: dt.datetime) -> None:
    ref = logged(api)["ref"]
    api.post(f"/api/v1/notifications/{ref}/events", {"type": "notification.withdrawn"})
    answer = api.get(f"/api/v1/notifications/{ref}").get_json()
    assert (answer["withdrawn_at"], answer["recipient_page"]) == (isoformat(now), None)
    assert record_lapses(now + 9 * DAY) == 0


def test_what_was_withdrawn_asks_nobody_for_a_word(api: Api, app: Flask, now: dt.datetime) -> None:
    ref = logged(api)["ref"]
    path = f"/api/v1/notifications/{ref}/events"
    with transaction() as session:
        team = team_id_of(session, "cert-at")
        token = create_token(session, workspace_id=None, team_id=team, now=now, actor="operator")[1]
    assert api.post(path, {"type": "notification.withdrawn"}).status_code == 201
    again = api.post(path, {"type": "notification.withdrawn"})
    assert (again.status_code, again.json["code"]) == (422, "event_final")
    refused = Api(app, token).post(path, {"type": "ack.given"})
    assert (refused.status_code, refused.json["code"]) == (410, "withdrawn")
    assert api.post(path, {"type": "delivery.failed"}).status_code == 201


def test_what_never_began_does_not_end(api: Api) -> None:
    ref = logged(api, sent_at="2026-11-22T10:00:00Z")["ref"]
    path = f"/api/v1/notifications/{ref}/events"
    minutes = iter(range(60))

    def codes(*types: str) -> list[str]:
        facts = ({"type": each, "occurred_at": f"2026-11-22T11:{next(minutes):02}:00Z"} for each in types)
        return [api.post(path, fact).get_json().get("code", "") for fact in facts]

    before = len(api.get(path).get_json()["items"])
    assert codes("expectation.resumed", "ack.retracted", "outcome.relapsed") == [
        "clock_not_paused",
        "event_not_found",
        "nothing_remedied",
    ]
    assert len(api.get(path).get_json()["items"]) == before
    paused = codes("expectation.paused", "expectation.paused", "expectation.resumed", "expectation.resumed")
    assert paused == ["", "clock_not_running", "", "clock_not_paused"]
    assert codes("ack.given", "ack.retracted", "ack.retracted") == ["", "", "event_not_found"]
    assert codes("outcome.remediation_observed", "outcome.relapsed") == ["", ""]


def test_a_corrected_event_counts_no_longer_and_stays_in_the_record(api: Api) -> None:
    ref = logged(api)["ref"]
    path = f"/api/v1/notifications/{ref}/events"
    event = api.post(path, {"type": "ack.given"}).get_json()["id"]
    correction = {"type": "event.corrected", "payload": {"event": event, "why": "another ticket"}}
    assert api.post(path, correction).status_code == 201
    assert api.get(f"/api/v1/notifications/{ref}").get_json()["state"]["response"] == "awaiting"
    assert event in [each["id"] for each in api.get(path).get_json()["items"]]
    again = api.post(path, correction)
    assert (again.status_code, again.get_json()["code"]) == (422, "event_final")
    assert len([each for each in api.get(path).get_json()["items"] if each["type"] == "event.corrected"]) == 1
    assert api.post(path, {"type": "ack.given"}).status_code == 201
