"""Importing a list: what a source says now takes the place of what it said last, but for what is doubtful."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict, Invalid, Refusal
from pocdir.core.refs import new_ref
from pocdir.core.text import fold
from pocdir.core.times import isoformat
from pocdir.directory.actions.rows import Batch, lock_directory, source_ids, write
from pocdir.directory.formats.records import (
    Provenance,
    TeamRecord,
    statements,
    without_placeholders,
)
from pocdir.directory.models import Channel, Import, Responsibility, Source, TeamFact
from pocdir.directory.quarantine.actions import hold
from pocdir.directory.quarantine.queries.ground import Teller
from pocdir.directory.quarantine.queries.sort_out import Sorted, sort_out
from pocdir.directory.queries import naming, versions
from pocdir.directory.queries.statements import told_by
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.lookalike import skeleton, unseen
from pocdir.directory.rules.record import Diff


@dataclass(frozen=True, slots=True)
class Given:
    """The file of an import: its format, and which bytes they were."""

    format: str = ""
    digest: str | None = None  # sha256:...
    size: int | None = None


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did or would do; `status` is applied, unchanged, quarantined or dry-run.

    `diff` is all that the source says otherwise, `applied` what of it was written (would be, in a dry run). `held`
    are the teams whose changes wait with their refs in the quarantine, `refused` those whose very same change a
    steward has refused before, and when.
    """

    status: str
    source: str
    diff: Diff
    reasons: tuple[str, ...]
    version: str
    held: Mapping[str, str | None] = field(default_factory=dict)
    refused: Mapping[str, dt.datetime] = field(default_factory=dict)
    applied: Diff = field(default_factory=Diff)

    def as_dict(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "source": self.source,
            "added": len(self.applied.added),
            "changed": len(self.applied.changed),
            "removed": len(self.applied.removed),
            "redated": len(self.applied.redated),
            "reasons": list(self.reasons),
            "held": [{"team": team, "id": ref} for team, ref in sorted(self.held.items())],
            "refused": [{"team": team, "on": isoformat(at)} for team, at in sorted(self.refused.items())],
            "directory_version": self.version,
        }


