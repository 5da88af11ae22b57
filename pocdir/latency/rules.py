"""How long until the first answer, counted so that never answering cannot drop out of the figure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pocdir.outreach.rules.fold import RESPONSE_GROUPS

Numbers = NDArray[np.float64]
Counts = NDArray[np.int64]

DAY = 86400
WINDOWS: Mapping[str, int] = {"P1D": DAY, "P3D": 3 * DAY, "P7D": 7 * DAY, "P30D": 30 * DAY}
OUTCOMES = ("observed", "claimed", "none", "unknown")
ANSWERED = "answered"
# Ends after which the level cannot be reached any more, neither of them the team's doing.
UNDATED = "undated"  # it reached the level at a time that is not known
OTHER_ENDS = ("undeliverable", "misdirected")

_Z = NormalDist().inv_cdf(0.975)
# Products of fractions miss 1/2 by a few ulps; a step of a curve over n rows is never smaller than 1/n.
_ROUNDING = 1e-9


class Point(NamedTuple):
    """The curve from `t` seconds on: share still open with its 95 % band, None where there is none (see
    `survival_curve`); open just before t: `at_risk`.
    """

    t: float
    s: float
    lo: float | None
    hi: float | None
    at_risk: int


class Share(NamedTuple):
    """A share answered, with its 95 % band; None where there is none."""

    share: float
    lo: float | None
    hi: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A survival curve as columns: one row at 0 and one at every distinct duration, answered or not.

    Rows where nothing was answered keep the number at risk exact between answers, and say how far the curve
    is known. Without durations (n = 0) all columns are empty. `lo` and `hi` are NaN where there is no band.
    """

    t: Numbers
    s: Numbers
    lo: Numbers
    hi: Numbers
    at_risk: Counts
    answered: Counts
    n: int
    events: int
    censored: int

    @property
    def points(self) -> tuple[Point, ...]:
        """The same as rows of plain Python numbers."""
        t, s, at_risk = (column.tolist() for column in (self.t, self.s, self.at_risk))
        return tuple(map(Point, t, s, _known(self.lo), _known(self.hi), at_risk))


@dataclass(frozen=True, slots=True)
class Promise:
    """Of `n` sent while their team had published a time of its own for this: the share that reached it in that time.

    None where it is not known. The times may differ, from team to team and from year to year: from the shortest to
    the longest, in seconds.
    """

    n: int
    share: float | None
    band: tuple[float | None, float | None]
    shortest_seconds: float | None
    longest_seconds: float | None


