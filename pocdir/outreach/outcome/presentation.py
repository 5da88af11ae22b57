"""What sensors say of an incident as its page shows it: curves, tables, and entries of the timeline."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from flask_babel import format_decimal, format_percent
from flask_babel import gettext as _

from pocdir.incidents.models import Incident
from pocdir.incidents.rules.quiet import LONG_AGO, Ints, Quiets, still_seen
from pocdir.ledger.queries import events_of_incident, events_of_notifications
from pocdir.ledger.rules.events import Event
from pocdir.outreach.outcome.queries import Outcome, outcome
from pocdir.outreach.presentation.timeline import timeline_of
from pocdir.outreach.queries.snapshots import Snapshot, of_incidents
from pocdir.web.charts import DAY, HOUR, Line, Words, survival_chart

TABLE_AT = (0, 6 * HOUR, *(n * DAY for n in (1, 2, 3, 5, 7, 14, 30, 60, 90, 180, 365)))


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """A step curve of how many of `count` assets are still seen, as charts take it: there is no band."""

    t: Ints
    number: Ints
    count: int

    @property
    def s(self) -> Any:
        return self.number / self.count

    @property
    def lo(self) -> Any:
        return np.full(self.t.size, np.nan)

    @property
    def hi(self) -> Any:
        return np.full(self.t.size, np.nan)

    @property
    def at_risk(self) -> Ints:
        """How many just before each step."""
        return np.append(self.number[:1], self.number[:-1])

    def at(self, seconds: int) -> int:
        """How many from this moment on."""
        return int(self.number[np.searchsorted(self.t, seconds, side="right") - 1])


def measured(out: Outcome, told_at: Sequence[dt.datetime]) -> dict[str, Any] | None:
    """What the page shows of an incident's sightings; None where nothing was measured."""
    windows = out.measured.windows
    if not windows:
        return None
    begin = min(int(each.begins_at.timestamp()) for each in windows)
    end = max(int(each.ends_at.timestamp()) for each in windows)
    quiets = out.measured.silences.quiets(out.measured.quiet_after)
    curves = {
        name: still
        for name, of in (("assets", out.told), ("controls", out.baseline))
        if (still := _still(quiets, of & (out.states != "unknown"), begin, end)) is not None
    }
    first = min(told_at, default=None)
    return {
        "begin": dt.datetime.fromtimestamp(begin, dt.UTC),
        "end": dt.datetime.fromtimestamp(end, dt.UTC),
        "told_after": None if first is None else first.timestamp() - begin,
        "windows": len(windows),
        "quiet_after": out.measured.quiet_after,
        "chart": _chart(curves, end - begin) if curves else None,
        "points": [_point(at, curves) for at in _table_times(end - begin)],
        "expected": _share(out.controls),
        "gone": _share(out.assets),
    }


def _still(quiets: Quiets, of: np.ndarray[Any, Any], begin: int, end: int) -> Still | None:
    count = int(of.sum())
    if not count:
        return None
    mine = of[quiets.asset]
    chosen = Quiets(quiets.asset[mine], quiets.since[mine], quiets.at[mine], quiets.until[mine])
    times, number = still_seen(chosen, count, begin)
    if times[-1] < end - begin:
        times, number = np.append(times, end - begin), np.append(number, number[-1])
    return Still(times, number, count)


def _share(counts: Mapping[str, int]) -> float | None:
    known = counts["all"] - counts["unknown"]
    return counts["quiet"] / known if known else None


def _table_times(length: int) -> list[int]:
    return [*(at for at in TABLE_AT if at < length), length]


def _point(at: int, curves: Mapping[str, Still]) -> dict[str, Any]:
    return {"t": at} | {
        name: {"number": still.at(at), "of": still.count, "share": still.at(at) / still.count}
        for name, still in curves.items()
    }


def _chart(curves: Mapping[str, Still], length: int) -> Any:
    labels = {"assets": _("told"), "controls": _("not told")}
    lines = [Line(labels[name], still) for name, still in curves.items()]
    said = "; ".join(
        _(
            "%(label)s: %(share)s still seen at the end",
            label=line.label,
            share=format_percent(still.s[-1]),
        )
        for line, still in zip(lines, curves.values(), strict=True)
    )
    says = Words(
        title=_("Still seen, by time since measuring began"),
        desc=said,
        still_open=_("Still seen"),
        hours=_("hours since measuring began"),
        days=_("days since measuring began"),
        still_waiting=_("Number still seen"),
    )
    number = lambda count: str(format_decimal(count))  # noqa: E731
    return survival_chart(lines, says, ident="seen", until=length, percent=format_percent, number=number)


