"""What the worker does for outreach: write down what did not come when it fell due."""

from __future__ import annotations

import datetime as dt

from pocdir.db import transaction
from pocdir.outreach.actions import lapses
from pocdir.outreach.queries import notifications as queries
from pocdir.web import idempotency

BATCH = 500  # expectations in one transaction: others write between two of them


def record_lapses(now: dt.datetime) -> int:
    """Record every expectation that fell due by now, each once, dated when it did; returns how many."""
    written = 0
    while True:
        with transaction() as session:
            due = queries.due_notifications(session, now=now, limit=BATCH)
            new = lapses.record_lapses(session, due, now=now) if due else 0
            session.expunge_all()
        if not new:
            return written
        written += new


def forget_old_keys(now: dt.datetime) -> int:
    """Drop the keys of repeated requests after their 30 days."""
    with transaction() as session:
        return idempotency.forget_old_keys(session, now=now)


def beat(now: dt.datetime) -> int:
    """Show that the worker lives: what /healthz tells."""
    with transaction() as session:
        lapses.tick(session, now=now)
    return 1
