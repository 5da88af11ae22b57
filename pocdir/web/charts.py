"""Survival curves as SVG made on the server: step lines with band, median and the numbers still waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from markupsafe import Markup
from numpy.typing import ArrayLike, NDArray

from pocdir.web.svg import mark, picture, shortened, words

Numbers = NDArray[np.float64]
Spoken = Callable[[float], str]

MOST_LINES = 6
HOUR, DAY = 3600, 86400

_WIDTH, _LEFT, _TOP, _BOTTOM = 480, 54, 30, 250
_ROOM = 13  # letters of a name beside its line
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_STEPS = {HOUR: (1, 2, 3, 6, 12, 24), DAY: (1, 2, 5, 7, 10, 14, 30, 60, 90, 180, 365, 730, 1825, 3650)}
# Part of the drawing, not of the style: lines must be told apart on paper and by every eye.
_DASHES = ("none", "7 4", "2 3", "12 4 2 4", "16 5", "6 3 1 3 1 3")


class Steps(Protocol):
    """Columns of a step curve: from t[i] seconds on s[i] is open, within lo[i]..hi[i] (NaN: none); t ascends from 0."""

    @property
    def t(self) -> ArrayLike: ...
    @property
    def s(self) -> ArrayLike: ...
    @property
    def lo(self) -> ArrayLike: ...
    @property
    def hi(self) -> ArrayLike: ...
    @property
    def at_risk(self) -> ArrayLike: ...


@dataclass(frozen=True, slots=True)
class Line:
    """One group: its curve, its median in seconds (None = not reached), and what to say of the median."""

    label: str
    curve: Steps
    median: float | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """What the picture says, in the reader's language; `hours` and `days` name the time axis."""

    title: str
    desc: str
    still_open: str
    hours: str
    days: str
    still_waiting: str


def plain_percent(share: float) -> str:
    """`50 %`, for readers without a locale."""
    return f"{share * 100:.0f} %"


def plain_number(count: float) -> str:
    """`1,234`, for readers without a locale."""
    return f"{count:,.0f}"


def survival_chart(
    lines: Sequence[Line],
    says: Words,
    *,
    ident: str = "curve",
    until: float | None = None,
    percent: Spoken = plain_percent,
    number: Spoken = plain_number,
) -> Markup:
    """Step curves, at most six side by side, with band, median and the numbers still waiting below.

    The time axis ends at `until` seconds, else with the longest curve; up to three days it counts hours.
    `ident` starts the ids of the picture and must be its own on the page. The number at a tick counts who was
    followed at least so long without an answer. Raises ValueError on more than six lines.
    """
    if len(lines) > MOST_LINES:
        raise ValueError(f"at most {MOST_LINES} lines can be told apart")
    frame = _framed(lines, until, number)
    body = [_grid(frame, says, percent, number)]
    body += [_median_guide(frame, line.median) for line in lines if len(lines) == 1]
    body += [_drawn(frame, place, line) for place, line in enumerate(lines)]
    body += _end_labels(frame, lines) if len(lines) > 1 else _median_note(frame, lines)
    body += _waiting(frame, lines, says, number)
    size = (_WIDTH, _BOTTOM + (70 + 18 * len(lines) if lines else 46))
    return picture("chart km", ident, size, title=says.title, desc=says.desc, body=body)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where seconds and shares lie in the picture; `fine` is how far a step may be moved to save room."""

    right: float
    end: float
    unit: int
    step: int
    fine: float

    def x(self, seconds: Any) -> Any:
        return _LEFT + seconds / self.end * (self.right - _LEFT)

    def y(self, share: Any) -> Any:
        return _BOTTOM - share * (_BOTTOM - _TOP)

    def ticks(self) -> range:
        return range(0, int(self.end / self.unit + 1e-9) + 1, self.step)


def _framed(lines: Sequence[Line], until: float | None, number: Spoken) -> _Frame:
    followed = [t for line in lines if (t := _column(line.curve.t)).size]
    end = max(until or max((float(t[-1]) for t in followed), default=0.0), HOUR)
    unit = HOUR if end <= 3 * DAY else DAY
    right = 348 if len(lines) > 1 else 464
    most = max((int(n[0]) for line in lines if (n := _column(line.curve.at_risk)).size), default=0)
    room = (right - _LEFT) / max(40, 9 * len(number(most)) + 8)
    step = next((step for step in _STEPS[unit] if end / (step * unit) <= room), _STEPS[unit][-1])
    return _Frame(right, end, unit, step, fine=1.25 if len(lines) > 2 else 0.5)


def _grid(frame: _Frame, says: Words, percent: Spoken, number: Spoken) -> Markup:
    rules = "".join(f"M{_LEFT} {frame.y(share):g}H{frame.right:g}" for share in _SHARES)
    axis = [mark('<path class="grid" fill="none" d="{d}"/>', d=rules), words("axis", 0, 14, says.still_open)]
    axis += [words("tick", _LEFT - 8, frame.y(share) + 4, percent(share), "end") for share in _SHARES]
    for tick in frame.ticks():
        axis.append(words("tick", frame.x(tick * frame.unit), _BOTTOM + 19, number(tick), "middle"))
    name = says.hours if frame.unit == HOUR else says.days
    axis.append(words("axis", (_LEFT + frame.right) / 2, _BOTTOM + 37, name, "middle"))
    return Markup("").join(axis)


def _drawn(frame: _Frame, place: int, line: Line) -> Markup:
    """Band, line and median of one group."""
    t = _column(line.curve.t)
    if not t.size:
        return Markup("")
    end = frame.x(min(float(t[-1]), frame.end))
    x, last = _cells(frame.x(t[: np.searchsorted(t, frame.end, side="right")]), frame.fine)
    share = _column(line.curve.s)
    # Where there is no band its edges lie on the line, so that nothing is shaded there.
    edges = [np.where(np.isnan(edge), share, edge) for edge in map(_column, (line.curve.lo, line.curve.hi))]
    s, lo, hi = (_thin(x, frame.y(column[last]), frame.fine) for column in (share, *edges))
    return mark(
        '<g class="g{place}"><title>{title}</title><path class="band" d="{band}"/>'
        '<path class="line" fill="none" stroke-dasharray="{dash}" d="{line}"/>{median}</g>',
        place=place,
        title=": ".join(filter(None, (line.label, line.note))),
        band=_there(*hi, end) + _and_back(*lo),
        dash=_DASHES[place],
        line=_there(*s, end),
        median=_median_dot(frame, line.median),
    )


def _median_dot(frame: _Frame, median: float | None) -> Markup:
    if median is None or median > frame.end:
        return Markup("")
    x, y = frame.x(median), frame.y(0.5)
    return mark('<circle class="dot" cx="{x:.1f}" cy="{y:g}" r="3.5"/>', x=x, y=y)


def _median_guide(frame: _Frame, median: float | None) -> Markup:
    """From one half of the group down to the time by which it had answered; several would hide the curves."""
    if median is None or median > frame.end:
        return Markup("")
    path = f"M{_LEFT} {frame.y(0.5):g}H{frame.x(median):.1f}V{_BOTTOM}"
    return mark('<path class="med" fill="none" d="{d}"/>', d=path)


def _cells(x: Numbers, grain: float) -> tuple[Numbers, NDArray[np.intp]]:
    """Steps closer together than `grain` drawn as one: where it stands, and the row whose height it takes."""
    edge = np.flatnonzero(np.diff(np.floor(x / grain))) + 1
    return x[np.append(0, edge)], np.append(edge - 1, x.size - 1)


def _thin(x: Numbers, y: Numbers, grain: float) -> tuple[Numbers, Numbers]:
    """The steps worth drawing: no height is off by more than `grain`, and the last one is exact."""
    moved = np.diff(np.round(y / grain), prepend=np.round(_TOP / grain)) != 0
    moved[-1] |= y[-1] != _TOP
    return x[moved].round(1), y[moved].round(1)


def _there(x: Numbers, y: Numbers, end: float) -> str:
    return f"M{_LEFT} {_TOP}{_steps(x, y)}H{end:.1f}"


def _and_back(x: Numbers, y: Numbers) -> str:
    heights = np.append(_TOP, y)
    return f"V{heights[-1]:g}{_steps(x[::-1], heights[-2::-1])}Z"


def _steps(x: Numbers, y: Numbers) -> str:
    return "H%gV%g" * x.size % tuple(np.column_stack((x, y)).ravel().tolist())


def _median_note(frame: _Frame, lines: Sequence[Line]) -> list[Markup]:
    """Beside the median's mark, else above the plot, where no line and no number is."""
    base = _BOTTOM - 9
    for line in lines:
        if line.median is None or line.median > frame.end:
            return [words("medt", frame.right, 14, line.note, "end")]
        at = frame.x(line.median)
        if at > (_LEFT + frame.right) / 2:
            return [words("medt", at - 7, base, line.note, "end")]
        return [words("medt", at + 7, base, line.note)]
    return []


