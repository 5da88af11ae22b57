"""A team's own columns: the facts in force, made anew whenever somebody says something else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, select, update

from pocdir.core.text import fold
from pocdir.directory import rules
from pocdir.directory.models import Source, Team, TeamFact

BATCH = 500
MISSING: dict[str, Any] = {
    "short_name": None, "kind": "other", "country": None, "website": None, "languages": [], "timezone": None,
    "host_kind": None, "memberships": [],
}  # fmt: skip
_TEAM, _FACT, _SOURCE = (cast(Table, model.__table__) for model in (Team, TeamFact, Source))


def project(connection: Connection, teams: Mapping[int, str], now: dt.datetime) -> None:
    """Bring the columns of these teams (row -> slug) up to date; a team that nobody names is retired."""
    chosen = select(
        *(_FACT.c[name] for name in ("team_id", "field", "value", "origin", "confidence")),
        _SOURCE.c.kind, _FACT.c.as_of, _SOURCE.c.name,
    ).join(_SOURCE, _FACT.c.source_id == _SOURCE.c.id)  # fmt: skip
    said: dict[int, list[Any]] = {number: [] for number in teams}
    for some in _batches(list(teams)):
        for row in connection.execute(chosen.where(_FACT.c.team_id.in_(some))):
            said[row.team_id].append(row)
    rows = [_columns(number, teams[number], facts) for number, facts in said.items() if facts]
    if rows:
        new = {name[4:]: bindparam(name, type_=_TEAM.c[name[4:]].type) for name in rows[0] if name != "row"}
        connection.execute(
            update(_TEAM).where(_TEAM.c.id == bindparam("row")).values(new | {"retired_at": None}), rows
        )
    for some in _batches([number for number, facts in said.items() if not facts]):
        gone = update(_TEAM).where(_TEAM.c.id.in_(some), _TEAM.c.retired_at.is_(None))
        connection.execute(gone.values(retired_at=now))


def raise_revision(connection: Connection, teams: Sequence[int], now: dt.datetime) -> None:
    """Who read one of these teams before does not overwrite it any more."""
    for some in _batches(teams):
        raised = update(_TEAM).where(_TEAM.c.id.in_(some))
        connection.execute(raised.values(revision=_TEAM.c.revision + 1, updated_at=now))


def _columns(number: int, slug: str, facts: Sequence[Any]) -> dict[str, Any]:
    first = rules.in_force(facts, lambda row: row.field, lambda row: rules.precedence(*row[3:8]))
    said = {name: row.value for name, row in first.items() if row.value is not None}
    if "memberships" in first and first["memberships"].origin != "manual":
        said["memberships"] = _every_membership(facts)
    name = said.get("name", slug)
    folded = fold(" ".join((name, said.get("short_name", ""), slug)))[:600]
    columns = MISSING | said | {"name": name, "folded_name": folded}
    columns["lead"] = all(row.confidence == "low" for row in facts)
    return {"row": number} | {f"new_{name}": value for name, value in columns.items()}


def _every_membership(facts: Sequence[Any]) -> list[Any]:
    """Each source knows some: all of them by name, each as the better source says it."""
    told = [row for row in facts if row.field == "memberships"]
    told.sort(key=lambda row: rules.precedence(*row[3:8]), reverse=True)
    by_name = {item["name"]: item for row in told for item in row.value or ()}
    return [by_name[name] for name in sorted(by_name)]


def _batches(items: Sequence[int]) -> list[Sequence[int]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
