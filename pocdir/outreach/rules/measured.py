"""How what a sensor measured becomes events of a notification, and a cell of the verdict matrix."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pocdir.core.times import isoformat
from pocdir.incidents.rules.quiet import Turn
from pocdir.ledger.rules.events import Event
from pocdir.outreach.rules.corrections import counting
from pocdir.outreach.rules.fold import RESPONSE_GROUPS, response_group

SCOPE = "measured"  # of the idempotency keys
MOST_TURNS = 50  # of one notification: of devices that come and go for ever the first ones, and the last
OUTCOMES = ("observed", "claimed", "none", "unknown")
STATES = ("quiet", "seen", "unknown")
_TYPES = {"observed": "outcome.remediation_observed", "relapsed": "outcome.relapsed"}


@dataclass(frozen=True, slots=True)
class Due:
    """An event that the sightings call for."""

    type: str
    at: dt.datetime
    payload: Mapping[str, Any] = field(default_factory=dict, compare=False)


def called_for(
    turns: Iterable[Turn], *, assets: int, method: str | None, quiet_after: str, is_red: bool
) -> list[Due]:
    """The events that the turns of a notification's assets call for, in their order."""
    every = list(turns)
    if len(every) > MOST_TURNS:
        every = [*every[:MOST_TURNS], every[-1]]
    return [_due(turn, assets, method, quiet_after, is_red) for turn in every]


def _due(turn: Turn, assets: int, method: str | None, quiet_after: str, is_red: bool) -> Due:
    payload: dict[str, Any] = {"all": assets, "method": method, "quiet_after": quiet_after}
    if turn.type == "observed":
        payload["count"] = assets
        if turn.last_seen is not None and not is_red:
            payload["last_seen"] = isoformat(_moment(turn.last_seen))
    return Due(_TYPES[turn.type], _moment(turn.at), payload)


def settle(events: Sequence[Event], due: Sequence[Due]) -> tuple[list[Due], list[Event]]:
    """What to record, and what was recorded of earlier sightings and is to be taken back, so that just `due` counts.

    The same for any order in which the sightings came, and nothing where they changed nothing. What a person has
    recorded stays.
    """
    standing = [event for event in counting(events) if is_measured(event)]
    kept = {(event.type, event.occurred_at) for event in standing}
    wanted = {(each.type, each.at) for each in due}
    return (
        [each for each in due if (each.type, each.at) not in kept],
        [event for event in standing if (event.type, event.occurred_at) not in wanted],
    )


def is_measured(event: Event) -> bool:
    """Whether the event came from sightings, not from a person's hand."""
    return event.type in _TYPES.values() and (event.idempotency_key or "").startswith(f"{SCOPE}:")


def key_of(ref: str, due: Due, events: Iterable[Event]) -> str:
    """The idempotency key: once, and once more each time after it was taken back."""
    before = sum(is_measured(it) and (it.type, it.occurred_at) == (due.type, due.at) for it in events)
    return f"{SCOPE}:{ref}:{due.type}:{int(due.at.timestamp())}:{before}"


def outcome_of(
    states: Sequence[str],
    outcome: str,
    *,
    claimed_at: dt.datetime | None = None,
    last_seen: dt.datetime | None = None,
) -> str:
    """What became of a notification, as the matrix of an incident counts it: one of OUTCOMES.

    `states` of its assets, of which at least one is known; `outcome` as its events say it. All quiet is *observed*.
    Else a claim holds that no later sighting contradicts; *none*: something is still seen; *unknown*: not measured
    (long enough). Where none of its assets was measured the events decide alone.
    """
    if states and all(state == "quiet" for state in states):
        return "observed"
    if not states or all(state == "unknown" for state in states):
        return {"relapsed": "none"}.get(outcome, outcome)
    if claimed_at is not None and (last_seen is None or last_seen <= claimed_at):
        return "claimed"
    return "none" if "seen" in states else "unknown"


def matrix(cells: Iterable[tuple[str, str, str]]) -> dict[str, dict[str, int]]:
    """Notifications by (response, transport, outcome) counted as response group x outcome; every cell is there."""
    counts = {group: dict.fromkeys(OUTCOMES, 0) for group in RESPONSE_GROUPS}
    for response, transport, outcome in cells:
        counts[response_group(response, transport)][outcome] += 1
    return counts


def tally(states: Iterable[str]) -> dict[str, int]:
    """How many assets in all, and in each state."""
    found = {"all": 0, **dict.fromkeys(STATES, 0)}
    for state in states:
        found["all"] += 1
        found[state] += 1
    return found


def _moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)
