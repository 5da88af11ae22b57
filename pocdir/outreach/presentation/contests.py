"""The right of reply: what recipients set against notifications, shown beside them wherever they are named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from pocdir.ledger.queries import events_of_notifications
from pocdir.ledger.rules.events import Event
from pocdir.outreach.presentation.timeline import shown_event
from pocdir.outreach.queries.snapshots import Snapshot
from pocdir.outreach.rules import corrections

Contested = Mapping[str, list[dict[str, Any]]]
_CONTESTS = "response.contested"


def contest_events(refs: Sequence[str], session: Session | None = None) -> dict[str, list[Event]]:
    """By notification the events by which its recipient contests it and has not taken that back, oldest first."""
    found = events_of_notifications(refs, session, types=(_CONTESTS, "event.corrected"))
    counting = {ref: corrections.counting(events) for ref, events in found.items()}
    return {ref: [each for each in events if each.type == _CONTESTS] for ref, events in counting.items()}


def contested_of(
    found: Sequence[Snapshot], session: Session | None = None, *, as_contact: bool = False
) -> Contested:
    """The same as API and pages show it, {note (None: erased), occurred_at}, of those that somebody contests.

    A contact of the notified team does not read the words that the sender wrote down of it.
    """
    # Whoever contests has answered: of the others nobody looks it up.
    answered = [each.row.ref for each in found if each.row.response not in ("awaiting", "receipt")]
    events = contest_events(answered, session) if answered else {}
    return {ref: [_words(each, as_contact) for each in its] for ref, its in events.items() if its}


def _words(event: Event, as_contact: bool) -> dict[str, dt.datetime | str | None]:
    note = shown_event(event, as_contact=as_contact)["payload"].get("note")
    return {"note": note, "occurred_at": event.occurred_at}
