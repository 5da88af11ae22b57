"""Keeping a thread in line: what is answered to a follow-up stands with what it follows, and the other way round."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid
from pocdir.ledger.actions import append
from pocdir.ledger.queries import events_of_notifications
from pocdir.ledger.rules.events import Event
from pocdir.outreach.actions.projection import project
from pocdir.outreach.models import Notification
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.rules.thread import ANSWERED, WHY, Word, settle, words

MOST = 50  # follow-ups of one thread
ABOUT = {"actor": "service", "claimed_by": "service"}


def check_room(session: Session, kind: str, parent: Notification | None) -> None:
    """Raises Invalid `thread_full`; the thread stays locked, so that two at once do not both find the last place."""
    if parent is None or kind != queries.FOLLOW_UP:
        return
    queries.thread_of(parent, session)
    if is_full(session, parent):
        message = (
            f"a report has at most {MOST} follow-ups, those of follow-ups too: write a report of its own"
        )
        raise Invalid("thread_full", message, where="parent")


def is_full(session: Session, notification: Notification) -> bool:
    """Whether its thread has all the follow-ups that one may have."""
    return len(queries.numbers_of_thread(notification, session)) > MOST


def keep_threads(session: Session, changed: Iterable[Notification], *, now: dt.datetime) -> None:
    """Bring the threads of these notifications in line, each thread once."""
    done: set[int] = set()
    for notification in changed:
        if notification.id not in done:
            done.update(keep_thread(session, notification, now=now))


def keep_thread(session: Session, notification: Notification, *, now: dt.datetime) -> list[int]:
    """Write down in each notification of the thread what was answered in the others, and what was taken back there.

    Returns the rows of the thread.
    """
    thread = queries.thread_of(notification, session)
    if len(thread) == 1:
        return [notification.id]
    events = events_of_notifications([each.ref for each in thread], session)
    said = {each.ref: words(each.ref, events[each.ref]) for each in thread}
    for each in thread:
        if each.withdrawn_at is None:
            fresh, gone = settle(each.ref, each.sent_at, events[each.ref], said)
            written = _write(session, each, events[each.ref], fresh, gone, now)
            if written:
                project(session, each, [*events[each.ref], *written])
    return [each.id for each in thread]


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
