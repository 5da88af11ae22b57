"""A date as people write it into a spreadsheet: read when it can only mean one day, else refused."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

from pocdir.core.text import Phrase

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<name>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6},?\s+)?"
_TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?"
    r"\s?(?P<half>am|pm)?\s?(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2})?)?"
)
_FORMS = [
    re.compile(_WEEKDAY + form + _TIME, re.IGNORECASE | re.ASCII)
    for form in (
        r"(?P<year>\d{4})(?P<sep>[-/.])(?P<month>\d{1,2})(?P=sep)(?P<day>\d{1,2})",
        r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4})",  # points: always the day first
        r"(?P<one>\d{1,2})(?P<sep>[-/.])(?P<two>\d{1,2})(?P=sep)(?P<year>\d{4}|\d{2})",
        rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[.\s-]{{0,2}}{_MONTH}[,\s-]{{0,2}}(?P<year>\d{{4}})",
        rf"{_MONTH}\s?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s(?P<year>\d{{4}})",
    )
]
_NUMBERS = re.compile(r"(\d{1,2})[-/](\d{1,2})[-/]\d{4}(?!\d)", re.ASCII)
_LONGEST = 60


class Written(NamedTuple):
    """A moment and how exactly it was written: exact (with seconds), minute, or day (its first moment)."""

    at: dt.datetime
    precision: str


def read_date(text: str, *, day_first: bool | None = None, zone: dt.tzinfo = dt.UTC) -> Written:
    """The moment in UTC; without a zone in the text it is in `zone`.

    `day_first` says how 03/04/2026 and 03.04.26 are meant; None refuses them. Raises ValueError with a Phrase.
    """
    text = text.strip()
    found = (
        next((match for form in _FORMS if (match := form.fullmatch(text))), None)
        if len(text) < _LONGEST
        else None
    )
    if found is None:
        raise ValueError(_why_not(text))
    parts = found.groupdict()
    month, day = _month_and_day(parts, text, day_first)
    year = int(parts["year"]) + (2000 if len(parts["year"]) == 2 else 0)
    try:
        at = dt.datetime(year, month, day, *_clock(parts), tzinfo=_zone(parts["zone"]) or zone)
        return Written(at.astimezone(dt.UTC), _precision(parts))
    except (ValueError, OverflowError):
        raise ValueError(Phrase("there is no such day or time: %(text)s", text=text[:40])) from None


def order_shown(text: str) -> bool | None:
    """Whether this date can only have the day first (25/12/2025), or only the month; None: it shows neither."""
    found = _NUMBERS.match(text.strip())
    if found is None:
        return None
    one, two = int(found[1]), int(found[2])
    return one > 12 if (one > 12) != (two > 12) else None


def _month_and_day(parts: dict[str, str], text: str, day_first: bool | None) -> tuple[int, int]:
    if parts.get("name"):
        return _MONTHS.index(parts["name"].lower()) + 1, int(parts["day"])
    if "one" not in parts:
        return int(parts["month"]), int(parts["day"])
    one, two = int(parts["one"]), int(parts["two"])
    if day_first is None:
        if len(parts["year"]) == 2:  # 26.03.04 may be a day of 2004 or of 2026
            raise ValueError(
                Phrase(
                    "%(text)s: write the year with four digits, or say whether the day comes first",
                    text=text[:40],
                )
            )
        if one <= 12 and two <= 12 and one != two:
            raise ValueError(
                Phrase("%(text)s may be two days: say whether the day comes first", text=text[:40])
            )
        day_first = one > 12
    return (two, one) if day_first else (one, two)


def _clock(parts: dict[str, str]) -> tuple[int, int, int]:
    if not parts["hour"]:
        return 0, 0, 0
    hour, half = int(parts["hour"]), (parts["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        raise ValueError
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    return hour, int(parts["minute"]), int(parts["second"] or 0)


def _zone(text: str | None) -> dt.tzinfo | None:
    if text is None or text.upper() in ("Z", "UTC", "GMT"):
        return dt.UTC if text else None
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return dt.timezone(dt.timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _precision(parts: dict[str, str]) -> str:
    if parts["second"]:
        return "exact"
    return "minute" if parts["hour"] else "day"


def _why_not(text: str) -> Phrase:
    if re.fullmatch(r"\d{5}([.,]\d+)?", text):
        return Phrase(
            "%(text)s is a spreadsheet's own number for a day: save the column as dates", text=text[:40]
        )
    return Phrase("%(text)s is no date that is understood: write 2026-11-22", text=text[:40])
