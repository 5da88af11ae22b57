"""What the worker does for next steps: write down which fell due, each once, dated when it did."""

from __future__ import annotations

import datetime as dt

from pocdir.db import transaction
from pocdir.outreach.escalation import queries
from pocdir.outreach.escalation.actions import steps
from pocdir.routing.queries import index

BATCH = 100


def record_steps(now: dt.datetime) -> int:
    """Record every step that fell due by now; returns how many facts were written."""
    written = 0
    while queries.anything_waits(now):
        known = index()  # before the transaction: a newer directory may have to be arranged first
        with transaction() as session:
            waiting = queries.to_look_at(session, now=now, limit=BATCH)
            for notification in waiting:
                written += steps.record_due(session, notification, known=known, now=now)
            session.expunge_all()
        if len(waiting) < BATCH:
            break
    return written
