"""What the worker does for keys."""

from __future__ import annotations

import datetime as dt

from flask import current_app

from pocdir.config import Settings
from pocdir.db import transaction
from pocdir.directory.keys import actions


def look_after_keys(now: dt.datetime) -> int:
    """Begin delays, pin what nobody refused, end what has expired, tell of what will; returns how many."""
    settings: Settings = current_app.extensions["pocdir"]
    with transaction() as session:
        actions.begin_delays(session, now=now)
        settled = actions.pin_due(session, now=now) + actions.expire(session, now=now)
        return settled + actions.warn(session, now=now, mail_domain=settings.mail_domain)
