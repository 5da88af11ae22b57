"""What the worker does for outreach: write down what did not come when it fell due."""

from __future__ import annotations

import datetime as dt

from pocdir.db import transaction
from pocdir.outreach.actions import notifications as actions
from pocdir.outreach.queries import notifications as queries
from pocdir.web import idempotency

BATCH = 200


def record_lapses(now: dt.datetime) -> int:
    """Record every expectation that fell due by now, each once, dated when it did; returns how many."""
    written = 0
    while True:
        with transaction() as session:
            due = queries.due_notifications(session, now=now, limit=BATCH)
            for notification in due:
                written += actions.record_lapses(session, notification, now=now)
            session.expunge_all()
        if len(due) < BATCH:
            return written


def forget_old_keys(now: dt.datetime) -> int:
    """Drop the keys of repeated requests after their 30 days."""
    with transaction() as session:
        return idempotency.forget_old_keys(session, now=now)


def beat(now: dt.datetime) -> int:
    """Show that the worker lives: what /healthz tells."""
    with transaction() as session:
        actions.tick(session, now=now)
    return 1
