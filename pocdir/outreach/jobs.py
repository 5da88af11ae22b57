"""What the worker does for outreach: write down what did not come when it fell due."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import structlog
from sqlalchemy.exc import OperationalError

from pocdir.core.errors import Unavailable
from pocdir.db import transaction
from pocdir.outreach.actions import lapses
from pocdir.outreach.queries.due import due_notifications
from pocdir.web import idempotency

BATCH = 500  # expectations in one transaction: others write between two of them
_log = structlog.get_logger("pocdir.outreach")


def record_lapses(now: dt.datetime) -> int:
    """Record every expectation that fell due by now, each once, dated when it did; returns how many.

    Where a batch fails it is written one by one: one that cannot be worked out waits an hour and holds up no other.
    """
    written = 0
    while True:
        try:
            found, new = _batch(lapses.record_lapses, now)
        except (Unavailable, OperationalError):  # the database, not what it holds
            raise
        except Exception:
            _log.exception("lapses failed together, they go one by one")
            found, new = _batch(lapses.record_one_by_one, now)
        written += new
        if not found:
            return written


def _batch(record: Callable[..., int], now: dt.datetime) -> tuple[int, int]:
    """How many notifications were due, and how many facts were written about them."""
    with transaction() as session:
        due = due_notifications(session, now=now, limit=BATCH)
        new = record(session, due, now=now) if due else 0
        session.expunge_all()
    return len(due), new


def forget_old_keys(now: dt.datetime) -> int:
    """Drop the keys of repeated requests after their 30 days."""
    with transaction() as session:
        return idempotency.forget_old_keys(session, now=now)


def beat(now: dt.datetime) -> int:
    """Show that the worker lives: what /healthz tells."""
    with transaction() as session:
        lapses.tick(session, now=now)
    return 1
