"""What each source says of a team: its facts, channels and responsibilities, the one in force first."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from pocdir.db import Line, db
from pocdir.directory.queries.in_force import among, channel_rows, order, responsibility_rows
from pocdir.directory.queries.reading import NOW, ChannelRow, Reading, ResponsibilityRow
from pocdir.directory.rules import record as rules

_S = NOW.tables.sources.c


def facts_of(slug: str, *, reading: Reading = NOW) -> list[dict[str, Any]]:
    """What every source says of a team's own columns, the one that stands (`in_force`) first."""
    teams = reading.tables.teams
    rows = db.session().connection().execute(
        reading.facts.where(among(teams.c, select(teams.c.id).where(teams.c.slug == slug)))
    )  # fmt: skip
    ordered = sorted(rows, key=lambda row: (row.field, order(row)))
    first = rules.facts_in_force(ordered, order, teller)
    facts = [
        {
            "field": row.field, "value": row.value, "source": row.source, "url": row.url, "as_of": row.as_of,
            "origin": row.origin, "confidence": row.confidence, "recorded_at": row.recorded_at,
            "since": row.since, "in_force": first.get(row.field) is row,
        }
        for row in ordered
    ]  # fmt: skip
    return sorted(facts, key=lambda fact: (fact["field"], not fact["in_force"]))


def tellers(
    team_id: int, *, reading: Reading = NOW
) -> dict[tuple[str, ...], list[ChannelRow | ResponsibilityRow]]:
    """What each source says of a team's channels and responsibilities, by their identity, the one in force first.

    An identity is (kind, value, purpose) or (key, value, role); also those that a steward withdrew.
    """
    found: dict[tuple[str, ...], list[ChannelRow | ResponsibilityRow]] = {}
    for channel in sorted(channel_rows([team_id], reading), key=order):
        found.setdefault((channel.kind, channel.value, channel.purpose), []).append(channel)
    for row in sorted(responsibility_rows([team_id], reading), key=order):
        found.setdefault((row.key, row.value, row.role), []).append(row)
    return found


def source_urls() -> dict[str, str | None]:
    """Where each source is to be read, by its name."""
    rows = db.session().connection().execute(select(_S.name, _S.url))
    return {row.name: row.url for row in rows}


def teller(row: Line) -> tuple[str, str]:
    return row.source, row.origin
