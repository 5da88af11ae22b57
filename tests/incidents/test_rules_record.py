"""What the ledger is told of an incident, and what it says of it."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from pocdir.core import tlp
from pocdir.incidents.rules import record
from pocdir.ledger.rules.admission import check_event
from pocdir.ledger.rules.events import Event
from pocdir.ledger.rules.vocabulary import INCIDENT_FIELDS

START = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
VALUES: dict[str, Any] = {
    "title": "Sinkhole hits", "description": "Devices call in.", "source_ref": "T-1", "tlp": tlp.AMBER,
    "rsit_class": "malicious-code", "rsit_type": "infected-system", "detected_from": START, "detected_to": None,
    "people_at_risk": False, "quiet_after": None,
}  # fmt: skip


def event(type_: str, at: dt.datetime, payload: dict[str, Any] | None = None, revision: int = 2) -> Event:
    plain, sealed = check_event(type_, {"revision": revision} | (payload or {}))
    return Event(
        str(uuid.uuid4()), type_, at, at, "sender", "user:a", incident="x", payload=plain, sealed=sealed
    )


def opened(**more: Any) -> Event:
    return event("incident.created", START, record.created(VALUES | more), 1)


def test_what_was_told_is_what_is_said():
    said = record.recorded([opened()])
    assert said == VALUES | {
        "detected_from": "2026-03-04T10:00:00Z", "created_at": START, "created_by": "user:a", "closed_at": None,
        "revision": 1,
    }  # fmt: skip


def test_every_field_has_its_word_in_the_vocabulary():
    assert set(record.FIELDS) == set(INCIDENT_FIELDS)


def test_a_change_says_which_fields_and_what_they_say_now():
    change = record.changed(VALUES, VALUES | {"title": "Other", "rsit_type": None})
    assert change == {"fields": ["title", "type"], "title": "Other", "type": None}
    said = record.recorded([opened(), event("incident.changed", START + DAY, change)])
    assert (said["title"], said["rsit_type"], said["rsit_class"]) == ("Other", None, "malicious-code")


def test_what_stays_as_it_is_makes_no_change():
    assert record.changed(VALUES, dict(VALUES)) is None


def test_a_label_that_is_lowered_says_from_what_to_what():
    change = record.changed(VALUES, VALUES | {"tlp": tlp.GREEN})
    assert change == {"fields": ["tlp"], "tlp_from": "TLP:AMBER", "tlp_to": "TLP:GREEN"}
    assert record.recorded([opened(), event("incident.changed", START + DAY, change)])["tlp"] == tlp.GREEN


def test_nothing_of_what_bears_red_is_told_but_the_label_and_the_flag():
    assert record.created(VALUES | {"tlp": tlp.RED}) == {"tlp": tlp.RED, "people_at_risk": False}
    change = record.changed(VALUES, VALUES | {"tlp": tlp.RED, "title": "Other", "rsit_class": "fraud"})
    assert change == {"fields": ["title", "tlp", "class"], "tlp_from": tlp.AMBER, "tlp_to": tlp.RED}


def test_of_what_was_kept_out_or_erased_nothing_is_said():
    red = record.recorded([opened(tlp=tlp.RED)])
    assert not {"title", "description", "rsit_class", "detected_from"} & set(red)
    later = record.changed(VALUES | {"tlp": tlp.RED}, VALUES | {"tlp": tlp.RED, "title": "Other"})
    assert "title" not in record.recorded([opened(), event("incident.changed", START + DAY, later)])
    emptied = record.changed(VALUES, VALUES | {"description": None})
    assert "description" not in record.recorded([opened(), event("incident.changed", START + DAY, emptied)])


def test_the_last_closing_holds_unless_it_was_opened_again():
    closed = event("incident.closed", START + DAY, revision=2)
    again = event("incident.reopened", START + 2 * DAY, revision=3)
    last = event("incident.closed", START + 3 * DAY, revision=4)
    for events, closed_at in (
        ([closed], START + DAY),
        ([closed, again], None),
        ([last, again, closed], START + 3 * DAY),
    ):
        assert record.recorded([opened(), *events])["closed_at"] == closed_at


def test_their_order_is_that_of_the_revisions_whatever_the_clock_did():
    closed, again = event("incident.closed", START, revision=2), event("incident.reopened", START, revision=3)
    for events in ([closed, again], [again, closed]):
        assert record.closing(events) == {"closed_at": None}
    earlier = event("incident.reopened", START - DAY, revision=3)
    assert record.closing([earlier, closed]) == {"closed_at": None}


def test_of_one_from_before_its_events_were_recorded_little_is_said():
    assert record.recorded([]) == {}
    again, closed = event("incident.reopened", START), event("incident.closed", START + DAY, revision=3)
    assert record.recorded([again]) == {"closed_at": None, "revision": 2}
    assert record.recorded([again, closed]) == {"closed_at": START + DAY, "revision": 3}
