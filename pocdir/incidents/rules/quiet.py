"""Whether assets are quiet: not seen for so long while a sensor measured that would have seen them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]

QUIET_AFTER = "PT24H"
# Sightings of an asset less than this apart are kept as one stretch; nothing shorter can be called quiet.
STRETCH = 600  # seconds
NEVER = int(np.iinfo(np.int64).max)
LONG_AGO = int(np.iinfo(np.int64).min)
_ANY = (1 << 32) - 1  # every method


class Windows(NamedTuple):
    """Columns over measuring windows: number of the method (0..31), its times, and when it was posted.

    `begin` and `end` in whole seconds since 1970; `posted` in any unit, the same as that of `added` in `silences`.
    """

    method: Ints
    begin: Ints
    end: Ints
    posted: Ints


class Stretches(NamedTuple):
    """Columns over stretches of time in which an asset (by its place, 0..n-1) was seen by a method."""

    asset: Ints
    method: Ints
    first: Ints
    last: Ints


class MeasuredTime:
    """How much was measured until when: windows that overlap or touch count once, gaps not at all."""

    def __init__(self, begin: ArrayLike, end: ArrayLike) -> None:
        starts, ends = _ints(begin), _ints(end)
        order = np.argsort(starts, kind="stable")
        starts, reach = starts[order], np.maximum.accumulate(ends[order])
        fresh = np.append(True, starts[1:] > reach[:-1])[: starts.size]
        self.begin = starts[fresh]
        self.end = reach[np.append(np.flatnonzero(fresh)[1:] - 1, starts.size - 1)[: self.begin.size]]
        self.before = np.append(0, np.cumsum(self.end - self.begin))

    def until(self, at: Ints) -> Ints:
        """Seconds measured up to each moment."""
        if not self.begin.size:
            return np.zeros(at.size, dtype=np.int64)
        place = np.searchsorted(self.begin, at, side="right") - 1
        known = np.maximum(place, 0)
        inside = np.minimum(np.maximum(at, self.begin[known]), self.end[known]) - self.begin[known]
        return np.where(place < 0, 0, self.before[known] + inside)

    def when(self, seconds: Ints) -> Ints:
        """The first moment by which so many seconds (more than none) were measured; NEVER where they were not."""
        if not self.begin.size:
            return np.full(seconds.size, NEVER, dtype=np.int64)
        place = np.searchsorted(self.before[1:], seconds, side="left")
        known = np.minimum(place, self.begin.size - 1)
        at = self.begin[known] + seconds - self.before[known]
        return np.where(place < self.begin.size, at, NEVER)


@dataclass(frozen=True, slots=True, eq=False)
class Quiets:
    """Columns over times of quiet: the asset, last seen `since` (LONG_AGO: never), known to be quiet from `at` on,
    seen again `until` (NEVER: it still is)."""

    asset: Ints
    since: Ints
    at: Ints
    until: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Silences:
    """Columns over the times in which each asset was not seen, by asset and time, and the clock that measures each."""

    count: int  # of assets
    asset: Ints
    since: Ints
    until: Ints
    clock: Ints
    clocks: tuple[MeasuredTime, ...]
    first_seen: Ints  # by asset; NEVER
    last_seen: Ints  # by asset; LONG_AGO

    def quiets(self, quiet_after: int, of: Ints | None = None, start: int | None = None) -> Quiets:
        """The times of quiet that lasted `quiet_after` seconds of measured time and more.

        `of`: only these assets. `start`: nothing before counts, as if all had been seen at that moment.
        """
        rows = slice(None) if of is None else _rows_of(self.asset, of)
        asset, since, until, clock = (
            column[rows] for column in (self.asset, self.since, self.until, self.clock)
        )
        if start is not None:
            later = until > start
            asset, until, clock = asset[later], until[later], clock[later]
            since = np.maximum(since[later], start)
        at = np.full(asset.size, NEVER, dtype=np.int64)
        for number in np.unique(clock):
            mine, measured = clock == number, self.clocks[number]
            at[mine] = measured.when(measured.until(since[mine]) + quiet_after)
        quiet = at < until
        return Quiets(asset[quiet], since[quiet], at[quiet], until[quiet])

    def states(self, quiet_after: int) -> NDArray[np.str_]:
        """`quiet`, `seen` or `unknown` (never seen, and not measured long enough) by asset, as of the last window."""
        found = np.where(self.last_seen == LONG_AGO, "unknown", "seen")
        quiets = self.quiets(quiet_after)
        found[quiets.asset[quiets.until == NEVER]] = "quiet"
        return found


def silences(added: ArrayLike, windows: Windows, stretches: Stretches) -> Silences:
    """When each asset was not seen, and by which sensors' time that is measured.

    `added` by asset: windows posted before it do not speak of it, because nobody looked for it in them. What counts
    for an asset that was seen is the time of the methods that had seen it by then (another sensor may be blind to
    it); for one that never was, the time of all methods. Order and repetition of windows and stretches change
    nothing, nor does it to cut a window or a stretch in two.
    """
    known_since = _ints(added)
    count = known_since.size
    asset, first, reach = _merged(stretches)
    following = np.append(first[1:], NEVER)
    following[:-1][asset[1:] != asset[:-1]] = NEVER
    gap = following > reach
    heard = _heard_by(asset, reach, stretches, count)[gap]
    seen_first, seen_last = np.full(count, NEVER), np.full(count, LONG_AGO)
    np.minimum.at(seen_first, asset, first)
    np.maximum.at(seen_last, asset, reach)
    every = np.arange(count, dtype=np.int64)
    assets = np.concatenate((every, asset[gap]))
    since = np.concatenate((np.full(count, LONG_AGO), reach[gap]))
    until = np.concatenate((seen_first, following[gap]))
    methods = np.concatenate((np.full(count, _ANY), heard))
    order = np.lexsort((since, assets))
    numbers, clocks = _clocks(known_since[assets[order]], methods[order], windows)
    return Silences(
        count, assets[order], since[order], until[order], numbers, clocks, seen_first, seen_last
    )  # fmt: skip


def _merged(stretches: Stretches) -> tuple[Ints, Ints, Ints]:
    """(asset, first, latest until then) of each stretch, by asset and time."""
    asset, first, last = (_ints(column) for column in (stretches.asset, stretches.first, stretches.last))
    order = np.lexsort((first, asset))
    asset, first, last = asset[order], first[order], last[order]
    if not asset.size:
        return asset, first, last
    # The latest so far within each asset: assets lie so far apart that none reaches into the next.
    base = int(first.min())
    apart = asset * (int(last.max()) - base + 1)
    return asset, first, np.maximum.accumulate(last - base + apart) - apart + base


def _heard_by(asset: Ints, at: Ints, stretches: Stretches, count: int) -> Ints:
    """As bits, the methods that had seen the asset by each moment."""
    heard = np.zeros(asset.size, dtype=np.int64)
    for method in np.unique(stretches.method):
        mine = stretches.method == method
        since = np.full(count, NEVER)
        np.minimum.at(since, stretches.asset[mine], stretches.first[mine])
        heard |= np.where(since[asset] <= at, 1 << int(method), 0)
    return heard


def _clocks(added: Ints, methods: Ints, windows: Windows) -> tuple[Ints, tuple[MeasuredTime, ...]]:
    """A number of its clock for each row, and the clocks: one for each set of methods and time of being added."""
    days, day = np.unique(added, return_inverse=True)
    sets, chosen = np.unique(methods, return_inverse=True)
    keys, numbers = np.unique(day * sets.size + chosen, return_inverse=True)
    clocks = []
    for key in keys:
        counts = windows.posted >= days[key // sets.size]
        counts &= (sets[key % sets.size] >> windows.method) & 1 == 1
        clocks.append(MeasuredTime(windows.begin[counts], windows.end[counts]))
    return numbers.astype(np.int64), tuple(clocks)


def _rows_of(column: Ints, values: Ints) -> Ints:
    """The rows of a sorted column with one of these values, in order."""
    wanted: Ints = np.unique(values)
    starts = np.searchsorted(column, wanted, side="left")
    sizes = np.searchsorted(column, wanted, side="right") - starts
    offsets = np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rows: Ints = np.repeat(starts, sizes) + offsets
    return rows


class Turn(NamedTuple):
    """A moment at which the last of some assets became quiet, or the first of them was seen again (seconds)."""

    at: int
    type: str  # observed, relapsed
    last_seen: int | None  # of all of them, before they were quiet; None: never, as far as was looked


def turns(quiets: Quiets, assets: int, start: int = LONG_AGO) -> Iterator[Turn]:
    """When all of so many assets were quiet together, and when they were not any more, in turns from the first quiet.

    `start` as `quiets` was asked: what was last seen then was not seen since.
    """
    again = quiets.until != NEVER
    at = np.concatenate((quiets.until[again], quiets.at))
    step = np.repeat((1, -1), (int(again.sum()), quiets.at.size))
    since = np.concatenate((np.full(int(again.sum()), LONG_AGO), quiets.since))
    order = np.lexsort((-step, at))  # at one moment first who was seen again
    awake, latest = assets, LONG_AGO
    for row in order.tolist():
        latest = max(latest, int(since[row]))
        before, awake = awake, awake - (1 if step[row] < 0 else -1)
        if awake == 0:
            yield Turn(int(at[row]), "observed", latest if latest > start else None)
        elif before == 0:
            yield Turn(int(at[row]), "relapsed", None)


def still_seen(quiets: Quiets, assets: int, begin: int) -> tuple[Ints, Ints]:
    """(seconds since `begin`, how many of so many assets are still seen from then on): steps that start at 0.

    An asset that became quiet is no longer seen from its last sighting on.
    """
    again = quiets.until != NEVER
    at = np.concatenate((np.maximum(quiets.since, begin), quiets.until[again])) - begin
    step = np.repeat((-1, 1), (quiets.since.size, int(again.sum())))
    times, place = np.unique(np.append(0, at), return_inverse=True)
    change = np.bincount(place, weights=np.append(0, step), minlength=times.size).astype(np.int64)
    return times, assets + np.cumsum(change)


def _ints(values: Any) -> Ints:
    return np.asarray(values, dtype=np.int64)
