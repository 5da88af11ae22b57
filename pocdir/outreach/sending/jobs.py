"""What the worker does for sending: find the key at the last moment, write down what became of each letter."""

from __future__ import annotations

import datetime as dt

from pocdir.db import db, transaction
from pocdir.mail.queries import unreported
from pocdir.mail.rules.protection import KeyFor
from pocdir.outreach.rules.letter import MAIL
from pocdir.outreach.sending import queries
from pocdir.outreach.sending.actions import note


def note_letters(now: dt.datetime) -> int:
    """Write down what became of the letters of notifications; returns how many."""
    noted = 0
    while True:
        with transaction() as session:
            ended = unreported(session, kinds=(MAIL,))
            for mail in ended:
                note(session, mail, now=now)
        noted += len(ended)
        if not ended:
            return noted


def key_for(team: str, address: str, now: dt.datetime) -> KeyFor | None:
    """The key that is pinned at this moment; what was read ends before the relay is asked."""
    try:
        return queries.key_for(team, address, now)
    finally:
        db.session.rollback()
