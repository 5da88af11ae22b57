"""What the worker does for next steps: write down which fell due, each once, dated when it did."""

from __future__ import annotations

import datetime as dt

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from pocdir.db import db, transaction
from pocdir.outreach.escalation import bounces, by_itself, returned, worklist
from pocdir.outreach.escalation.actions import policies, steps
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import lock_threads, notification_to_change
from pocdir.routing.queries import index
from pocdir.routing.rules.index import Index

BATCH = 100
AGAIN = dt.timedelta(hours=1)
_log = structlog.get_logger("pocdir.outreach")


def record_steps(now: dt.datetime) -> int:
    """Record every step that fell due by now; returns how many facts were written."""
    written = 0
    while worklist.anything_waits(now):
        known = index()  # before the transaction: a newer directory may have to be arranged first
        with transaction() as session:
            waiting = worklist.to_look_at(session, now=now, limit=BATCH)
            for notification in waiting:
                written += _record(session, notification, known=known, now=now)
            session.expunge_all()
        if len(waiting) < BATCH:
            break
    return written


def follow_returned(now: dt.datetime) -> int:
    """Write to another address of the same team where a letter of this service came back; returns how many."""
    if not returned.came_back(db.session(), limit=1):
        return 0
    known, written = index(), 0
    with transaction() as session:
        refs = returned.came_back(session, limit=BATCH)
        lock_threads(refs, session)
        for ref in refs:
            failed = notification_to_change(ref, session, is_locked=True)
            if failed is None or not returned.is_to_follow(failed, session):
                continue  # another worker did, after it was found and before it was locked
            written += bounces.follow(session, failed, known=known, now=now) is not None
        session.expunge_all()
    return written


def _record(session: Session, notification: Notification, *, known: Index, now: dt.datetime) -> int:
    """One path; where it cannot be worked out it waits, and everybody else's go on."""
    number, ref = notification.id, notification.ref
    try:
        with session.begin_nested():
            written = steps.record_due(session, notification, known=known, now=now)
            if written:
                return written + by_itself.take_due(session, notification, known=known, now=now)
        if not worklist.is_to_look_at(number, now, session):
            return 0
        _log.error("next step goes nowhere", notification=ref)
    except OperationalError:  # the database, not this path
        raise
    except Exception:
        _log.exception("next step failed", notification=ref)
    policies.put_off(session, number, until=now + AGAIN, now=now)
    return 0
