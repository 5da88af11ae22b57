"""Calling off what the link of a notice is about, besides a proposal: a key, a merge or split, a list's change."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from pocdir.directory.keys import actions as keys
from pocdir.directory.merging import actions as merging
from pocdir.directory.proposals.actions import RECIPIENT
from pocdir.directory.proposals.rules import link_unknown
from pocdir.directory.quarantine.actions import decide
from pocdir.directory.queries.objections import KEY, PAIRING, Objection, addressed
from pocdir.directory.rules.office import Office

_NOTE = "called off by whoever reads an address on record"


def call_off(session: Session, *, token: str, office: Office, now: dt.datetime) -> Objection:
    """Whoever reads an address on record calls it off; raises as `addressed`, and Conflict where it is settled."""
    told = addressed(session, token, office=office, now=now)
    if told is None:
        raise link_unknown()
    if told.what == KEY:
        keys.refuse(session, ref=told.ref, note=_NOTE, now=now, actor=RECIPIENT, claimed_by="team")
    elif told.what == PAIRING:
        merging.refuse(session, ref=told.ref, now=now, actor=RECIPIENT)
    else:
        decide.refuse(session, refs=[told.ref], note=_NOTE, now=now, actor=RECIPIENT)
    return told._replace(is_open=False)
