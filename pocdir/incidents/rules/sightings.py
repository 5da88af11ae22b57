"""What a sensor saw in a measuring window: read row by row, refused with the row, kept as stretches of time."""

from __future__ import annotations

import csv
import datetime as dt
import io
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain
from typing import BinaryIO, NamedTuple

import numpy as np

from pocdir.core.errors import Invalid
from pocdir.core.times import LONGEST, duration, isoformat, moment
from pocdir.incidents.rules.assets import COLUMNS, guessed_asset
from pocdir.incidents.rules.quiet import QUIET_AFTER, STRETCH, Ints
from pocdir.ledger.rules.events import CLOCK_SKEW
from pocdir.ledger.rules.vocabulary import METHODS

MOST_ROWS = 5_000_000
SHOWN = 50  # refused rows, and values that are no asset, that are named
VALUES = ("value", "indicator", *(name for names in COLUMNS.values() for name in names))
TIMES = ("seen_at", "timestamp", "time", "time.source", "last_seen", "last_seen_at")
_LONGEST_HEAD = 65_536  # characters
_ASSETS_KEPT = 200_000  # spellings whose asset is remembered


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which a method measured: who was not seen in it was measured and not seen."""

    method: str
    begin: dt.datetime
    end: dt.datetime

    @property
    def seconds(self) -> tuple[int, int]:
        """Its begin and end in whole seconds since 1970."""
        return int(self.begin.timestamp()), int(self.end.timestamp())


class Row(NamedTuple):
    """A sighting as it was brought; `where` names its row."""

    where: str
    value: str
    seen_at: str


@dataclass(slots=True)
class Read:
    """The sightings of known assets (place of the asset, seconds since 1970), and what became of the other rows."""

    assets: array[int] = field(default_factory=lambda: array("q"))
    seen_at: array[int] = field(default_factory=lambda: array("q"))
    rows: int = 0
    without_zone: int = 0  # rows whose time named none
    strangers: int = 0  # rows whose value is no asset of the incident
    named: dict[str, None] = field(default_factory=dict)  # the first of these values
    refused: int = 0
    errors: dict[str, list[str]] = field(default_factory=dict)  # the first refused rows with their reasons

    def refuse(self, where: str, reason: str) -> None:
        self.refused += 1
        if len(self.errors) < SHOWN:
            self.errors[where] = [reason]

    def check(self) -> None:
        """Raises Invalid `sightings_invalid` with the first refused rows: all of a window is kept, or nothing."""
        if self.refused:
            where, reasons = next(iter(self.errors.items()))
            raise Invalid("sightings_invalid", reasons[0], where=where, errors=self.errors)


class Kept(NamedTuple):
    """Columns over stretches: asset, first and last sighting (seconds since 1970), and how many it is made of."""

    asset: Ints
    first: Ints
    last: Ints
    times: Ints


def window(method: str, begin: dt.datetime, end: dt.datetime, *, now: dt.datetime) -> Window:
    """A measuring window; raises Invalid `method_unknown`, `window_invalid` or `window_in_future`."""
    if method not in METHODS:
        raise Invalid("method_unknown", f"one of {', '.join(METHODS)} is right", where="method")
    if end <= begin:
        raise Invalid("window_invalid", "it ends before it begins, or has no length", where="window_to")
    if end - begin > LONGEST:
        raise Invalid("window_invalid", "a window lasts ten years at most", where="window_to")
    if end > now + CLOCK_SKEW:
        message = "it lies in the future; bring what was measured once it was (at most five minutes ahead)"
        raise Invalid("window_in_future", message, where="window_to")
    return Window(method, begin, end)


def quiet_seconds(quiet_after: str | None) -> int:
    """An incident's `quiet_after` (None: a day) in seconds; raises Invalid `quiet_after_invalid`."""
    seconds = duration(quiet_after or QUIET_AFTER).total_seconds()
    if seconds < STRETCH:
        message = f"at least {STRETCH // 60} minutes (PT{STRETCH // 60}M) is right"
        raise Invalid("quiet_after_invalid", message, where="quiet_after")
    return int(seconds)


