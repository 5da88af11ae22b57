"""What the worker does for the desks of teams: the daily mail of those that asked for it."""

from __future__ import annotations

import datetime as dt

from pocdir import running
from pocdir.db import transaction
from pocdir.outreach.desk import queries
from pocdir.outreach.desk.digests import send_digest

AT_ONCE = 50


def send_digests(now: dt.datetime) -> int:
    """Queue the mail of each team whose hour has come and for which something new stands open; returns how many."""
    settings = running.settings()
    sent = 0
    if settings.relay is None or settings.demo:  # whose mail it is read by hand is nobody's business
        return 0
    while queries.digest_waits(now):
        with transaction() as session:
            due = queries.due_digests(session, now=now, limit=AT_ONCE)
            for digest in due:
                sent += send_digest(session, digest, now=now)
        if len(due) < AT_ONCE:
            break
    return sent
