"""Moments, durations and time zones as the outside writes them: RFC 3339, ISO 8601, IANA."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import isodate

from pocdir.core.errors import Invalid

LONGEST = dt.timedelta(days=3660)


def isoformat(moment: dt.datetime) -> str:
    """RFC 3339 in UTC with microseconds only where there are any: `2026-11-22T12:00:00Z`."""
    return _written(moment if moment.tzinfo is dt.UTC else moment.astimezone(dt.UTC))


@lru_cache(maxsize=256)
def _written(moment: dt.datetime) -> str:
    """Of a moment in UTC: in another zone two moments of one hand of the clock would be taken for the same."""
    return moment.isoformat().replace("+00:00", "Z")


def moment(text: str) -> dt.datetime:
    """An aware moment from RFC 3339 text; raises Invalid `time_invalid` (also when the zone is missing)."""
    try:
        parsed = dt.datetime.fromisoformat(text.strip())
        if parsed.tzinfo:
            return parsed.astimezone(dt.UTC)
        what = "is no time with a zone"
    except (ValueError, OverflowError):
        what = "is no time that can be read"
    raise Invalid("time_invalid", f"{text[:40]!r} {what}; write 2026-11-22T12:00:00Z")


@lru_cache(maxsize=256)
def duration(text: str) -> dt.timedelta:
    """A positive length of time from ISO 8601 (`P2D`, `PT36H`); months and years have no fixed length.

    Raises Invalid `duration_invalid`; the longest is ten years.
    """
    try:
        parsed = isodate.parse_duration(text.strip())
    except (isodate.ISO8601Error, ValueError, OverflowError, ArithmeticError):
        parsed = None
    if not isinstance(parsed, dt.timedelta) or not dt.timedelta(0) < parsed <= LONGEST:
        raise Invalid(
            "duration_invalid", f"{text[:40]!r} is no length of time; write P2D or PT36H (no months or years)"
        )
    return parsed


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """The zones of the IANA database; not what one machine's own files are called (`localtime`, `posix/...`)."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("ascii").split())


def zone_of(name: str | None) -> ZoneInfo | None:
    """The zone of this name; None without one, and for a name that is none (any more)."""
    try:
        return ZoneInfo(name) if name and name in zone_names() else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # this machine's files are older, or broken
        return None


def zone_or_utc(name: str | None) -> ZoneInfo:
    """The zone of this name, UTC where there is none."""
    return zone_of(name) or ZoneInfo("UTC")