def import_records(
    session: Session,
    *,
    records: Iterable[TeamRecord],
    source: Provenance,
    origin: str,
    now: dt.datetime,
    actor: str,
    given: Given = Given(),
    named: bool = True,
    apply: bool = True,
    force: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> ImportResult:
    """Make what this source said last into what it says now; rows of others and manual rows stay untouched.

    Nothing changes with `apply=False`. What is doubtful waits in the quarantine, the rest applies; `force` applies
    all of it, as the operator. `progress` hears what is done. `named`: a person has named the source, not the file
    itself. Raises Invalid `source_invalid` (no name, one of ours, a date to come), Conflict `source_taken`, and what
    naming raises.
    """
    _check_source(source)
    if apply:
        lock_directory(session, now=now)
    source_id = source_ids(session, [source], make=apply, now=now).get(source.source, 0)
    teller = Teller(source_id, source.source, _kind_of(session, source_id) or source.kind, origin)
    before = told_by(session, source_id, origin)
    if not named:
        _check_is_the_same(session, source_id, source.source, given.format, origin)
    teams = naming.named(session, [without_placeholders(record) for record in records], before)
    _check_dates(source, teams, now)
    says = statements(teams, source, before)
    placeholders = {slug: record.placeholders for slug, record in teams.items() if record.placeholders}
    del teams, records  # a large import has no room for them any more
    change = rules.diff(before, says)
    progress(f"compared {len(says)} rows with {len(before)} before")
    found = sort_out(
        session, teller=teller, change=change, before=before, after=says, placeholders=placeholders
    )
    reasons = tuple(str(doubt) for doubt in found.doubts)
    if not apply:
        status = "dry-run" if change else "unchanged"
        waits = dict.fromkeys(found.held)
        version = versions.directory_version()
        return ImportResult(
            status, source.source, change, reasons, version, waits, found.refused, found.applies
        )
    if force:
        found = Sorted(change, doubts=found.doubts)
    refs = _quarantined(session, found, given, source_id, source.source, origin, now, actor)
    version = versions.directory_version()
    if found.applies:
        version = write(
            session, [Batch(source_id, source.source, origin, found.applies)], now=now, actor=actor,
            claimed_by="steward", note={"forced": list(reasons)} if force and reasons else None, progress=progress,
        )  # fmt: skip
    status = "quarantined" if refs else "applied" if found.applies else "unchanged"
    return ImportResult(status, source.source, change, reasons, version, refs, found.refused, found.applies)


def note_unread(
    session: Session, *, refusal: Refusal, source: Provenance, given: Given, now: dt.datetime, actor: str
) -> str | None:
    """Keep for a steward that a source's file could not be read; its ref in the quarantine (None: seen before)."""
    _check_source(source)
    lock_directory(session, now=now)
    source_id = source_ids(session, [source], make=True, now=now)[source.source]
    note = _note(session, source_id, given, Diff(), [str(refusal)], now, actor)
    return hold.hold_unread(session, refusal, note=note, source=source.source, now=now)


def _kind_of(session: Session, source_id: int) -> str | None:
    return session.execute(select(Source.kind).where(Source.id == source_id)).scalar()


def _check_source(source: Provenance) -> None:
    """No file speaks in our name, nor in one that looks like it."""
    name = source.source
    looks = {skeleton(name), skeleton(fold(name))}
    own = {skeleton(it) for it in (rules.STEWARD, rules.TEAM_ITSELF)}
    if (
        not name
        or unseen(name)
        or any(look == it or look.startswith(f"{it},") for look in looks for it in own)
    ):
        raise Invalid(
            "source_invalid",
            "name the source (--source) in signs that are seen; it may not be called steward or the team itself",
            where="source",
        )


def _check_dates(source: Provenance, teams: Mapping[str, TeamRecord], now: dt.datetime) -> None:
    """The newer word counts: one of a day to come would count above all others till then."""
    tomorrow = (now + dt.timedelta(days=1)).date().isoformat()
    dates = {record.as_of for record in teams.values() if record.as_of} | {source.as_of}
    latest = max(dates)
    if latest[:10] > tomorrow:
        raise Invalid("source_invalid", f"the source's date {latest} lies in the future", where="source.date")


def _check_is_the_same(session: Session, source_id: int, name: str, format_: str, origin: str) -> None:
    """A file that calls itself like a source replaces its rows only where files like it have made them."""
    tells = {
        row.origin
        for table in (TeamFact, Channel, Responsibility)
        for row in session.execute(select(table.origin).where(table.source_id == source_id).distinct())
    }
    spoke = select(Import.id).where(
        Import.source_id == source_id,
        Import.format == format_,
        Import.added + Import.changed + Import.removed > 0,
    )
    if tells and (origin not in tells or session.execute(spoke.limit(1)).first() is None):
        raise Conflict(
            "source_taken",
            f"{name} is a source here already, and no such file ({format_}, {origin}) spoke for it before: say"
            " --source with its name if it is the same, with another if it is not",
            where="source",
        )


def _quarantined(
    session: Session,
    found: Sorted,
    given: Given,
    source_id: int,
    source: str,
    origin: str,
    now: dt.datetime,
    actor: str,
) -> dict[str, str]:
    """Note this import; what waits, by team with its ref; the source's older words wait no more."""
    refs = hold.repeated(session, found, source_id=source_id, source=source, origin=origin, now=now)
    hold.read_after_all(session, source_id=source_id, source=source, now=now)
    new = sorted(set(found.held) - set(refs))
    if not (new or found.applies):
        return refs
    reasons = [str(doubt) for doubt in found.doubts]
    note = _note(session, source_id, given, found.applies, reasons, now, actor)
    if new:
        refs |= hold.hold(session, found, new, note=note, source=source, origin=origin, now=now)
    note.applied = not refs
    session.flush()
    return refs


def _note(
    session: Session,
    source_id: int,
    given: Given,
    change: Diff,
    reasons: Sequence[str],
    now: dt.datetime,
    actor: str,
) -> Import:
    note = Import(
        ref=new_ref(now),
        source_id=source_id,
        format=given.format,
        at=now,
        actor=actor,
        applied=False,
        reasons=list(reasons),
        added=len(change.added),
        changed=len(change.changed),
        removed=len(change.removed),
        digest=given.digest,
        size=given.size,
    )
    session.add(note)
    session.flush()
    return note
