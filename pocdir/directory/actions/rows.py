"""Writing what sources say, row by row and in bulk, with the events that tell of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pocdir.core.refs import new_refs
from pocdir.db import change
from pocdir.directory.actions import projection
from pocdir.directory.actions.past import keep
from pocdir.directory.formats.records import Provenance
from pocdir.directory.models import (
    Address,
    Channel,
    DirectoryVersion,
    Responsibility,
    Source,
    Team,
    TeamFact,
)
from pocdir.directory.queries.statements import WORDS, Kept, stored
from pocdir.directory.rules.record import Diff, Key
from pocdir.driver import execute_many
from pocdir.ledger.actions import append_all
from pocdir.ledger.rules.events import Event

BATCH = 500
_TEAM, _FACT, _ADDRESS, _CHANNEL, _RESPONSIBILITY, _SOURCE, _VERSION = (
    cast(Table, model.__table__)
    for model in (Team, TeamFact, Address, Channel, Responsibility, Source, DirectoryVersion)
)
_TABLE_OF: dict[str, Table] = {"fact": _FACT, "channel": _CHANNEL, "responsibility": _RESPONSIBILITY}
_INSERT = {kind: insert(table) for kind, table in _TABLE_OF.items()}
_INSERT_TEAM, _INSERT_ADDRESS = insert(_TEAM), insert(_ADDRESS)


@dataclass(frozen=True, slots=True)
class Batch:
    """What changes in the rows of one source; `kept` are its rows before, read some at a time when it is empty."""

    source_id: int
    source: str
    origin: str
    diff: Diff
    kept: Mapping[Key, Kept] = field(default_factory=dict)


def lock_directory(session: Session, *, now: dt.datetime) -> None:
    """Writers of the directory one after the other; readers are not held up."""
    connection = session.connection()
    locked = select(_VERSION.c.number).with_for_update()
    if connection.execute(locked).first() is None:
        rows = (
            postgresql.insert(_VERSION)
            if connection.dialect.name == "postgresql"
            else sqlite.insert(_VERSION)
        )
        connection.execute(rows.on_conflict_do_nothing(), {"id": 1, "number": 0, "changed_at": now})
        connection.execute(locked)


def bump_version(session: Session, *, now: dt.datetime) -> str:
    """Every change of the directory raises its number; returns the new one."""
    lock_directory(session, now=now)
    raised = (
        update(_VERSION).values(number=_VERSION.c.number + 1, changed_at=now).returning(_VERSION.c.number)
    )
    connection = session.connection()
    change(connection, "directory")
    return str(connection.execute(raised).scalar_one())


def source_ids(
    session: Session, sources: Iterable[Provenance], *, make: bool, now: dt.datetime
) -> dict[str, int]:
    """The row of each source by its name; missing ones are made, else left out."""
    connection = session.connection()
    stored = {row.name: row for row in connection.execute(select(_SOURCE))}
    new = {}
    for source in sources if make else ():
        said = {"url": source.url, "kind": source.kind}
        if source.source not in stored:
            new[source.source] = {"name": source.source, "recorded_at": now, **said}
        elif changed := {
            name: v for name, v in said.items() if v and v != getattr(stored[source.source], name)
        }:
            keep(connection, _SOURCE, [stored[source.source].id], now)
            connection.execute(update(_SOURCE).where(_SOURCE.c.name == source.source).values(changed))
    if new:
        connection.execute(insert(_SOURCE), list(new.values()))
        return source_ids(session, (), make=False, now=now)
    return {name: row.id for name, row in stored.items()}


def write(
    session: Session,
    batches: Sequence[Batch],
    *,
    now: dt.datetime,
    actor: str,
    claimed_by: str,
    note: Mapping[str, Any] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> str:
    """Apply what changed, project the teams concerned, append one event for each of them; the new version.

    `note` stands in every event: `evidence`, or why it was `forced`. `progress` hears what is done.
    """
    connection = session.connection()
    by_team = [_by_team(batch.diff) for batch in batches]
    slugs = sorted({slug for teams in by_team for slug in teams})
    refs = iter(new_refs(now, sum(map(len, by_team))))
    parents: list[str] = []
    for done, some in enumerate(_batches(slugs)):
        parts = [
            replace(batch, diff=_part(batch.diff, [key for slug in some for key in teams.get(slug, ())]))
            for batch, teams in zip(batches, by_team, strict=True)
        ]
        parents += _write_some(connection, parts, some, now)
        append_all(session, list(_events(parts, refs, now, actor, claimed_by, note or {})))
        if done % 20 == 19:
            progress(f"wrote {(done + 1) * BATCH} of {len(slugs)} teams")
    projection.refuse_circles(connection, parents)
    return bump_version(session, now=now)


def _by_team(diff: Diff) -> dict[str, list[Key]]:
    """Which rows change of each team, so that a large import is written some teams at a time."""
    found: dict[str, list[Key]] = {}
    for keys in (diff.added, diff.changed, diff.removed, diff.redated):
        for key in keys:
            found.setdefault(key[1], []).append(key)
    return found


def _part(diff: Diff, keys: Sequence[Key]) -> Diff:
    return Diff(
        added={key: diff.added[key] for key in keys if key in diff.added},
        changed={key: diff.changed[key] for key in keys if key in diff.changed},
        removed={key: diff.removed[key] for key in keys if key in diff.removed},
        redated={key: diff.redated[key] for key in keys if key in diff.redated},
    )


def _write_some(
    connection: Connection, batches: Sequence[Batch], slugs: Sequence[str], now: dt.datetime
) -> list[str]:
    """The rows of these teams and their own columns; the slugs of those that have another parent now."""
    known = _team_ids(connection, slugs)
    made = _new_teams(connection, batches, [slug for slug in slugs if slug not in known], now)
    teams = known | _team_ids(connection, [row["slug"] for row in made])
    batches = [_with_rows(connection, batch, list(known.values())) for batch in batches]
    wanted = {key[2:4] for batch in batches for key in batch.diff.added if key[0] == "channel"}
    addresses = _addresses(connection, wanted, now)
    for batch in batches:
        _insert(connection, batch, teams, addresses, now)
        _update(connection, batch, now)
        _delete(connection, batch, now)
    said = {key[1] for b in batches for key in (*b.diff.added, *b.diff.changed, *b.diff.removed)}
    changed = [known[slug] for slug in known if slug in said]
    wholes = projection.wholes(connection, list(known.values()))
    parents = projection.project(connection, {number: slug for slug, number in known.items()} | wholes, now)
    projection.raise_revision(connection, list({*changed, *projection.wholes(connection, changed)}), now)
    return parents + [row["slug"] for row in made if row["parent"]]


def _with_rows(connection: Connection, batch: Batch, teams: Sequence[int]) -> Batch:
    touched = batch.diff.changed or batch.diff.removed or batch.diff.redated
    if batch.kept or not touched:
        return batch
    whose = (batch.source_id, batch.origin)
    rows = stored(connection, "team_id", teams)
    return replace(batch, kept={key: kept for *said, key, kept in rows if tuple(said) == whose})


def _new_teams(
    connection: Connection, batches: Sequence[Batch], slugs: Sequence[str], now: dt.datetime
) -> list[dict[str, Any]]:
    """Make the rows of teams that are not there yet, as these batches say them."""
    if not slugs:
        return []
    kinds = {row.id: row.kind for row in connection.execute(select(_SOURCE.c.id, _SOURCE.c.kind))}
    said: dict[str, list[projection.Fact]] = {slug: [] for slug in slugs}
    for batch in batches:
        for (what, slug, *rest), it in batch.diff.added.items():
            if what == "fact" and slug in said:
                told = (batch.origin, it.confidence, kinds[batch.source_id], it.as_of, batch.source)
                said[slug].append(projection.Fact(rest[0], it.values["value"], *told))
    rows = [projection.new_team(slug, facts, now) for slug, facts in said.items()]
    execute_many(connection, _INSERT_TEAM, rows)
    return rows


def _team_ids(connection: Connection, slugs: Collection[str]) -> dict[str, int]:
    chosen = select(_TEAM.c.slug, _TEAM.c.id)
    return {
        slug: number
        for some in _batches(list(slugs))
        for slug, number in connection.execute(chosen.where(_TEAM.c.slug.in_(some)))
    }


def _addresses(connection: Connection, wanted: Collection[Key], now: dt.datetime) -> dict[Key, int]:
    """The row of each (kind, value); missing ones are made, unverified."""
    known = _address_ids(connection, wanted)
    new = [key for key in sorted(wanted) if key not in known]
    first = {"state": "unverified", "version": 1, "recorded_at": now}
    execute_many(
        connection, _INSERT_ADDRESS, [{"kind": kind, "value": value, **first} for kind, value in new]
    )
    return known | _address_ids(connection, new)


def _address_ids(connection: Connection, wanted: Collection[Key]) -> dict[Key, int]:
    by_kind: dict[str, list[str]] = {}
    for kind, value in wanted:
        by_kind.setdefault(kind, []).append(value)
    chosen = select(_ADDRESS.c.value, _ADDRESS.c.id)
    return {
        (kind, value): number
        for kind, values in by_kind.items()
        for some in _batches(values)
        for value, number in connection.execute(
            chosen.where(_ADDRESS.c.kind == kind, _ADDRESS.c.value.in_(some))
        )
    }


def _insert(
    connection: Connection,
    batch: Batch,
    teams: Mapping[str, int],
    addresses: Mapping[Key, int],
    now: dt.datetime,
) -> None:
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _TABLE_OF}
    for key, statement in batch.diff.added.items():
        kind, slug, *rest = key
        if kind == "fact":
            named: dict[str, Any] = {"field": rest[0]}
        elif kind == "channel":
            named = {"address_id": addresses[rest[0], rest[1]], "purpose": rest[2]}
        else:
            named = dict(zip(("key", "value", "role"), rest, strict=True))
        rows[kind].append(
            {
                "team_id": teams[slug], "source_id": batch.source_id, "origin": batch.origin,
                "as_of": statement.as_of, "confidence": statement.confidence, "recorded_at": now, "since": now,
                **named, **statement.values,
            }
        )  # fmt: skip
    for kind, into in _INSERT.items():
        execute_many(connection, into, rows[kind])


def _update(connection: Connection, batch: Batch, now: dt.datetime) -> None:
    rows: dict[str, list[dict[str, Any]]] = {kind: [] for kind in _TABLE_OF}
    after = {key: now for key, (_, now) in batch.diff.changed.items()} | dict(batch.diff.redated)
    for key, statement in after.items():
        values = {"row": batch.kept[key].id, "as_of": statement.as_of, "confidence": statement.confidence}
        rows[key[0]].append(values | {f"new_{name}": value for name, value in statement.values.items()})
    for kind, table in _TABLE_OF.items():
        if rows[kind]:
            keep(connection, table, [row["row"] for row in rows[kind]], now)
            words = {name: bindparam(f"new_{name}", type_=table.c[name].type) for name in WORDS[kind]}
            connection.execute(update(table).where(table.c.id == bindparam("row")).values(words), rows[kind])
            said_anew = [batch.kept[key].id for key in batch.diff.changed if key[0] == kind]
            for some in _batches(said_anew):
                connection.execute(update(table).where(table.c.id.in_(some)).values(since=now))


def _delete(connection: Connection, batch: Batch, now: dt.datetime) -> None:
    for kind, table in _TABLE_OF.items():
        ids = [batch.kept[key].id for key in batch.diff.removed if key[0] == kind]
        keep(connection, table, ids, now)
        for some in _batches(ids):
            connection.execute(delete(table).where(table.c.id.in_(some)))


def _events(
    batches: Sequence[Batch],
    refs: Iterator[str],
    now: dt.datetime,
    actor: str,
    claimed_by: str,
    note: Mapping[str, Any],
) -> Iterator[Event]:
    """What changed of each team, as one event a source: which fields plainly, their values sealed."""
    for batch in batches:
        by_team: dict[str, list[dict[str, Any]]] = {}
        for key, before, after in _changes(batch.diff):
            what, slug, *rest = key
            by_team.setdefault(slug, []).append(
                {
                    "field": rest.pop(0) if what == "fact" else what,
                    "of": rest,
                    "before": before,
                    "after": after,
                }
            )
        for slug, changes in by_team.items():
            fields = sorted({change["field"] for change in changes})
            yield Event(
                id=next(refs),
                type="contact.changed",
                occurred_at=now,
                recorded_at=now,
                claimed_by=claimed_by,
                actor=actor,
                team=slug,
                payload={
                    "source": batch.source,
                    "origin": batch.origin,
                    "fields": fields,
                    "changes": changes,
                    **note,
                },
            )


def _changes(diff: Diff) -> Iterator[tuple[Key, Any, Any]]:
    for key, now in diff.added.items():
        yield key, None, dict(now.values)
    for key, (then, now) in diff.changed.items():
        yield key, dict(then.values), dict(now.values)
    for key, then in diff.removed.items():
        yield key, dict(then.values), None


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
