"""What the worker does for the quarantine: applying what was accepted and is due, forgetting old unread files."""

from __future__ import annotations

import datetime as dt

from flask import current_app

from pocdir.config import Settings
from pocdir.db import db, transaction
from pocdir.directory.quarantine.actions import decide, hold


def apply_due(now: dt.datetime) -> int:
    """Apply what is due, and forget what could not be read long ago; returns how many rows were settled."""
    if not decide.anything_to_settle(db.session(), now=now):
        return 0
    settings: Settings = current_app.extensions["pocdir"]
    with transaction() as session:
        settled = decide.apply_due(session, now=now, mail_domain=settings.mail_domain)
        return settled + hold.forget_unread(session, now=now)
