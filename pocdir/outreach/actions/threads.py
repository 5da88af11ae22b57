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
from pocdir.outreach.rules.corrections import UNDONE_IN_THREAD
from pocdir.outreach.rules.thread import ANSWERED, Word, settle, words

MOST = 50  # follow-ups of one thread
BY_SERVICE = {"actor": "service", "claimed_by": "service"}


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
    return len(queries.numbers_of_thread(notification.id, session)) > MOST


def keep_threads(session: Session, changed: Iterable[int], *, now: dt.datetime) -> None:
    """Bring the threads of these notifications in line, by row, each thread once."""
    done: set[int] = set()
    for notification in changed:
        if notification not in done:
            done.update(keep_thread(session, notification, now=now))


def keep_thread(session: Session, notification: int, *, now: dt.datetime) -> list[int]:
    """Write down in each notification of the thread what was answered in the others, and what was taken back there.

    `notification` is the row of any of them. Returns those of all.
    """
    numbers = queries.numbers_of_thread(notification, session)
    if len(numbers) == 1:
        return numbers
    thread = queries.members_of_thread(numbers, session)
    events = events_of_notifications([each.ref for each in thread], session)
    said = {each.ref: words(each.ref, events[each.ref]) for each in thread}
    for each in thread:
        if each.withdrawn_at is None:
            fresh, gone = settle(each.ref, each.sent_at, events[each.ref], said)
            written = _write(session, each, events[each.ref], fresh, gone, now)
            if written:
                project(session, each, [*events[each.ref], *written])
    return numbers


def _write(
    session: Session,
    notification: Notification,
    events: Sequence[Event],
    fresh: Sequence[Word],
    gone: Sequence[Event],
    now: dt.datetime,
) -> list[Event]:
    about: dict[str, Any] = BY_SERVICE | {"now": now, **queries.about(notification, session)}
    written = [
        append(
            session, type="event.corrected", payload={"event": event.id, "why": UNDONE_IN_THREAD},
            assurance=event.assurance, **about,
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
