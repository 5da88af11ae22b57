"""A team's own columns: the facts in force, made anew whenever somebody says something else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Table, bindparam, select, update

from pocdir.core.errors import Invalid
from pocdir.core.text import fold
from pocdir.directory.actions.past import keep
from pocdir.directory.models import Source, Team, TeamFact
from pocdir.directory.rules import record as rules
from pocdir.driver import execute_many

BATCH = 500
PROJECTED = (*rules.MISSING, "name", "profile", "folded_name", "lead", "retired_at")
_TEAM, _FACT, _SOURCE = (cast(Table, model.__table__) for model in (Team, TeamFact, Source))
_PART = _TEAM.alias("parts")
_UPDATE = (
    update(_TEAM)
    .where(_TEAM.c.id == bindparam("row"))
    .values({name: bindparam(f"new_{name}", type_=_TEAM.c[name].type) for name in PROJECTED})
)


class Fact(NamedTuple):
    """One field as one source says it."""

    field: str
    value: Any
    origin: str
    confidence: str
    source_kind: str | None
    as_of: str
    source: str

    def order(self) -> tuple[Any, ...]:
        """Sorts facts, the one in force first."""
        return rules.precedence(*self[2:])

    def teller(self) -> tuple[str, str]:
        """Whose row it is."""
        return self.source, self.origin


def new_team(slug: str, facts: Sequence[Fact], now: dt.datetime) -> dict[str, Any]:
    """The row of a team that was not there before; one of which no fact is said is retired from the first."""
    nothing = {
        **rules.MISSING,
        "name": slug,
        "profile": {},
        "folded_name": slug,
        "lead": False,
        "retired_at": None,
    }
    columns = _columns(slug, facts, now, nothing, ())
    times = dict.fromkeys(("created_at", "updated_at", "recorded_at"), now)
    return {"slug": slug, "revision": 1, **times, **columns}


def project(connection: Connection, teams: Mapping[int, str], now: dt.datetime) -> list[str]:
    """Bring the columns of these teams (row -> slug) up to date; a team that nobody names is retired.

    Returns the slugs of those that changed and have a parent: when all is written, refuse_circles.
    """
    chosen = select(
        *(_FACT.c[name] for name in ("team_id", "field", "value", "origin", "confidence")),
        _SOURCE.c.kind, _FACT.c.as_of, _SOURCE.c.name,
    ).join(_SOURCE, _FACT.c.source_id == _SOURCE.c.id)  # fmt: skip
    parts = _parts(connection, list(teams))
    said: dict[int, list[tuple[int, Fact]]] = {number: [] for number in teams}
    for some in _batches(list({*teams, *parts})):
        for team, *fact in connection.execute(chosen.where(_FACT.c.team_id.in_(some))):
            for number in {team, parts[team].into if team in parts else team}:
                if number in said:
                    said[number].append((team, Fact(*fact)))
    for number, facts in said.items():  # of what one source says alike of two, the team's own comes first
        facts.sort(key=lambda of, number=number: (of[0] != number, of[0]))  # type: ignore[misc]
    stood = _stood(connection, list(teams))
    called: dict[int, list[str]] = {}
    for part in parts.values():
        called.setdefault(part.into, []).append(part.slug)
    rows = {
        number: _columns(
            teams[number], [fact for _, fact in facts], now, stood[number], called.get(number, ())
        )
        for number, facts in said.items()
    }
    for number in _merged(connection, list(teams)):
        rows[number]["retired_at"] = stood[number]["retired_at"] or now
    changed = {number: row for number, row in rows.items() if row != stood[number]}
    keep(connection, _TEAM, list(changed), now)
    new = [
        {"row": number, **{f"new_{name}": value for name, value in row.items()}}
        for number, row in changed.items()
    ]
    execute_many(connection, _UPDATE, new)
    return [teams[number] for number, row in changed.items() if row["parent"]]


def _stood(connection: Connection, numbers: Sequence[int]) -> dict[int, dict[str, Any]]:
    selected = select(_TEAM.c.id, *(_TEAM.c[name] for name in PROJECTED))
    return {
        number: dict(zip(PROJECTED, values, strict=True))
        for some in _batches(numbers)
        for number, *values in connection.execute(selected.where(_TEAM.c.id.in_(some)))
    }


def wholes(connection: Connection, numbers: Sequence[int]) -> dict[int, str]:
    """The teams (row -> slug) that some of these entries are part of."""
    chosen = select(_TEAM.c.id, _TEAM.c.slug).join(_PART, _PART.c.merged_into_id == _TEAM.c.id)
    return {
        number: slug
        for some in _batches(numbers)
        for number, slug in connection.execute(chosen.where(_PART.c.id.in_(some)))
    }


def _parts(connection: Connection, numbers: Sequence[int]) -> dict[int, Any]:
    """The entries that are part of these teams, by their row: slug, into."""
    chosen = select(_TEAM.c.id, _TEAM.c.slug, _TEAM.c.merged_into_id.label("into"))
    return {
        row.id: row
        for some in _batches(numbers)
        for row in connection.execute(chosen.where(_TEAM.c.merged_into_id.in_(some)))
    }


def _merged(connection: Connection, numbers: Sequence[int]) -> list[int]:
    chosen = select(_TEAM.c.id).where(_TEAM.c.merged_into_id.is_not(None))
    return [
        number
        for some in _batches(numbers)
        for number in connection.execute(chosen.where(_TEAM.c.id.in_(some))).scalars()
    ]


def refuse_circles(connection: Connection, slugs: Sequence[str]) -> None:
    """Raises Invalid `parent_circle` when one of these teams stands above itself."""
    if not slugs:
        return
    above = select(_TEAM.c.slug, _TEAM.c.parent, _TEAM.c.merged_into_id).where(_TEAM.c.parent.is_not(None))
    parents = {row.slug: row.parent for row in connection.execute(above) if row.merged_into_id is None}
    whole = _TEAM.alias("wholes")
    into = select(_TEAM.c.slug, whole.c.slug).join(whole, _TEAM.c.merged_into_id == whole.c.id)
    parents |= {row[0]: row[1] for row in connection.execute(into)}
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


def _columns(
    slug: str, facts: Sequence[Fact], now: dt.datetime, stood: Mapping[str, Any], parts: Sequence[str]
) -> dict[str, Any]:
    """The PROJECTED columns; of a team that nobody names any more, those that stood, and since when it is retired.

    `parts` are the slugs of the entries that are part of it: it is found by their names too.
    """
    if not facts:
        return {**stood, "retired_at": stood["retired_at"] or now}
    first = rules.facts_in_force(facts, Fact.order, Fact.teller)
    said = {name: row.value for name, row in first.items() if row.value is not None}
    if "memberships" in first and first["memberships"].origin != "manual":
        said["memberships"] = _every_membership(facts)
    name = said.pop("name", slug)
    others = [it["name"] for it in said.get("names", ())]
    if parts:
        names = {str(row.value) for row in facts if row.field in ("name", "short_name") and row.value}
        others += [*parts, *sorted(names)]
    folded = fold(" ".join((name, said.get("short_name", ""), slug, *others)))[:600]
    columns = {column: said.pop(column, missing) for column, missing in rules.MISSING.items()}
    lead = all(row.confidence == "low" for row in facts)
    return columns | {
        "name": name, "profile": said, "folded_name": folded, "lead": lead, "retired_at": None,
    }  # fmt: skip


def _every_membership(facts: Sequence[Fact]) -> list[Any]:
    """Each source knows some: all of them by name, each as the better source says it."""
    told = [row for row in facts if row.field == "memberships"]
    told.sort(key=Fact.order, reverse=True)
    by_name = {item["name"]: item for row in told for item in row.value or ()}
    return [by_name[name] for name in sorted(by_name)]


def _batches(items: Sequence[int]) -> list[Sequence[int]]:
    return [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
