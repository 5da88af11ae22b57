"""A team's own columns: the facts in force, made anew whenever somebody says something else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, select, update

from pocdir.core.errors import Invalid
from pocdir.core.text import fold
from pocdir.db import execute_many
from pocdir.directory.models import Source, Team, TeamFact
from pocdir.directory.past import keep
from pocdir.directory.rules import record as rules

BATCH = 500
MISSING: dict[str, Any] = {
    "short_name": None, "kind": "other", "country": None, "website": None, "languages": [], "timezone": None,
    "host_kind": None, "memberships": [], "parent": None,
}  # fmt: skip  # the columns that are facts; all others are in the profile
PROJECTED = (*MISSING, "name", "profile", "folded_name", "lead", "retired_at")
_TEAM, _FACT, _SOURCE = (cast(Table, model.__table__) for model in (Team, TeamFact, Source))


def project(connection: Connection, teams: Mapping[int, str], now: dt.datetime) -> list[str]:
    """Bring the columns of these teams (row -> slug) up to date; a team that nobody names is retired.

    Returns the slugs of those that changed and have a parent: when all is written, refuse_circles.
    """
    chosen = select(
        *(_FACT.c[name] for name in ("team_id", "field", "value", "origin", "confidence")),
        _SOURCE.c.kind, _FACT.c.as_of, _SOURCE.c.name,
    ).join(_SOURCE, _FACT.c.source_id == _SOURCE.c.id)  # fmt: skip
    said: dict[int, list[Any]] = {number: [] for number in teams}
    for some in _batches(list(teams)):
        for row in connection.execute(chosen.where(_FACT.c.team_id.in_(some))):
            said[row.team_id].append(row)
    stood = _stood(connection, list(teams))
    rows = {number: _columns(teams[number], facts, now, stood[number]) for number, facts in said.items()}
    changed = {number: row for number, row in rows.items() if row != stood[number]}
    keep(connection, _TEAM, list(changed), now)
    if changed:
        new = {name: bindparam(f"new_{name}", type_=_TEAM.c[name].type) for name in PROJECTED}
        execute_many(
            connection,
            update(_TEAM).where(_TEAM.c.id == bindparam("row")).values(new),
            [
                {"row": number, **{f"new_{name}": value for name, value in row.items()}}
                for number, row in changed.items()
            ],
        )
    return [teams[number] for number, row in changed.items() if row["parent"]]


def _stood(connection: Connection, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    selected = select(_TEAM.c.id, *(_TEAM.c[name] for name in PROJECTED))
    return {
        number: dict(zip(PROJECTED, values, strict=True))
        for some in _batches(numbers)
        for number, *values in connection.execute(selected.where(_TEAM.c.id.in_(some)))
    }


def refuse_circles(connection: Connection, slugs: Sequence[str]) -> None:
    """Raises Invalid `parent_circle` when one of these teams stands above itself."""
    if not slugs:
        return
    above = select(_TEAM.c.slug, _TEAM.c.parent).where(_TEAM.c.parent.is_not(None))
    parents = {row.slug: row.parent for row in connection.execute(above)}
    for slug in slugs:
        if met := rules.circle(parents, slug):
            raise Invalid(
                "parent_circle", f"a team would stand above itself: {' under '.join(met)}", where="parent"
            )


def raise_revision(connection: Connection, teams: Sequence[int], now: dt.datetime) -> None:
    """Who read one of these teams before does not overwrite it any more."""
    keep(connection, _TEAM, teams, now)
    for some in _batches(teams):
        raised = update(_TEAM).where(_TEAM.c.id.in_(some))
        connection.execute(raised.values(revision=_TEAM.c.revision + 1, updated_at=now))


def _columns(slug: str, facts: Sequence[Any], now: dt.datetime, stood: Mapping[str, Any]) -> dict[str, Any]:
    """The PROJECTED columns; of a team that nobody names any more, those that stood, and since when it is retired."""
    if not facts:
        return {**stood, "retired_at": stood["retired_at"] or now}
    first = rules.facts_in_force(
        facts, lambda row: rules.precedence(*row[3:8]), lambda row: (row.name, row.origin)
    )
    said = {name: row.value for name, row in first.items() if row.value is not None}
    if "memberships" in first and first["memberships"].origin != "manual":
        said["memberships"] = _every_membership(facts)
    name = said.pop("name", slug)
    others = (it["name"] for it in said.get("names", ()))
    folded = fold(" ".join((name, said.get("short_name", ""), slug, *others)))[:600]
    columns = {column: said.pop(column, missing) for column, missing in MISSING.items()}
    lead = all(row.confidence == "low" for row in facts)
    return columns | {
        "name": name, "profile": said, "folded_name": folded, "lead": lead, "retired_at": None,
    }  # fmt: skip


def _every_membership(facts: Sequence[Any]) -> list[Any]:
    """Each source knows some: all of them by name, each as the better source says it."""
    told = [row for row in facts if row.field == "memberships"]
    told.sort(key=lambda row: rules.precedence(*row[3:8]), reverse=True)
    by_name = {item["name"]: item for row in told for item in row.value or ()}
    return [by_name[name] for name in sorted(by_name)]


def _batches(items: Sequence[int]) -> list[Sequence[int]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
