"""Telling a team, over the API."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.queries import event_count
from pocdir.outreach.jobs import record_lapses
from pocdir.site.queries.ledger import verified
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


def test_only_the_team_is_needed(api: Api, now: dt.datetime) -> None:
    response = api.post("/api/v1/notifications", {"team": "cert-at"})
    assert response.status_code == 201
    answer = response.get_json()
    assert response.headers["Location"] == f"/api/v1/notifications/{answer['ref']}"
    assert answer["channel"] == {"kind": "email", "value": "reports@cert.example"}
    assert answer["sent_at"] == isoformat(now)
    assert answer["due"] == isoformat(now + 2 * DAY)
    assert answer["sent_level"] == "P0"
    assert answer["tlp"] == "TLP:AMBER"
    assert answer["state"] == {
        "transport": "logged",
        "response": "awaiting",
        "outcome": "unknown",
        "clock": "running",
    }
    assert answer["recipient_page"].startswith("http://localhost:8000/r/")
    assert api.get(response.headers["Location"]).get_json() == answer


def test_what_is_for_information_has_no_clock(api: Api) -> None:
    answer = logged(api, answer_asked=False)
    assert answer["due"] is None
    assert answer["state"]["clock"] == "none"


def test_the_same_key_gives_the_same_answer(api: Api) -> None:
    first = api.post("/api/v1/notifications", {"team": "cert-at"}, **{"Idempotency-Key": "a"})
    again = api.post("/api/v1/notifications", {"team": "cert-at"}, **{"Idempotency-Key": "a"})
    other = api.post("/api/v1/notifications", {"team": "isp"}, **{"Idempotency-Key": "a"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_mismatch")
    assert len(api.get("/api/v1/notifications").get_json()["items"]) == 1


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({}, 422, "invalid"),
        ({"team": "nobody"}, 404, "team_unknown"),
        ({"team": "mute"}, 422, "no_channel"),
        ({"team": "cert-at", "typo": 1}, 422, "invalid"),
        ({"team": "cert-at", "sent_at": "2026-11-22T12:06:00Z"}, 422, "sent_in_future"),
        ({"team": "cert-at", "sent_at": "yesterday"}, 422, "invalid"),
        ({"team": "cert-at", "expect": [{"of": "acknowledgement", "within": "P1M"}]}, 422, "invalid"),
        ({"team": "cert-at", "incident": "0192f3a4-0000-7000-8000-000000000001"}, 404, "incident_unknown"),
        ({"team": "cert-at", "subject": "a\u0000b"}, 422, "invalid"),
        ({"team": "cert-at", "tlp": "TLP:PINK"}, 422, "invalid"),
        ({"team": "cert-at", "send": True}, 422, "send_unavailable"),
    ],
)
def test_what_cannot_be_logged_is_refused_and_leaves_nothing(
    api: Api, given: dict[str, Any], status: int, code: str
) -> None:
    before = event_count()
    response = api.post("/api/v1/notifications", given)
    assert (response.status_code, response.get_json()["code"]) == (status, code)
    assert response.content_type == "application/problem+json"
    db.session.rollback()
    assert event_count() == before


def test_a_foreign_notification_is_as_unknown_as_a_missing_one(
    api: Api, app: Flask, now: dt.datetime
) -> None:
    ref = logged(api)["ref"]
    with transaction() as session:
        other = create_workspace(session, name="other", now=now, actor="operator")
        token = create_token(session, workspace_id=other.id, now=now, actor="operator")[1]
    outsider = Api(app, token)
    missing = outsider.get("/api/v1/notifications/0192f3a4-0000-7000-8000-000000000001")
    for path in ("", "/events", "/letter"):
        foreign = outsider.get(f"/api/v1/notifications/{ref}{path}")
        assert (foreign.status_code, foreign.get_json()) == (404, missing.get_json())
    posted = outsider.post(f"/api/v1/notifications/{ref}/events", {"type": "ack.given"})
    assert posted.status_code == 404
    assert outsider.get("/api/v1/notifications").get_json()["items"] == []


def test_without_a_token_nothing_is_told(app: Flask) -> None:
    for path in ("/api/v1/notifications", "/api/v1/unanswered", "/api/v1/latency", "/api/v1/incidents"):
        response = Api(app, None).get(path)
        assert (response.status_code, response.get_json()["code"]) == (401, "unauthenticated")


def test_no_answer_is_recorded_when_it_fell_due_once_also_after_an_outage(api: Api, _world: Any) -> None:
    ref = logged(api)["ref"]
    start = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
    assert record_lapses(start + 2 * DAY - dt.timedelta(seconds=1)) == 0
    assert api.get("/api/v1/unanswered").get_json()["items"] == []
    _world.move_to(start + 9 * DAY)
    assert record_lapses(start + 9 * DAY) == 1
    assert record_lapses(start + 9 * DAY) == 0
    (item,) = api.get("/api/v1/unanswered").get_json()["items"]
    assert (item["ref"], item["state"]["clock"]) == (ref, "lapsed")
    assert item["due"] == isoformat(start + 2 * DAY)
    events = api.get(f"/api/v1/notifications/{ref}/events").get_json()["items"]
    (lapse,) = [event for event in events if event["type"] == "expectation.lapsed"]
    assert lapse["occurred_at"] == isoformat(start + 2 * DAY)
    assert lapse["recorded_at"] == isoformat(start + 9 * DAY)
    assert lapse["claimed_by"] == "clock"
    assert lapse["payload"]["sent_level"] == "P0"


def test_unanswered_is_narrowed_by_age_and_team(api: Api, _world: Any, now: dt.datetime) -> None:
    logged(api)
    logged(api, team="isp")
    _world.move_to(now + 9 * DAY)
    record_lapses(now + 9 * DAY)
    assert len(api.get("/api/v1/unanswered").get_json()["items"]) == 2
    assert [it["team"] for it in api.get("/api/v1/unanswered", team="isp").get_json()["items"]] == ["isp"]
    assert api.get("/api/v1/unanswered", older_than="P10D").get_json()["items"] == []
    assert len(api.get("/api/v1/unanswered", older_than="P9D").get_json()["items"]) == 2
    assert api.get("/api/v1/unanswered", older_than="soon").status_code == 422


def test_a_label_below_the_incidents_is_refused_until_that_is_lowered(api: Api) -> None:
    incident = api.post("/api/v1/incidents", {"title": "VICTIM", "tlp": "TLP:RED"}).get_json()["ref"]
    told = {"team": "cert-at", "incident": incident, "tlp": "TLP:CLEAR"}
    refused = api.post("/api/v1/notifications", told)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "tlp_lowered")
    assert "TLP:RED" in refused.get_json()["errors"]["tlp"][0]
    assert logged(api, incident=incident)["tlp"] == "TLP:RED"
    assert api.patch(f"/api/v1/incidents/{incident}", {"tlp": "TLP:GREEN"}).status_code == 200
    ref = logged(api, incident=incident, tlp="TLP:AMBER")["ref"]
    assert "VICTIM" in api.get(f"/api/v1/notifications/{ref}/letter").text
    # Raised afterwards: the title stays out of what was logged under a lower label.
    assert api.patch(f"/api/v1/incidents/{incident}", {"tlp": "TLP:RED"}).status_code == 200
    assert "VICTIM" not in api.get(f"/api/v1/notifications/{ref}/letter").text


@pytest.mark.parametrize(
    ("given", "where"),
    [
        ({"channel": {"kind": "email", "value": "notamail"}}, "channel.value"),
        ({"channel": {"kind": "phone", "value": "call us"}}, "channel.value"),
        ({"channel": {"kind": "form", "value": "javascript:x"}}, "channel.value"),
        ({"answer_asked": "yes"}, "answer_asked"),
        ({"answer_asked": 1}, "answer_asked"),
        ({"send": "false"}, "send"),
    ],
)
def test_an_address_is_of_its_kind_and_yes_is_true(api: Api, given: dict[str, Any], where: str) -> None:
    refused = api.post("/api/v1/notifications", {"team": "cert-at"} | given)
    assert (refused.status_code, list(refused.get_json()["errors"])) == (422, [where])


def test_an_address_that_is_none_leaves_a_letter_to_copy(api: Api) -> None:
    ref = logged(api, channel={"kind": "other", "value": "Jo <jo at home>"})["ref"]
    letter = api.get(f"/api/v1/notifications/{ref}/letter")
    assert (letter.status_code, letter.get_json()["mailto"]) == (200, None)


@pytest.mark.parametrize("type", ["text/plain", "application/xml", "multipart/form-data", ""])
def test_a_body_that_is_no_json_is_refused_and_not_passed_over(api: Api, type: str) -> None:
    ref = api.post("/api/v1/incidents", {"title": "Case"}).json["ref"]
    headers = api.headers | {"Content-Type": type}
    for method, path in (("PATCH", f"/api/v1/incidents/{ref}"), ("POST", "/api/v1/notifications")):
        answer = api.client.open(path, method=method, data=b'{"closed": true}', headers=headers)
        assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media_type")


def test_a_name_that_stands_there_twice_is_refused(api: Api) -> None:
    headers = api.headers | {"Content-Type": "application/json"}
    body = b'{"team": "cert-at", "team": "isp"}'
    answer = api.client.post("/api/v1/notifications", data=body, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (422, "body_invalid")
    assert "team" in answer.json["detail"]


def test_the_letter_says_everything_and_ends_with_the_link(api: Api) -> None:
    answer = logged(api, subject="Sinkhole hits", assets=["203.0.113.70"])
    letter = api.get(f"/api/v1/notifications/{answer['ref']}/letter").get_json()
    assert letter["to"] == "reports@cert.example"
    assert "TLP:AMBER" in letter["subject"] and "Sinkhole" not in letter["subject"]
    assert answer["ref"] in letter["subject"]
    assert "203.0.113.70" in letter["body"]
    assert letter["body"].rstrip().endswith(answer["recipient_page"])
    assert letter["mailto"].startswith("mailto:reports@cert.example?subject=")


def test_pages_of_a_list_follow_one_another(api: Api) -> None:
    refs = [logged(api)["ref"] for _ in range(3)]
    first = api.get("/api/v1/notifications", limit=2).get_json()
    second = api.get("/api/v1/notifications", limit=2, cursor=first["next"]).get_json()
    assert [each["ref"] for each in first["items"] + second["items"]] == refs
    assert second["next"] is None
    assert api.get("/api/v1/notifications", cursor="x").status_code == 422


def test_a_digest_is_answered_as_it_was_sent_and_kept_keyed_in_the_ledger(api: Api) -> None:
    sent = "sha256:" + "0" * 64
    answer = api.post("/api/v1/notifications", {"team": "cert-at", "body_digest": sent})
    assert answer.status_code == 201, answer.text
    assert answer.json["body_digest"] == sent
    events = f"/api/v1/notifications/{answer.json['ref']}/events"
    given = {"via": "phone", "note": "Müller has it"}
    said = api.post(events, {"type": "ack.given", "evidence_digest": sent, "payload": given}).json
    read = next(each for each in api.get(events).json["items"] if each["id"] == said["id"])
    assert said == read
    assert said["evidence_digest"] == sent
    assert "evidence_digest" not in said["payload"]
    kept = db.session.execute(
        select(LedgerEvent.evidence_digest, LedgerEvent.inner).where(LedgerEvent.id == said["id"])
    ).one()
    assert re.fullmatch(r"hmac-sha256:[0-9a-f]{64}", kept.evidence_digest)
    assert sent.encode() not in kept.inner
    assert verified().faults == ()


@pytest.mark.parametrize("name", ["body_digest", "evidence_digest"])
@pytest.mark.parametrize(
    "text", ["zzz", "sha256:" + "0" * 63, "md5:" + "0" * 64, "0" * 65, "sha256:" + "g" * 64]
)
def test_what_is_no_digest_is_refused(api: Api, name: str, text: str) -> None:
    path, more = "/api/v1/notifications", {"team": "cert-at"}
    if name == "evidence_digest":
        path, more = f"{path}/{logged(api)['ref']}/events", {"type": "ack.given"}
    refused = api.post(path, {**more, name: text})
    assert (refused.status_code, list(refused.json["errors"])) == (422, [name])


def test_a_digest_may_be_its_digits_alone(api: Api) -> None:
    answer = api.post("/api/v1/notifications", {"team": "cert-at", "body_digest": "aB" * 32})
    assert (answer.status_code, answer.json["body_digest"]) == (201, "aB" * 32)


def test_the_unanswered_of_a_team_that_is_not_there_are_refused(api: Api) -> None:
    assert api.get("/api/v1/unanswered", team="cert-at").json["items"] == []
    refused = api.get("/api/v1/unanswered", team="nope")
    assert (refused.status_code, refused.json["code"]) == (404, "team_unknown")