NO_PROMISE = Promise(0, None, (None, None), None, None)


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of one group; None = not reached (the group has not been followed that far).

    n = events + censored + those that ended otherwise, by the end (`OTHER_ENDS`). Of the events `undated` came
    at times that are not known: they are in no time and no share.
    """

    key: str
    label: str
    n: int
    events: int
    censored: int
    undated: int
    ended_otherwise: Mapping[str, int]
    median_seconds: float | None
    band: tuple[float | None, float | None]
    quartiles: tuple[float | None, float | None]
    within: Mapping[str, float | None]
    promise: Promise = NO_PROMISE
    states: tuple[str, ...] = ()  # of STATES, of a team
    suppressed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Incidence:
    """Competing ends as columns over `t` seconds: the share ended in each way, and the share still open."""

    t: Numbers
    still_open: Numbers
    ended: Mapping[str, Numbers]


@dataclass(frozen=True, slots=True)
class Became:
    """After `t` seconds, the shares of all that was sent: reached the level, ended otherwise, still open."""

    t: float
    answered: float
    ended_otherwise: Mapping[str, float]
    still_open: float


def survival_curve(durations: ArrayLike, observed: ArrayLike) -> Curve:
    """Kaplan-Meier with right censoring: `durations` in seconds >= 0, `observed` true where answered.

    At equal times answers come before censorings. Kaplan & Meier, JASA 53 (1958) 457-481. The 95 % band is
    Greenwood's exponential (log-log) one, Kalbfleisch & Prentice, The Statistical Analysis of Failure Time
    Data (2nd ed. 2002). It is defined for 0 < S < 1 alone: before the first answer and once nothing is left
    open there is none, and none is made up. Raises ValueError on negative or non-finite durations and on
    columns of unequal length.
    """
    lengths = _lengths(durations)
    happened = np.asarray(observed, dtype=np.bool_).reshape(-1)
    if happened.size != lengths.size:
        raise ValueError("durations and observed differ in length")
    times, row, at_risk = _risk_table(lengths)
    answered = np.bincount(row[happened], minlength=times.size)
    survival = np.cumprod(1 - answered / at_risk, dtype=np.float64)
    lo, hi = _log_log_band(survival, answered, at_risk)
    events = int(happened.sum())
    n = lengths.size
    return Curve(times, survival, lo, hi, at_risk, answered, n=n, events=events, censored=n - events)


def time_answered(curve: Curve, share: float) -> float | None:
    """Seconds by which `share` (0..1) of the group has answered; None where the curve never gets there."""
    return _first(curve.t, curve.s, 1 - share)


def median_band(curve: Curve) -> tuple[float | None, float | None]:
    """95 % band of the median: where the curve's own band crosses one half, None = not reached.

    Brookmeyer & Crowley, Biometrics 38 (1982) 29-41, with the log-log band. (None, None) where there is too
    little for one: a single answer, or both edges cross with one step, which would leave it no width.
    """
    lo, hi = _first(curve.t, curve.lo, 0.5), _first(curve.t, curve.hi, 0.5)
    return (None, None) if curve.events < 2 or lo == hi else (lo, hi)


def answered_by(curve: Curve, seconds: float) -> Share | None:
    """Share answered by then, 1 - S(t), with its band; None where nobody was followed for so long.

    A curve ends with its longest duration: later it is known only if nothing is left open (S = 0).
    """
    at = int(np.searchsorted(curve.t, seconds, side="right")) - 1
    if at < 0 or (curve.t[-1] < seconds and curve.s[-1] > 0):
        return None
    share, lo, hi = (round(1 - float(column[at]), 12) for column in (curve.s, curve.hi, curve.lo))
    return Share(share, *(None if math.isnan(end) else end for end in (lo, hi)))


def within_promise(durations: ArrayLike, observed: ArrayLike, promised: ArrayLike) -> Promise:
    """The share that came within the time that was promised for each (seconds > 0), with its band.

    The curve is read at 1 after each duration was divided by its own promise: so teams and years with different
    promises are counted together, and where all promised the same it is the share answered by then.
    """
    lengths = np.asarray(promised, dtype=np.float64).reshape(-1)
    if not lengths.size:
        return NO_PROMISE
    known = answered_by(survival_curve(np.asarray(durations, dtype=np.float64) / lengths, observed), 1.0)
    return Promise(
        n=int(lengths.size),
        share=known.share if known else None,
        band=(known.lo, known.hi) if known else (None, None),
        shortest_seconds=float(lengths.min()),
        longest_seconds=float(lengths.max()),
    )


def group(
    key: str, label: str, curve: Curve, ends: Iterable[str | None] = (), promise: Promise = NO_PROMISE
) -> Group:
    """The figures of one group, in seconds; quartiles: when a quarter and three quarters had answered.

    `ends`: how each case ended; the curve has those of `OTHER_ENDS` among its censored.
    """
    counted = Counter(ends)
    otherwise = {end: counted[end] for end in OTHER_ENDS}
    shares = {window: answered_by(curve, seconds) for window, seconds in WINDOWS.items()}
    return Group(
        key=key,
        label=label,
        n=curve.n,
        events=curve.events + counted[UNDATED],
        censored=curve.censored - counted[UNDATED] - sum(otherwise.values()),
        undated=counted[UNDATED],
        ended_otherwise=otherwise,
        median_seconds=time_answered(curve, 0.5),
        band=median_band(curve),
        quartiles=(time_answered(curve, 0.25), time_answered(curve, 0.75)),
        within={window: known.share if known else None for window, known in shares.items()},
        promise=promise,
    )


def still_open_at(curve: Curve, moments: Iterable[float]) -> tuple[Point, ...]:
    """The curve read at these seconds, as far as somebody was followed so long: `t` is the moment asked for,
    `at_risk` who was followed at least so long without an answer.
    """
    points, rows = [], curve.points
    at_risk = np.append(curve.at_risk, 0)
    for moment in moments:
        row = int(np.searchsorted(curve.t, moment, side="right")) - 1
        if row >= 0 and moment <= curve.t[-1]:
            followed = int(at_risk[np.searchsorted(curve.t, moment)])
            points.append(rows[row]._replace(t=moment, at_risk=followed))
    return tuple(points)


# Beside any number and of equal rank: ours to mend, its own choice, its objection, and how little the number says.
STATES = ("no_address", "feeds", "disputed", "not_measured", "too_few")


def states_of(figures: Group, *, contested: bool, takes_feeds: bool, has_address: bool) -> tuple[str, ...]:
    """The `STATES` of a team's figures: not measured without a time that is known, too few without a band."""
    measured = figures.events - figures.undated + figures.censored > 0
    holds = (not has_address, takes_feeds, contested, not measured, measured and figures.band[0] is None)
    return tuple(state for state, it_holds in zip(STATES, holds, strict=True) if it_holds)