def happened(
    ref: str, told: Sequence[Snapshot], by_notification: Mapping[str, Sequence[Event]], out: Outcome
) -> list[dict[str, Any]]:
    """An incident's answers and sightings side by side, from its own events and those of who was told, in time."""
    events = [*events_of_incident(ref), *chain.from_iterable(by_notification.values())]
    return timeline(timeline_of(events, told), out)


def entries_of(incident: Incident) -> list[dict[str, Any]]:
    """The timeline of an incident as API and command show it, each entry with its cursor."""
    told = of_incidents([incident.id])
    by_notification = events_of_notifications([each.row.ref for each in told])
    return [_entry(each) for each in happened(incident.ref, told, by_notification, outcome(incident, told))]


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    run = entry["measured"]
    if run is not None:
        at = run["end"]
        return {"cursor": f"{run['method']}:{at.isoformat()}", "at": at, "event": None, "measured": run}
    return {"cursor": entry["id"], "at": entry["occurred_at"], "event": entry, "measured": None}


def timeline(entries: Sequence[dict[str, Any]], out: Outcome) -> list[dict[str, Any]]:
    """Answers and sightings in one line of time: windows with nothing between them are one entry.

    `entries` as presentation.timeline.timeline_of gives them; each gets `measured`, None or what was measured by then.
    """
    answers = [{**each, "measured": None} for each in entries if each["type"] != "sightings.recorded"]
    moments = sorted(each["occurred_at"] for each in answers)
    runs = _runs(out, moments)
    together = [(run["end"], 0, {"measured": run}) for run in runs]
    together += [(each["occurred_at"], 1, each) for each in answers]
    return [each for _at, _kind, each in sorted(together, key=lambda it: it[:2])]


def _runs(out: Outcome, moments: Sequence[dt.datetime]) -> list[dict[str, Any]]:
    """Windows of a method that follow one another without an answer between them, with who was seen in them."""
    windows = out.measured.windows
    order = sorted(range(len(windows)), key=lambda row: (windows[row].ends_at, windows[row].begins_at, row))
    run_of = np.zeros(len(windows), dtype=np.int64)
    runs: list[dict[str, Any]] = []
    last: dict[str, tuple[int, int]] = {}  # by method: its last run, and how many answers lay before it
    for row in order:
        each = windows[row]
        before = bisect_left(moments, each.ends_at)
        number, then = last.get(each.method, (-1, -1))
        if then != before:
            number = len(runs)
            runs.append({"method": each.method, "begin": each.begins_at, "windows": 0})
        last[each.method] = (number, before)
        run_of[row] = number
        run = runs[number]
        run |= {
            "begin": min(run["begin"], each.begins_at),
            "end": each.ends_at,
            "windows": run["windows"] + 1,
        }
    seen = np.unique(np.stack((run_of[out.measured.window], out.measured.stretches.asset)), axis=1)
    counts = [
        np.bincount(seen[0][of[seen[1]]], minlength=len(runs)) for of in (out.told, out.baseline, out.untold)
    ]
    for number, run in enumerate(runs):
        run |= {
            "seen": int(counts[0][number]), "of": out.assets["all"],
            "controls_seen": int(counts[1][number]), "controls": out.controls["all"],
            "untold_seen": int(counts[2][number]), "untold": out.untold_assets["all"],
        }  # fmt: skip
    return runs


def with_states(assets: Sequence[Any], out: Outcome) -> list[dict[str, Any]]:
    """Assets as the page lists them, each with its state and when it was seen last."""
    place = {int(row): at for at, row in enumerate(out.measured.ids)}
    shown = []
    for each in assets:
        at = place.get(each.id)
        last = LONG_AGO if at is None else int(out.measured.silences.last_seen[at])
        shown.append(
            {
                "value": each.value,
                "port": each.port,
                "control": each.control,
                "state": "unknown" if at is None else str(out.states[at]),
                "last_seen": None if last == LONG_AGO else dt.datetime.fromtimestamp(last, dt.UTC),
            }
        )
    return shown


def with_outcome(notification: dict[str, Any], out: Outcome) -> dict[str, Any]:
    """A notification as the page lists it: with the outcome that the matrix counts, which the sensors decide.

    Where none of its assets was measured the events do; what they call seen again is said so, not just still seen.
    """
    said = notification["state"]["outcome"]
    became = out.became.get(notification["ref"], said)
    shown = said if (said, became) == ("relapsed", "none") else became
    return notification | {"state": notification["state"] | {"outcome": shown}}
