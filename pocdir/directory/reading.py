"""The SELECTs of the directory, over what stands or over what stood at a moment."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select

from pocdir.directory.past import Tables, standing

Rows = Select[Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read and how; `at` is None for the directory as it stands."""

    at: dt.datetime | None
    tables: Tables
    teams: Rows
    channels: Rows
    responsibilities: Rows
    facts: Rows


def reading(at: dt.datetime | None) -> Reading:
    """The directory as it stands (None), or as it stood at a moment."""
    tables = standing(at)
    team, fact, address, channel, row, source = (table.c for table in tables)
    teams = select(
        team.id, team.slug, team.name, team.short_name, team.kind, team.country, team.website,
        team.languages, team.timezone, team.host_kind, team.memberships, team.parent, team.profile, team.lead,
        team.retired_at, team.confirmed_at, team.created_at, team.updated_at, team.revision,
    )  # fmt: skip
    channels = (
        select(
            channel.team_id, address.kind, address.value, channel.purpose, channel.preference, address.state,
            address.state_since, address.evidence, channel.openpgp_fingerprint, channel.audience,
            channel.origin, source.name, channel.as_of, channel.confidence, channel.since, channel.hours,
            source.kind.label("class"), channel.withdrawn,
        )
        .join(tables.addresses, channel.address_id == address.id)
        .join(tables.sources, channel.source_id == source.id)
    )  # fmt: skip
    responsibilities = select(
        row.team_id, row.key, row.value, row.role, row.rank, row.origin, source.name, row.as_of, row.valid_from,
        row.valid_to, row.confidence, row.since, source.kind.label("class"), row.withdrawn,
    ).join(tables.sources, row.source_id == source.id)  # fmt: skip
    facts = select(
        fact.team_id, fact.field, fact.value, fact.origin, source.name.label("source"), source.url,
        fact.as_of, fact.confidence, source.kind.label("class"), fact.recorded_at, fact.since,
    ).join(tables.sources, fact.source_id == source.id)  # fmt: skip
    return Reading(at, tables, teams, channels, responsibilities, facts)


NOW = reading(None)