def _end_labels(frame: _Frame, lines: Sequence[Line]) -> list[Markup]:
    """Each line's name where it ends, spread so that none covers another."""
    gap = 17
    ends = sorted(_ends(frame, lines), key=lambda end: (end[2], end[0]))
    labels, taken = [], float(_TOP - gap)
    for still_to_come, (place, x, y) in zip(range(len(ends) - 1, -1, -1), ends, strict=True):
        taken = min(max(taken + gap, y), _BOTTOM - gap * still_to_come)
        lead = f"M{x:.1f} {y:.1f}H{frame.right + 3:g}L{frame.right + 13:g} {taken:.1f}"
        labels.append(mark('<path class="leader g{place}" fill="none" d="{d}"/>', place=place, d=lead))
        labels.append(_name(frame, place, taken + 4, lines[place].label))
    return labels


def _ends(frame: _Frame, lines: Sequence[Line]) -> Iterator[tuple[int, float, float]]:
    for place, line in enumerate(lines):
        t, s = _column(line.curve.t), _column(line.curve.s)
        if t.size:
            last = int(np.searchsorted(t, frame.end, side="right")) - 1
            yield place, frame.x(min(float(t[-1]), frame.end)), frame.y(float(s[last]))


def _waiting(frame: _Frame, lines: Sequence[Line], says: Words, number: Spoken) -> list[Markup]:
    """The number still waiting at each tick, a row for each group."""
    cells = [words("axis", 0, _BOTTOM + 62, says.still_waiting)] if lines else []
    for place, line in enumerate(lines):
        base = _BOTTOM + 80 + 18 * place
        t, at_risk = _column(line.curve.t), np.append(_column(line.curve.at_risk), 0)
        for tick in frame.ticks():
            count = at_risk[np.searchsorted(t, tick * frame.unit)]
            cells.append(words("risk", frame.x(tick * frame.unit), base, number(int(count)), "middle"))
        if len(lines) > 1:
            cells.append(_name(frame, place, base, line.label))
    return cells


def _name(frame: _Frame, place: int, y: float, label: str) -> Markup:
    return words(f"lab g{place}", frame.right + 17, y, shortened(label, _ROOM))


def _column(values: ArrayLike) -> Numbers:
    return np.asarray(values, dtype=np.float64)
