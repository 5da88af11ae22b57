"""Keeping a thread in line: what is answered to a follow-up stands with what it follows, and the other way round."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from pocdir.ledger.actions import append
from pocdir.ledger.queries import events_of_notifications
from pocdir.ledger.rules.events import Event
from pocdir.outreach.actions.projection import project
from pocdir.outreach.models import Notification
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.rules.thread import ANSWERED, WHY, Word, settle, words

ABOUT = {"actor": "service", "claimed_by": "service"}


def keep_thread(session: Session, notification: Notification, *, now: dt.datetime) -> None:
    """Write down in each notification of the thread what was answered in the others, and what was taken back there."""
    thread = queries.thread_of(notification, session)
    if len(thread) == 1:
        return
    events = events_of_notifications([each.ref for each in thread], session)
    said = {each.ref: words(each.ref, events[each.ref]) for each in thread}
    for each in thread:
        if each.withdrawn_at is None:
            fresh, gone = settle(each.ref, each.sent_at, events[each.ref], said)
            written = _write(session, each, events[each.ref], fresh, gone, now)
            if written:
                project(session, each, [*events[each.ref], *written])


def _write(
    session: Session,
    notification: Notification,
    events: Sequence[Event],
    fresh: Sequence[Word],
    gone: Sequence[Event],
    now: dt.datetime,
) -> list[Event]:
    about: dict[str, Any] = ABOUT | {
        "now": now, "notification": notification.ref,
        "incident": notification.incident.ref if notification.incident else None,
        "team": queries.teams_by_id([notification.team_id], session)[notification.team_id].slug,
    }  # fmt: skip
    written = [
        append(
            session, type="event.corrected", payload={"event": event.id, "why": WHY}, assurance=event.assurance,
            **about,
        )
        for event in gone
    ]  # fmt: skip
    for word in fresh:
        times = sum(it.type == ANSWERED and it.payload["answer"] == word.mark.event for it in events)
        written.append(
            append(
                session, type=ANSWERED, occurred_at=word.mark.at, payload=word.payload,
                precision="bounded" if word.mark.is_bounded else "exact", assurance=word.mark.assurance,
                scope="thread", idempotency_key=f"{notification.ref}:{word.mark.event}:{times}", **about,
            )
        )  # fmt: skip
    return [event for event in written if event is not None]
