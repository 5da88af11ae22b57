"""What stands beside the figures of a team, with equal rank: why they say little, or are disputed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pocdir.latency.queries import Case, grouped
from pocdir.latency.rules import Group, states_of
from pocdir.routing.rules.index import Index


def with_states(groups: Iterable[Group], found: Sequence[Case], known: Index) -> list[Group]:
    """Groups by team with their states, of the cases `found` and as the directory has the teams now."""
    cases = grouped(found, "team")
    return [replace(each, states=_states(each, cases[each.key][1], known)) for each in groups]


def _states(figures: Group, cases: Sequence[Case], known: Index) -> tuple[str, ...]:
    indexed = known.indexed_team(figures.key)
    return states_of(
        figures,
        contested=any(each.state.response == "contested" for each in cases),
        takes_feeds=indexed is not None and "feeds" in indexed.team.reception.intake,
        has_address=indexed is not None and indexed.reach["incident"].channel is not None,
    )