def rows_of_csv(file: BinaryIO) -> Iterator[Row]:
    """The rows of a CSV with a column of values and a column of times, read as they are asked for.

    Raises Invalid `csv_invalid`.
    """
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    try:
        head = text.readline(_LONGEST_HEAD)
        if not head.strip():
            raise Invalid("csv_invalid", "no row; the first names the columns: value,seen_at", where="line 1")
        delimiter = max(",;\t|", key=head.count)
        lines = csv.reader(chain([head], text), delimiter=delimiter)
        value_at, time_at = _columns(next(lines))
        for row in lines:
            if row:
                value = row[value_at] if value_at < len(row) else ""
                yield Row(f"line {lines.line_num}", value, row[time_at] if time_at < len(row) else "")
    except UnicodeDecodeError:
        raise Invalid("csv_invalid", "this is no UTF-8 text") from None
    except csv.Error as error:
        raise Invalid("csv_invalid", f"this is no CSV: {error}") from None
    finally:
        text.detach()


def _columns(head: Sequence[str]) -> tuple[int, int]:
    names = [name.strip().lower() for name in head]
    found = []
    for what, known in (("value", VALUES), ("time", TIMES)):
        place = next((names.index(name) for name in known if name in names), None)
        if place is None:
            raise Invalid(
                "csv_invalid", f"no column with a {what}; one of {', '.join(known)} is right", where="line 1"
            )
        found.append(place)
    return found[0], found[1]


def read(
    rows: Iterable[Row],
    measured: Window,
    places: Mapping[str, Sequence[int]],
    *,
    zone: dt.tzinfo | None = None,
) -> Read:
    """The sightings of a window; `places` are those of the incident's assets by their value in its one spelling.

    Times that name no zone are in `zone`, and counted; without one they are refused. A value that is no asset of the
    incident is counted and not kept: a sensor sees much that is none of this case.
    Raises Invalid `csv_invalid` for too many rows; rows that are wrong are counted with their reasons.
    """
    begin, end = measured.seconds
    known = lru_cache(_ASSETS_KEPT)(_value)
    found = Read()
    for row in rows:
        found.rows += 1
        if found.rows > MOST_ROWS:
            raise Invalid("csv_invalid", f"more than {MOST_ROWS} rows; bring shorter windows")
        try:
            value, (at, is_named) = known(row.value), _seen_at(row.seen_at, zone)
        except Invalid as refusal:
            found.refuse(row.where, refusal.message)
            continue
        found.without_zone += not is_named
        if not begin <= at <= end:
            found.refuse(row.where, f"seen at {row.seen_at.strip()[:40]}, which is outside the window")
        elif value in places:
            for place in places[value]:
                found.assets.append(place)
                found.seen_at.append(at)
        else:
            found.strangers += 1
            if len(found.named) < SHOWN:
                found.named[value] = None
    return found


def _seen_at(text: str, zone: dt.tzinfo | None) -> tuple[int, bool]:
    """In seconds since 1970, and whether it names its zone; a day alone is no time. Raises Invalid `time_invalid`."""
    try:
        parsed = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        parsed = None
    if zone is None or parsed is None or parsed.tzinfo is not None or len(text.strip()) <= len("2026-11-16"):
        return int(moment(text).timestamp()), True
    return int(parsed.replace(tzinfo=zone).timestamp()), False


def _value(text: str) -> str:
    if not text.strip():
        raise Invalid("asset_invalid", "no value")
    return guessed_asset(text).value


def stretches(assets: Iterable[int], seen_at: Iterable[int]) -> Kept:
    """Sightings of an asset less than STRETCH apart as one stretch, by asset and time."""
    asset, at = np.asarray(assets, dtype=np.int64), np.asarray(seen_at, dtype=np.int64)
    order = np.lexsort((at, asset))
    asset, at = asset[order], at[order]
    if not asset.size:
        return Kept(asset, at, at, at)
    fresh = np.append(True, (asset[1:] != asset[:-1]) | (at[1:] - at[:-1] >= STRETCH))
    starts = np.flatnonzero(fresh)
    ends = np.append(starts[1:], asset.size) - 1
    return Kept(asset[starts], at[starts], at[ends], ends - starts + 1)


def told(measured: Window) -> dict[str, str]:
    """A window as an event's payload has it."""
    return {
        "method": measured.method, "from": isoformat(measured.begin), "to": isoformat(measured.end),
    }  # fmt: skip
