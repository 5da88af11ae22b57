"""When a mail says that it was written, bounded by our sending and our receipt."""

from __future__ import annotations

import datetime as dt
from email.utils import parsedate_to_datetime

from pocdir.ledger.rules.events import CLOCK_SKEW
from pocdir.mail.rules.headers import one_line

LONGEST = 100


def written(date: str, *, since: dt.datetime, until: dt.datetime) -> tuple[dt.datetime, str]:
    """(when, precision) of a Date header: as it says where that is within bounds, else known by the receipt alone."""
    try:
        at = parsedate_to_datetime(date)
        at = at.replace(tzinfo=dt.UTC) if at.tzinfo is None else at.astimezone(dt.UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return max(since, until), "bounded"
    if (
        since - CLOCK_SKEW <= at <= until + CLOCK_SKEW
    ):  # as far as the clocks of two honest parties may differ
        return min(max(at, since), max(since, until)), "exact"
    return max(since, until), "bounded"


def raw(date: str) -> str | None:
    """The header as it is kept, fit for one line; None where there is none."""
    return one_line(date, LONGEST) or None
