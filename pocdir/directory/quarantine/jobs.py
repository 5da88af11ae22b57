"""What the worker does for the quarantine: applying what was accepted and whose 72 hours have passed."""

from __future__ import annotations

import datetime as dt

from flask import current_app

from pocdir.config import Settings
from pocdir.db import db, transaction
from pocdir.directory.quarantine import decide


def apply_due(now: dt.datetime) -> int:
    """Apply what is due; returns how many rows of the quarantine were settled."""
    if not decide.anything_accepted(db.session()):
        return 0
    settings: Settings = current_app.extensions["pocdir"]
    with transaction() as session:
        return decide.apply_due(session, now=now, mail_domain=settings.mail_domain)