def as_json(figures: Group) -> dict[str, Any]:
    """The group in the stable shape of the API: plain lists, dicts, numbers and None."""
    shape = {column.name: getattr(figures, column.name) for column in fields(figures)}
    return shape | {
        "ended_otherwise": {**figures.ended_otherwise},
        "band": [*figures.band],
        "quartiles": [*figures.quartiles],
        "within": {**figures.within},
        "promise": asdict(figures.promise) | {"band": [*figures.promise.band]},
        "states": [*figures.states],
    }


def cumulative_incidence(durations: ArrayLike, ends: Sequence[str | None]) -> Incidence:
    """Aalen-Johansen: share ended by each kind of end, where one end excludes the others; None = still open.

    Unlike 1 - S with other ends censored it does not pretend that a bounced report may still be answered.
    Aalen & Johansen, Scand. J. Statist. 5 (1978) 141-150. Raises ValueError as `survival_curve` does.
    """
    lengths = _lengths(durations)
    kinds = np.array([end or "" for end in ends], dtype=np.str_)
    if kinds.size != lengths.size:
        raise ValueError("durations and ends differ in length")
    times, row, at_risk = _risk_table(lengths)
    leaving = np.bincount(row[kinds != ""], minlength=times.size)
    still_open = np.cumprod(1 - leaving / at_risk, dtype=np.float64)
    before = np.concatenate(([1.0], still_open[:-1]))[: times.size]
    ended = {
        str(kind): np.cumsum(before * np.bincount(row[kinds == kind], minlength=times.size) / at_risk)
        for kind in np.unique(kinds[kinds != ""])
    }
    return Incidence(times, still_open, ended)


def became_by(incidence: Incidence, moments: Iterable[float]) -> tuple[Became, ...]:
    """What had become of all that was sent, at these seconds, as far as somebody was followed so long."""
    found = []
    for moment in moments:
        at = int(np.searchsorted(incidence.t, moment, side="right")) - 1
        if at < 0 or (incidence.t[-1] < moment and incidence.still_open[-1] > _ROUNDING):
            continue
        shares = {end: float(column[at]) for end, column in incidence.ended.items()}
        otherwise = {end: shares.get(end, 0.0) for end in OTHER_ENDS}
        found.append(Became(moment, shares.get(ANSWERED, 0.0), otherwise, float(incidence.still_open[at])))
    return tuple(found)


def verdict_matrix(verdicts: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Notifications counted by (response, outcome), every cell present; ValueError on any other verdict."""
    matrix = {response: dict.fromkeys(OUTCOMES, 0) for response in RESPONSE_GROUPS}
    for response, outcome in verdicts:
        if outcome not in matrix.get(response, {}):
            raise ValueError(f"no such verdict: {response!r}, {outcome!r}")
        matrix[response][outcome] += 1
    return matrix


def _lengths(durations: ArrayLike) -> Numbers:
    lengths = np.asarray(durations, dtype=np.float64).reshape(-1)
    if not (np.isfinite(lengths) & (lengths >= 0)).all():
        raise ValueError("durations must be finite and not negative")
    return lengths


def _risk_table(lengths: Numbers) -> tuple[Numbers, NDArray[np.intp], Counts]:
    """0 and the distinct durations, each duration's row among them, and how many were open just before."""
    if not lengths.size:
        return lengths, np.empty(0, np.intp), np.empty(0, np.int64)
    times, row = np.unique(np.append(lengths, 0.0), return_inverse=True)
    row = row[:-1]
    leaving = np.bincount(row, minlength=times.size)
    return times, row, lengths.size - (np.cumsum(leaving) - leaving)


def _greenwood_sum(answered: Counts, at_risk: Counts) -> Numbers:
    left = (at_risk - answered) * at_risk.astype(np.float64)
    return np.cumsum(np.divide(answered, left, out=np.zeros_like(left), where=left > 0))


def _log_log_band(survival: Numbers, answered: Counts, at_risk: Counts) -> tuple[Numbers, Numbers]:
    """NaN where S is 0 or 1: log(-log S) is not defined there."""
    started = (survival < 1) & (survival > 0)
    log_s = np.log(survival, out=np.full_like(survival, -1.0), where=started)
    width = np.where(started, _Z * np.sqrt(_greenwood_sum(answered, at_risk)) / -log_s, 0.0)
    lo, hi = (np.where(started, survival ** np.exp(side), np.nan) for side in (width, -width))
    return lo, hi


def _known(column: Numbers) -> list[float | None]:
    return [None if math.isnan(number) else number for number in column.tolist()]


def _first(times: Numbers, column: Numbers, share: float) -> float | None:
    reached = np.flatnonzero(column <= share + _ROUNDING)
    return float(times[reached[0]]) if reached.size else None
