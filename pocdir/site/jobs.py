"""What the worker does over all rooms: erase what has been kept long enough."""

from __future__ import annotations

import datetime as dt

from flask import current_app

from pocdir import running
from pocdir.config import Settings
from pocdir.db import forget_deleted, transaction
from pocdir.site.actions import retention as actions
from pocdir.site.queries import retention as queries
from pocdir.site.rules.retention import Kept

EVERY = dt.timedelta(days=1)
BATCH = 500
_LAST = "pocdir.retention"  # when this process last went through; the first round of a start does so too


def kept(settings: Settings) -> Kept:
    """How long assets and messages are kept, as POCDIR_KEEP_ASSETS and POCDIR_KEEP_MESSAGES say."""
    return Kept(dt.timedelta(seconds=settings.keep_assets), dt.timedelta(seconds=settings.keep_messages))


def keep_no_longer(now: dt.datetime) -> int:
    """Once a day: erase what is beyond its time, in small transactions; returns how many values."""
    last: dt.datetime | None = current_app.extensions.get(_LAST)
    if last is not None and last <= now < last + EVERY:
        return 0
    erased = erase_due(now, kept(running.settings()))
    current_app.extensions[_LAST] = now
    return erased


def erase_due(now: dt.datetime, limits: Kept) -> int:
    """Erase now whatever is older than these limits, each batch in its own transaction; returns how many values.

    The assets of closed incidents, then the words of cases and messages, then letters and mails that came in.
    """
    erased = 0
    while True:
        with transaction() as session:
            incidents = queries.incidents_due(session, now - limits.assets, limit=1)
            erased += sum(actions.erase_assets(session, each, now=now) for each in incidents)
        if not incidents:
            break
    for erase in (actions.erase_cases, actions.erase_messages):
        while True:
            with transaction() as session:
                found = erase(session, before=now - limits.messages, limit=BATCH, now=now)
            erased += found
            if not found:
                break
    for forget in (actions.erase_letters, actions.erase_mails):
        with transaction() as session:
            erased += forget(session, kept=limits.messages, now=now)
    if erased:
        forget_deleted()
    return erased
