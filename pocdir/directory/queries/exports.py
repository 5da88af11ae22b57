"""The teams as a file holds them, in pocdir-json's shape."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from pocdir.db import Line, db
from pocdir.directory.queries.entries import EVERYBODY, Entry, entries, said
from pocdir.directory.queries.in_force import order
from pocdir.directory.queries.reading import reading as reading_at
from pocdir.directory.queries.sources import teller
from pocdir.directory.rules import record as rules


class Exported(NamedTuple):
    """Teams in pocdir-json's shape, by slug; the newest date of their sources, of all and of each."""

    teams: list[dict[str, Any]]
    as_of: str
    dates: dict[str, str]


def exported(at: dt.datetime | None = None) -> tuple[list[dict[str, Any]], str]:
    """Every team in force (at a moment) in pocdir-json's shape, by slug, and the newest date of their sources."""
    whole = exported_with_dates(at)
    return whole.teams, whole.as_of


def exported_with_dates(
    at: dt.datetime | None = None,
    *,
    audiences: Collection[str] = EVERYBODY,
    passes: Callable[[Entry], Entry] = lambda it: it,
) -> Exported:
    """Every team in force (at a moment) for some audiences, each as `passes` leaves it, and the date of each."""
    reading = reading_at(at)
    facts: dict[int, list[Line]] = {}
    for fact in db.session().connection().execute(reading.facts):
        facts.setdefault(fact.team_id, []).append(fact)
    teams, dates = [], {}
    for it in map(passes, entries(audiences=audiences, reading=reading)):
        said = rules.facts_in_force(facts.get(it.team.id, []), order, teller).values()
        rows: tuple[Any, ...] = (*said, *it.channels, *it.responsibilities)
        dates[it.team.slug] = max((row.as_of for row in rows), default="")
        confidence = min((row.confidence for row in said), key=rules.CONFIDENCES.index, default="medium")
        teams.append(_exported(it, confidence))
    return Exported(teams, max(dates.values(), default=""), dates)


def _exported(it: Entry, confidence: str) -> dict[str, Any]:
    channel = (
        "kind",
        "value",
        "purpose",
        "preference",
        "openpgp_fingerprint",
        "audience",
        "hours",
        "confidence",
    )
    responsibility = ("key", "value", "role", "rank", "valid_from", "valid_to", "confidence")
    return {
        "slug": it.team.slug,
        **said(it.team),
        "confidence": confidence,
        "channels": [
            {name: getattr(row, name) for name in channel}
            for row in sorted(it.channels, key=lambda c: (c.preference, c.kind, c.value, c.purpose))
        ],
        "responsibilities": [
            {name: getattr(row, name) for name in responsibility} for row in it.responsibilities
        ],
    }
