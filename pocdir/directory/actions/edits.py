"""A steward's own edits: a new team, and what is in force of one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict, Stale
from pocdir.directory.actions.rows import Batch, lock_directory, source_ids, write
from pocdir.directory.formats.records import (
    ChannelRecord,
    Provenance,
    ResponsibilityRecord,
    TeamRecord,
    statements,
)
from pocdir.directory.models import Team
from pocdir.directory.queries import entries, naming
from pocdir.directory.queries.statements import Kept, Said, said_of
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.record import Diff, Key, Statement


def create_team(
    session: Session, *, record: TeamRecord, evidence: str | None, now: dt.datetime, actor: str
) -> str:
    """A new team on a steward's word; returns its slug. Raises Conflict `slug_taken`."""
    lock_directory(session, now=now)
    taken = set(session.execute(select(Team.slug)).scalars())
    if record.slug in taken:
        raise Conflict("slug_taken", "another team has this name in links", where="slug")
    slug = record.slug or naming.free_slug(record.name, record.facts.get("country"), taken)
    if "name" not in record.facts:
        record = replace(record, facts={"name": slug, **record.facts})
    says = statements({slug: record}, _steward(now))
    _write_manual(session, Diff(added=says), {}, evidence=evidence, now=now, actor=actor)
    return slug


def edit_team(
    session: Session,
    *,
    slug: str,
    facts: Mapping[str, Any] | None = None,
    channels: Sequence[ChannelRecord] | None = None,
    responsibilities: Sequence[ResponsibilityRecord] | None = None,
    evidence: str | None = None,
    revision: int | None = None,
    now: dt.datetime,
    actor: str,
) -> int:
    """Put in force what a steward says of a team; returns the team's revision.

    A list that is given is the whole list: what it lacks is withdrawn, also where an import says it. What
    others say in the same words already is not said again. Raises NotFound `team_unknown`, Stale `stale` when
    the team is not at `revision` any more.
    """
    lock_directory(session, now=now)
    team = entries.team_by_slug(slug, session, lock=True)
    slug = team.slug
    if revision is not None and team.revision != revision:
        raise Stale("stale", "it was changed since you read it; read it again")
    record = TeamRecord(slug, facts or {}, tuple(channels or ()), tuple(responsibilities or ()))
    wanted = statements({slug: record}, _steward(now))
    rows = said_of(session, team.id, slug)
    whole = {"channel": channels is not None, "responsibility": responsibilities is not None}
    for row in rows:
        if whole.get(row.key[0]) and row.key not in wanted:
            wanted[row.key] = _withdrawn(row.statement, now)
    ours = {row.key: Kept(row.id, row.statement) for row in rows if _is_stewards(row)}
    others = rules.in_force((row for row in rows if not _is_stewards(row)), lambda row: row.key, Said.order)
    change = rules.edited(
        {key: kept.statement for key, kept in ours.items()},
        {key: row.statement for key, row in others.items()},
        wanted,
    )
    if not change:
        return team.revision
    _write_manual(session, change, ours, evidence=evidence, now=now, actor=actor)
    session.refresh(team)
    return team.revision


def _steward(now: dt.datetime) -> Provenance:
    return Provenance(rules.STEWARD, kind=rules.STEWARD, as_of=now.date().isoformat(), confidence="high")


def _withdrawn(statement: Statement, now: dt.datetime) -> Statement:
    return Statement({**statement.values, "withdrawn": True}, now.date().isoformat(), "high")


def _is_stewards(row: Said) -> bool:
    return row.source == rules.STEWARD and row.origin == "manual" and row.is_own


def _write_manual(
    session: Session,
    change: Diff,
    kept: Mapping[Key, Kept],
    *,
    evidence: str | None,
    now: dt.datetime,
    actor: str,
) -> None:
    source = source_ids(session, [_steward(now)], make=True, now=now)[rules.STEWARD]
    batch = Batch(source, rules.STEWARD, "manual", change, kept)
    note = {"evidence": evidence} if evidence else None
    write(session, [batch], now=now, actor=actor, claimed_by="steward", note=note)
