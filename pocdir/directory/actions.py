"""What changes the directory: imports, a steward's edits, the state of an address."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict, Invalid, NotFound, Stale
from pocdir.db import table_of
from pocdir.directory import naming, queries
from pocdir.directory.formats import seed
from pocdir.directory.formats.records import (
    ChannelRecord,
    Provenance,
    ResponsibilityRecord,
    TeamRecord,
    statements,
    without_placeholders,
)
from pocdir.directory.models import Address, Channel, Import, Team
from pocdir.directory.past import keep
from pocdir.directory.rows import (
    Batch,
    Kept,
    Said,
    bump_version,
    lock_directory,
    replace_codes,
    said_by,
    said_of,
    source_ids,
    write,
)
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.record import Diff, Key, Statement
from pocdir.ledger.actions import append


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did or would do; `status` is applied, unchanged, quarantined or dry-run."""

    status: str
    source: str
    diff: Diff
    reasons: tuple[str, ...]
    version: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "source": self.source,
            "added": len(self.diff.added),
            "changed": len(self.diff.changed),
            "removed": len(self.diff.removed),
            "redated": len(self.diff.redated),
            "reasons": list(self.reasons),
            "directory_version": self.version,
        }


def import_records(
    session: Session,
    *,
    records: Sequence[TeamRecord],
    source: Provenance,
    origin: str,
    now: dt.datetime,
    actor: str,
    format: str = "",
    apply: bool = True,
    force: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> ImportResult:
    """Make what this source said last into what it says now; rows of others and manual rows stay untouched.

    Nothing changes with `apply=False`, and nothing but the note of the import when it is quarantined; `force`
    applies that too, as the operator. `progress` hears what is done. Raises Invalid `source_invalid` without a
    name or for the steward's, and what naming raises.
    """
    if not source.source or source.source == rules.STEWARD:
        raise Invalid(
            "source_invalid", "name the source (--source); it may not be called steward", where="source"
        )
    if apply:
        lock_directory(session, now=now)
    source_id = source_ids(session, [source], make=apply, now=now).get(source.source, 0)
    kept = said_by(session, [source_id]).get((source_id, origin), {})
    before = {key: row.statement for key, row in kept.items()}
    teams = naming.named(session, [without_placeholders(record) for record in records], before)
    says = statements(teams, source)
    change = rules.diff(before, says)
    withheld = {slug: record.placeholders for slug, record in teams.items() if record.placeholders}
    confirmed = _confirmed(session, source_id, origin) if change else {}
    reasons = rules.doubts(before, says, **confirmed, placeholders=withheld) if change else []
    progress(f"compared {len(says)} rows with {len(before)} before")
    status = _status(change, reasons, apply=apply, force=force)
    if status in ("applied", "quarantined"):
        _note_import(session, source_id, format, change, reasons, status == "applied", now, actor)
    version = queries.directory_version()
    if status == "applied":
        batch = Batch(source_id, source.source, origin, change, kept)
        note = {"forced": reasons} if reasons else None
        version = write(
            session, [batch], now=now, actor=actor, claimed_by="steward", note=note, progress=progress
        )
    return ImportResult(status, source.source, change, tuple(reasons), version)


def _status(change: Diff, reasons: Sequence[str], *, apply: bool, force: bool) -> str:
    if not change:
        return "unchanged"
    if not apply:
        return "dry-run"
    return "quarantined" if reasons and not force else "applied"


def _confirmed(session: Session, source_id: int, origin: str) -> dict[str, set[tuple[str, str, str]]]:
    """Addresses that their team confirmed: those that this source gives, and those that others give too."""
    rows = session.execute(
        select(Team.slug, Address.kind, Address.value, Channel.source_id, Channel.origin)
        .join(Channel, Channel.team_id == Team.id)
        .join(Address, Channel.address_id == Address.id)
        .where(Address.state == "verified")
    ).all()
    found: dict[str, set[tuple[str, str, str]]] = {"confirmed": set(), "elsewhere": set()}
    for slug, kind, value, *teller in rows:
        found["confirmed" if teller == [source_id, origin] else "elsewhere"].add((slug, kind, value))
    return found


def _note_import(
    session: Session,
    source_id: int,
    format: str,
    change: Diff,
    reasons: Sequence[str],
    applied: bool,
    now: dt.datetime,
    actor: str,
) -> None:
    counts = {"added": len(change.added), "changed": len(change.changed), "removed": len(change.removed)}
    session.add(
        Import(
            source_id=source_id,
            format=format,
            at=now,
            actor=actor,
            applied=applied,
            reasons=list(reasons),
            **counts,
        )
    )
    session.flush()


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
    """What a steward says is in force afterwards; returns the team's revision.

    A list that is given is the whole list: what it lacks is withdrawn, also where an import says it. What
    others say in the same words already is not said again. Raises NotFound `team_unknown`, Stale `stale` when
    the team is not at `revision` any more.
    """
    lock_directory(session, now=now)
    team = queries.team_by_slug(slug, session, lock=True)
    if revision is not None and team.revision != revision:
        raise Stale("stale", "it was changed since you read it; read it again")
    record = TeamRecord(slug, facts or {}, tuple(channels or ()), tuple(responsibilities or ()))
    wanted = statements({slug: record}, _steward(now))
    rows = said_of(session, team.id)
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


def mark_address(
    session: Session,
    *,
    kind: str,
    value: str,
    state: str,
    evidence: str,
    now: dt.datetime,
    actor: str,
    claimed_by: str = "steward",
    occurred_at: dt.datetime | None = None,
    evidence_digest: str | None = None,
) -> list[str]:
    """Put an address into a state since `occurred_at` (now); returns the slugs of the teams that use it.

    The state is the address's own, so every channel that uses it shares it. Marking it again with the same
    evidence changes nothing. Raises NotFound `address_unknown`, Invalid `state_invalid`.
    """
    if state not in rules.ADDRESS_STATES:
        raise Invalid("state_invalid", f"one of {', '.join(rules.ADDRESS_STATES)} is right", where="state")
    lock_directory(session, now=now)
    address = session.execute(
        select(Address).where(Address.kind == kind, Address.value == value).with_for_update()
    ).scalar()
    if address is None:
        raise NotFound("address_unknown", "no team has this address here", where="value")
    teams = (
        select(Team.slug).join(Channel, Channel.team_id == Team.id).where(Channel.address_id == address.id)
    )
    slugs = sorted(set(session.execute(teams).scalars()))
    if address.state == state and address.evidence == evidence:
        return slugs
    keep(session.connection(), table_of(Address), [address.id], now)
    before, address.state = address.state, state
    address.state_since = occurred_at or now
    address.evidence = evidence
    if state == "withdrawn":
        address.version += 1  # links sent to it die
    for slug in slugs:
        event = append(
            session,
            type="contact.marked_bouncing" if state == "bouncing" else "contact.marked",
            occurred_at=occurred_at,
            now=now,
            actor=actor,
            claimed_by=claimed_by,
            team=slug,
            payload={"kind": kind, "value": value, "state": state, "before": before, "evidence": evidence},
            evidence_digest=evidence_digest,
        )
        address.evidence_event = address.evidence_event if event is None else event.id
    session.flush()
    bump_version(session, now=now)
    return slugs


def _steward(now: dt.datetime) -> Provenance:
    return Provenance(rules.STEWARD, kind=rules.STEWARD, as_of=now.date().isoformat(), confidence="high")


def _withdrawn(statement: Statement, now: dt.datetime) -> Statement:
    return Statement({**statement.values, "withdrawn": True}, now.date().isoformat(), "high")


def _is_stewards(row: Said) -> bool:
    return row.source == rules.STEWARD and row.origin == "manual"


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


def load_seeds(session: Session, *, folder: Path, now: dt.datetime) -> dict[str, Any]:
    """Bring the shipped facts in, each under its own source; rows of others stay. Again: nothing changes."""
    directory, known = seed.files(folder)
    sources, says = seed.parse(directory)
    lock_directory(session, now=now)
    ids = source_ids(session, sources.values(), make=True, now=now)
    kept = said_by(session, [ids[name] for name in sources])
    batches = []
    for name, rows in says.items():
        before = kept.get((ids[name], "imported"), {})
        change = rules.diff({key: row.statement for key, row in before.items()}, rows)
        if change:
            batches.append(Batch(ids[name], name, "imported", change, before))
    replace_codes(session, seed.codes(known))
    if batches:
        write(session, batches, now=now, actor="service", claimed_by="service")
    return {
        "teams": len({key[1] for rows in says.values() for key in rows}),
        "sources": len(sources),
        "changed": sum(len(b.diff.added) + len(b.diff.changed) + len(b.diff.removed) for b in batches),
        "directory_version": queries.directory_version(),
    }
