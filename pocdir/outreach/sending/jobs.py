"""What the worker does for sending: find the key at the last moment, write down what became of each letter."""

from __future__ import annotations

import datetime as dt

from pocdir.core import tlp
from pocdir.db import db, transaction
from pocdir.mail.models import Mail
from pocdir.mail.queries import unreported
from pocdir.mail.rules.protection import GONE, TAKEN_BACK, Stands
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


def look(mail: Mail, now: dt.datetime) -> Stands:
    """The key that is pinned at this moment, and the label: that of its incident may have been raised meanwhile; it may
    have been withdrawn while it was handed over before, or the directory may have lost its address. What was read ends
    before the relay is asked."""
    try:
        ref, team = mail.notification or "", mail.team or ""
        stops = TAKEN_BACK if queries.is_withdrawn(ref) else None
        if stops is None and queries.address_on_record(team, mail.to) is None:
            stops = GONE
        raised = queries.label_of_incident(ref)
        label = tlp.strictest(mail.tlp or tlp.RED, raised) if raised else mail.tlp
        return Stands(queries.key_for(team, mail.to, now), label, stops)
    finally:
        db.session.rollback()
