"""What the worker does for mail."""

from __future__ import annotations

import datetime as dt

from pocdir.db import transaction
from pocdir.mail import actions


def tidy(now: dt.datetime) -> int:
    """Set aside what is past its time, and erase what letters said once nobody needs it; returns how many."""
    with transaction() as session:
        return actions.expire(session, now=now) + actions.forget_old_bodies(session, now=now)
