"""How long each class of data is kept: as long as its purpose, and no longer."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

ASSETS, MESSAGES, LETTERS, MAIL = CLASSES = ("assets", "messages", "letters", "mail")
# The sealed words of an incident's own events: all that is sealed in them.
CASE_WORDS = ("title", "description", "source_ref")


@dataclass(frozen=True, slots=True)
class Kept:
    """How long: assets and words of a case after it was closed, messages after they were recorded, letters after their
    end, mail after it came in."""

    assets: dt.timedelta
    messages: dt.timedelta


@dataclass(frozen=True, slots=True)
class Due:
    """What one incident, notification, letter or mail holds beyond its time."""

    of: str  # a class
    ref: str
    since: dt.datetime  # closed, recorded, settled, or came
    count: int


def first_id_of(moment: dt.datetime) -> str:
    """The least UUIDv7 of this moment: events with a smaller id were recorded before (RFC 9562, section 5.7)."""
    digits = f"{int(moment.timestamp() * 1000):012x}"
    return f"{digits[:8]}-{digits[8:]}-7000-8000-000000000000"
