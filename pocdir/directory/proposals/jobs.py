"""What the worker does for proposals: those whose time has come take effect, once."""

from __future__ import annotations

import datetime as dt

import structlog

from pocdir.core.errors import Refusal, Unavailable
from pocdir.db import db, transaction
from pocdir.directory.office import office
from pocdir.directory.proposals import actions, queries

_log = structlog.get_logger("pocdir.directory")


def enter_due(now: dt.datetime) -> int:
    """Enter what is due, each by itself; what cannot be entered is refused with the reason. How many were.

    Before that, where one steward is left of two, the 72 hours begin.
    """
    for ref in queries.undated(db.session()):
        with transaction() as session:
            actions.look_again(session, ref=ref, office=office(), now=now)
    entered = 0
    for ref in queries.due(now):
        try:
            with transaction() as session:
                entered += actions.enter_due(session, ref=ref, office=office(), now=now)
        except Unavailable:
            raise
        except Refusal as refusal:
            _log.warning("proposal refused", proposal=ref, code=refusal.code)
            with transaction() as session:
                actions.refuse(session, ref=ref, reason=refusal.message, actor=actions.SERVICE, now=now)
    return entered


def lapse(now: dt.datetime) -> int:
    """End what nobody has decided for a long time; how many."""
    lapsed = 0
    for ref in queries.undecided(now):
        with transaction() as session:
            lapsed += actions.lapse(session, ref=ref, now=now)
    return lapsed
