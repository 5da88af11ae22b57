"""What runs beside the requests: writing down when tokens were used, dropping what has ended."""

from __future__ import annotations

import datetime as dt

from flask import current_app

from pocdir.accounts import actions
from pocdir.accounts.guards import USES
from pocdir.db import transaction
from pocdir.web import limits


def save_token_uses(now: dt.datetime) -> int:
    """Write when tokens were last used, as this serving process remembers it; returns how many."""
    seen: dict[int, dt.datetime] = current_app.extensions.get(USES, {})
    uses = seen.copy()
    if not uses:
        return 0
    with transaction() as session:
        written = actions.save_uses(session, uses=sorted(uses.items()))
    for token_id, moment in uses.items():  # after the commit; a use meanwhile waits for the next round
        if seen.get(token_id) == moment:
            del seen[token_id]
    return written


def forget_what_ended(now: dt.datetime) -> int:
    """Drop sign-ins, invitations and rate limits that are over; returns how many rows."""
    with transaction() as session:
        return actions.forget_what_ended(session, now=now) + limits.forget_old_limits(session, now=now)
