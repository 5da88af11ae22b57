"""When a letter is tried again, and how fast one domain is written to."""

from __future__ import annotations

import datetime as dt

_MINUTE, _HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)

# After the first attempt, the second, ...: four days and a half in all (RFC 5321, 4.5.4.1: at least four to five).
WAITS = (
    _MINUTE, 5 * _MINUTE, 15 * _MINUTE, _HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, 12 * _HOUR,
    24 * _HOUR, 24 * _HOUR, 32 * _HOUR,
)  # fmt: skip
MOST_ATTEMPTS = len(WAITS) + 1

# To one domain a letter every two seconds on average, and sixty at once after a quiet time.
GAP = dt.timedelta(seconds=2)
BURST = 60
PAUSE = 5 * _MINUTE  # after the domain said "too many" or "not now"


def next_attempt(attempts: int, now: dt.datetime) -> dt.datetime | None:
    """When to try again after this many attempts; None: it is given up."""
    return now + WAITS[attempts - 1] if attempts < MOST_ATTEMPTS else None


def latest_free(now: dt.datetime) -> dt.datetime:
    """A domain whose `free_at` is no later than this may be written to (GCRA, the leaky bucket as a meter)."""
    return now + (BURST - 1) * GAP


def free_after(free_at: dt.datetime | None, now: dt.datetime) -> dt.datetime:
    """The domain's `free_at` after one more letter."""
    return max(free_at or now, now) + GAP
