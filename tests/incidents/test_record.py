"""An incident is recorded by its events: opened, changed, closed, reopened; and no stale form overwrites it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.incidents.rules.record import in_order
from pocdir.ledger import queries as ledger
from pocdir.ledger.rules.events import Event
from pocdir.site.queries.ledger import verified
from tests.accounts import made as people
from tests.conftest import Api
from tests.outreach.browsing import send
from tests.site.made import tamper

BODY = {"title": "Sinkhole hits", "description": "Devices call in.", "class": "malicious-code"}


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Iterator[Any]:
    with time_machine.travel(now, tick=False) as moved:
        yield moved


def opened(api: Api, **more: Any) -> str:
    answer = api.post("/api/v1/incidents", BODY | more)
    assert answer.status_code == 201, answer.text
    return str(answer.json["ref"])


def changed(api: Api, ref: str, **given: Any) -> None:
    answer = api.patch(f"/api/v1/incidents/{ref}", given)
    assert answer.status_code == 200, answer.text


def events(ref: str) -> list[Event]:
    db.session.rollback()
    return in_order(ledger.events_of_incident(ref))


def types(ref: str) -> set[str]:
    return {event.type for event in events(ref)}


def test_opening_one_is_an_event_with_its_words_sealed(api: Api, now: dt.datetime) -> None:
    (event,) = events(opened(api))
    assert (event.type, event.claimed_by, event.assurance) == ("incident.created", "sender", "S")
    assert (event.occurred_at, event.actor.split(":")[0]) == (now, "token")
    assert event.payload == {
        "revision": 1,
        "tlp": "TLP:AMBER",
        "class": "malicious-code",
        "people_at_risk": False,
    }
    assert event.sealed == {"title": "Sinkhole hits", "description": "Devices call in."}
    (brought,) = events(opened(api, opened_at="2026-03-02T08:00:00Z"))
    assert (brought.occurred_at.month, brought.recorded_at) == (3, now)
    tomorrow = BODY | {"opened_at": (now + dt.timedelta(days=1)).isoformat()}
    assert api.post("/api/v1/incidents", tomorrow).json["code"] == "event_in_future"


def test_each_change_is_an_event_and_the_record_verifies(api: Api, clock: Any) -> None:
    ref = opened(api)
    changed(api, ref, title="Other", closed=True)
    assert types(ref) == {"incident.created", "incident.changed", "incident.closed"}
    changed(api, ref, closed=False, tlp="TLP:CLEAR")
    assert types(ref) == {"incident.created", "incident.changed", "incident.closed", "incident.reopened"}
    labels = [event.payload for event in events(ref) if "tlp_to" in event.payload]
    assert labels == [{"revision": 3, "fields": ["tlp"], "tlp_from": "TLP:AMBER", "tlp_to": "TLP:CLEAR"}]
    assert api.get(f"/api/v1/incidents/{ref}").json["closed_at"] is None
    assert verified().faults == ()


def test_what_stays_as_it_is_makes_no_event_and_no_revision(api: Api) -> None:
    ref = opened(api)
    before = api.get(f"/api/v1/incidents/{ref}").headers["ETag"]
    changed(api, ref, title="Sinkhole hits", closed=False)
    assert api.get(f"/api/v1/incidents/{ref}").headers["ETag"] == before
    assert types(ref) == {"incident.created"}


def test_nothing_of_what_bears_red_stands_in_the_ledger(api: Api) -> None:
    ref = opened(api, tlp="TLP:RED", source_ref="T-77", detected_from="2026-11-02T14:05:00Z")
    changed(api, ref, title="Hospital")
    kept = [(event.payload, event.sealed) for event in events(ref)]
    assert kept == [
        ({"revision": 1, "tlp": "TLP:RED", "people_at_risk": False}, {}),
        ({"revision": 2, "fields": ["title"]}, {}),
    ]
    stored = b"".join(row.inner for row in ledger.stored())
    assert not [word for word in (b"Sinkhole", b"Hospital", b"T-77", b"2026-11-02") if word in stored]
    assert verified().faults == ()


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE incidents SET closed_at = created_at", "in closed_at"),
        ("UPDATE incidents SET closed_at = NULL", "in closed_at"),
        ("UPDATE events SET payload = '{}' WHERE type LIKE 'incident.%'", "in payload"),
        ("UPDATE incidents SET tlp = 'TLP:CLEAR'", "in tlp"),
        ("UPDATE incidents SET title = 'Other'", "in title"),
        ("UPDATE incidents SET people_at_risk = (1 = 1)", "in people_at_risk"),
        ("UPDATE incidents SET revision = 9", "in revision"),
        ("UPDATE incidents SET created_by = 'user:x'", "in created_by"),
        ("UPDATE incidents SET ref = '01a20320-a200-7483-b013-623bfe774ba2'", "its row is gone"),
    ],
)
def test_a_row_that_was_edited_is_found(api: Api, clock: Any, statement: str, found: str) -> None:
    ref = opened(api)
    clock.shift(60)
    changed(api, ref, closed=True)
    assert verified().faults == ()
    tamper(statement)
    assert found in "\n".join(verified().faults)


def test_one_from_before_its_events_were_recorded_verifies_and_goes_on(api: Api, clock: Any) -> None:
    ref = opened(api)
    with transaction() as session:
        session.execute(text("UPDATE incidents SET closed_at = created_at"))
    tamper("DELETE FROM event_values")
    tamper("DELETE FROM events")
    assert verified().faults == ()
    clock.shift(60)
    changed(api, ref, closed=False, tlp="TLP:GREEN")
    clock.shift(60)
    changed(api, ref, closed=True)
    assert api.get(f"/api/v1/incidents/{ref}").json["closed_at"] == "2026-11-22T12:02:00Z"
    assert verified().faults == ()


# Pages


@pytest.fixture
def browser(app: Flask, lab: Workspace, now: dt.datetime) -> FlaskClient:
    return people.browser(app, people.person(now=now, workspace="lab"), now=now)


def boxes(page: str) -> dict[str, str]:
    found = dict(re.findall(r'<input[^>]* name="([a-z_]+)" value="([^"]*)"', page))
    found |= {
        name: value for value, name in re.findall(r'<input[^>]* value="([^"]*)"[^>]* name="([a-z_]+)"', page)
    }
    found.pop("people_at_risk", None)
    return found | {"tlp": "TLP:AMBER"}


def edited(browser: FlaskClient, ref: str, **typed: str) -> Any:
    path = f"/incidents/{ref}/edit"
    return browser.post(path, data=boxes(browser.get(path).text) | typed)


def test_the_form_changes_what_was_changed_in_it_alone(browser: FlaskClient, api: Api) -> None:
    ref = opened(api, detected_from="2026-11-02T14:05:33Z", description=None, **{"class": None})
    assert edited(browser, ref, title="Other").status_code == 302
    (change,) = (event for event in events(ref) if event.type == "incident.changed")
    assert change.payload["fields"] == ["title"]
    assert api.get(f"/api/v1/incidents/{ref}").json["detected_from"] == "2026-11-02T14:05:33Z"


def test_a_form_that_has_grown_stale_overwrites_nothing_and_shows_what_stands(
    browser: FlaskClient, api: Api
) -> None:
    ref = opened(api)
    path = f"/incidents/{ref}/edit"
    stale = boxes(browser.get(path).text) | {"title": "Mine"}
    changed(api, ref, title="Theirs")
    answer = browser.post(path, data=stale)
    assert answer.status_code == 409
    assert 'value="Theirs"' in answer.text
    assert "Mine" in answer.text
    assert api.get(f"/api/v1/incidents/{ref}").json["title"] == "Theirs"
    again = browser.post(path, data=boxes(answer.text) | {"title": "Mine"})
    assert again.status_code == 302
    assert api.get(f"/api/v1/incidents/{ref}").json["title"] == "Mine"


def test_a_form_without_a_revision_is_stale(browser: FlaskClient, api: Api) -> None:
    ref = opened(api)
    typed = boxes(browser.get(f"/incidents/{ref}/edit").text)
    del typed["revision"]
    assert browser.post(f"/incidents/{ref}/edit", data=typed).status_code == 409


def test_the_button_pressed_twice_opens_one_incident(browser: FlaskClient, api: Api) -> None:
    typed = boxes(browser.get("/incidents/new").text) | {"title": "Sinkhole", "assets": "203.0.113.70"}
    first, again = (browser.post("/incidents/new", data=typed) for _ in range(2))
    assert (first.status_code, first.location) == (302, again.location)
    other = browser.post("/incidents/new", data=typed | {"title": "Another"})
    assert other.location != first.location
    titles = [each["title"] for each in api.get("/api/v1/incidents").json["items"]]
    assert titles == ["Sinkhole", "Another"]


def test_the_page_tells_what_happened(browser: FlaskClient, api: Api, clock: Any) -> None:
    ref = opened(api)
    for given in ({"closed": True}, {"closed": False}, {"tlp": "TLP:GREEN"}):
        clock.shift(60)
        changed(api, ref, **given)
    page = browser.get(f"/incidents/{ref}").text
    for said in ("Incident opened", "Incident closed", "Incident opened again", "TLP:AMBER → TLP:GREEN"):
        assert said in page


def test_all_wrong_assets_are_named_at_once_by_page_and_api(browser: FlaskClient, api: Api) -> None:
    ref = opened(api)
    items = [{"kind": "ip", "value": value} for value in ("203.0.113.7", "300.1.1.1", "www.example.org")]
    refused = api.post(f"/api/v1/incidents/{ref}/assets", {"items": items})
    assert (refused.status_code, refused.json["code"]) == (422, "asset_invalid")
    assert list(refused.json["errors"]) == ["items.1.value", "items.2.value"]
    page = send(browser, "/incidents/new", title="Hits", assets="300.1.1.1\n203.0.113.7\nnot one").text
    assert "Line 1: " in page and "line 3: " in page
    page = send(browser, "/notify", team="x", assets="300.1.1.1\n203.0.113.7\nnot one").text
    assert "Line 1: " in page and "line 3: " in page
