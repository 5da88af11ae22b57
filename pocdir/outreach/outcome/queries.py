"""What became of an incident: assets and controls by state, and its notifications by answer and outcome."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocdir.incidents.models import Incident
from pocdir.incidents.rules.quiet import LONG_AGO, Ints
from pocdir.incidents.sightings.queries import Measured, measured
from pocdir.ledger import queries as ledger
from pocdir.outreach.queries.snapshots import Snapshot, of_incidents
from pocdir.outreach.rules import measured as rules
from pocdir.outreach.rules.controls import meant
from pocdir.outreach.rules.corrections import counting

_CLAIMED = "outcome.remediation_claimed"


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What was measured of an incident, each asset's state by its place, and the counts that pages and API show.

    Three sorts of assets: told (named in a notification that stands), baseline (controls that none names), and
    untold: neither.
    """

    measured: Measured
    states: np.ndarray[Any, np.dtype[np.str_]]
    told: np.ndarray[Any, np.dtype[np.bool_]]  # named in a notification
    baseline: np.ndarray[Any, np.dtype[np.bool_]]  # controls that no notification names
    untold: np.ndarray[Any, np.dtype[np.bool_]]  # no control, and named in none
    assets: dict[str, int]
    controls: dict[str, int]
    untold_assets: dict[str, int]
    matrix: dict[str, dict[str, int]]
    became: dict[str, str]  # by notification, a column of the matrix

    def as_json(self) -> dict[str, Any]:
        return {
            "assets": self.assets,
            "untold": self.untold_assets,
            "controls": self.controls,
            "matrix": self.matrix,
        }


def outcome(incident: Incident, told: Sequence[Snapshot] | None = None) -> Outcome:
    """What became of an incident, as all its sightings say it now; `told`: its notifications, where they are known."""
    return _outcome(measured(incident), of_incidents([incident.id]) if told is None else told)


def outcome_of_one(incident: Incident, told: Snapshot) -> Outcome:
    """What became of one notification: of its assets alone, however many more its incident has."""
    values = {each if isinstance(each, str) else each["value"] for each in told.row.assets}
    return _outcome(measured(incident, values=values), [told])


def _outcome(found: Measured, told: Sequence[Snapshot]) -> Outcome:
    states = found.silences.states(found.quiet_after)
    rows = [each.row for each in told]
    rows = [row for row in rows if row.withdrawn_at is None]
    claims = _claims([row.ref for row in rows if row.outcome == "claimed"])
    places = found.places
    cells, verdicts, named = [], {}, np.zeros(len(found.ids), dtype=np.bool_)
    for row in rows:
        mine, is_whole = assets_of(row.assets, places, found)
        named[mine] = True
        last = int(found.silences.last_seen[mine].max(initial=LONG_AGO))
        became = rules.outcome_of(
            states[mine].tolist() + ([] if is_whole else ["unknown"]),
            row.outcome,
            claimed_at=claims.get(row.ref),
            last_seen=None if last == LONG_AGO else dt.datetime.fromtimestamp(last, dt.UTC),
        )
        cells.append((row.response, row.transport, became))
        verdicts[row.ref] = became
    untold, baseline = ~found.control & ~named, found.control & ~named
    return Outcome(
        found,
        states,
        named,
        baseline,
        untold,
        rules.tally(states[named].tolist()),
        rules.tally(states[baseline].tolist()),
        rules.tally(states[untold].tolist()),
        rules.matrix(cells),
        verdicts,
    )


def assets_of(
    told: Sequence[Mapping[str, Any]], places: Mapping[str, Sequence[int]], found: Measured
) -> tuple[Ints, bool]:
    """The places of a notification's assets, and whether that is all it speaks of: others are no asset of the incident.

    Without a port every asset of that value is meant, with one that of this port, else that without any.
    """
    mine: dict[int, None] = {}
    is_whole = bool(told)
    for each in told:
        value, port = (each, None) if isinstance(each, str) else (each["value"], each.get("port"))
        known = places.get(value, ())
        if port:
            ports = meant(port, [found.values[place][1] for place in known])
            known = [place for place in known if found.values[place][1] in ports]
        mine |= dict.fromkeys(known)
        is_whole &= bool(known)
    return np.array(list(mine), dtype=np.int64), is_whole


def _claims(refs: Sequence[str]) -> dict[str, dt.datetime]:
    """When the recipient last said that it is done, by notification."""
    found = {}
    for ref, events in ledger.events_of_notifications(refs).items():
        said = [event.occurred_at for event in counting(events) if event.type == _CLAIMED]
        if said:
            found[ref] = max(said)
    return found
