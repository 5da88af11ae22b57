"""Bringing sightings: the window is kept, and what it settles becomes events of the notifications."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core import tlp
from pocdir.incidents.models import Incident
from pocdir.incidents.rules.quiet import QUIET_AFTER, Ints, turns
from pocdir.incidents.rules.sightings import Read, Window
from pocdir.incidents.sightings.actions import record_sightings
from pocdir.incidents.sightings.queries import Measured, measured
from pocdir.ledger.actions import append
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.actions.projection import project
from pocdir.outreach.models import Notification
from pocdir.outreach.outcome.queries import assets_of
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.snapshots import of_incidents
from pocdir.outreach.rules.corrections import SIGHTINGS_DIFFER
from pocdir.outreach.rules.measured import SCOPE, Due, called_for, key_of, settle


def bring_sightings(
    session: Session, incident: Incident, window: Window, found: Read, *, now: dt.datetime, actor: str
) -> str:
    """Keep a measuring window and record what it settles; returns its reference. The same again changes nothing.

    Raises as `record_sightings`.
    """
    ref, is_new = record_sightings(session, incident, window, found, now=now, actor=actor)
    if is_new:
        settle_outcomes(session, incident, now=now, actor=actor)
    return ref


def settle_outcomes(session: Session, incident: Incident, *, now: dt.datetime, actor: str) -> int:
    """Bring the outcome events of an incident's notifications in line with all its sightings; returns how many."""
    told = of_incidents([incident.id])
    if not told:
        return 0
    queries.lock_threads([each.row.ref for each in told], session)
    found = measured(incident, session)
    places, written = found.places, 0
    for each in told:
        mine, is_whole = assets_of(each.row.assets, places, found)
        if each.row.withdrawn_at is not None or not is_whole:
            continue
        due = _called_for(found, incident, each.row.sent_at, mine)
        notification = queries.notification_to_change(each.row.ref, session, is_locked=True)
        if notification is not None:
            written += _settle(session, notification, due, now=now, actor=actor)
    return written


def _called_for(found: Measured, incident: Incident, sent_at: dt.datetime, mine: Ints) -> list[Due]:
    """Silence counts from the sending on: what was quiet before was no answer to it."""
    start = math.ceil(sent_at.timestamp())
    quiets = found.silences.quiets(found.quiet_after, of=mine, start=start)
    methods = {it.method for it in found.windows}
    return called_for(
        turns(quiets, len(mine), start),
        assets=len(mine),
        method=methods.pop() if len(methods) == 1 else None,
        quiet_after=incident.quiet_after or QUIET_AFTER,
        is_red=incident.tlp == tlp.RED,
    )


def _settle(
    session: Session, notification: Notification, due: list[Due], *, now: dt.datetime, actor: str
) -> int:
    events = events_of_notification(notification.ref, session)
    fresh, gone = settle(events, due)
    if not fresh and not gone:
        return 0
    about: dict[str, Any] = {
        "now": now, "actor": actor, "claimed_by": "sender", "assurance": "S",
        **queries.about(notification, session),
    }  # fmt: skip
    written: list[Event | None] = [
        append(session, type="event.corrected", payload={"event": event.id, "why": SIGHTINGS_DIFFER}, **about)
        for event in gone
    ]
    for each in fresh:
        written.append(
            append(
                session,
                type=each.type,
                occurred_at=each.at,
                payload=each.payload,
                scope=SCOPE,
                idempotency_key=key_of(notification.ref, each, events),
                **about,
            )
        )
    project(session, notification, [*events, *(event for event in written if event is not None)])
    return len(written)
