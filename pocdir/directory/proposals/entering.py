"""Entering what was proposed as statements of whoever proposed it, over what stewards had said in its place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from sqlalchemy.orm import Session

from pocdir.directory.actions.rows import Batch, source_ids, write
from pocdir.directory.formats.records import Provenance
from pocdir.directory.proposals.models import Proposal
from pocdir.directory.proposals.rules import STEWARD, TEAM, Item, is_own_words, items_of
from pocdir.directory.queries import entries
from pocdir.directory.queries.statements import Kept, Said, said_of
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.record import Diff, Key, Statement

MANUAL = "manual"


def enter(session: Session, proposal: Proposal, *, actor: str, now: dt.datetime) -> None:
    """Write what the proposal says; the directory is locked by the caller.

    Of a team's words, what a steward or the team itself had entered in the same place goes.
    """
    team = entries.team_by_slug(proposal.team.slug, session)  # merged since: the team that it is part of
    slug, changes = team.slug, items_of(proposal.changes)
    source = _source(proposal.by, changes, now)
    says = statements(slug, changes, now)
    rows = said_of(session, team.id, slug)
    ours = _rows_of(rows, source.source)
    others = {row.key for row in rows if row.source not in rules.OWN_SOURCES}
    before = {key: kept.statement for key, kept in ours.items()}
    after = dict(before)
    for key, statement in says.items():
        if rules.says_nothing(statement) and key not in others:
            after.pop(key, None)
        else:
            after[key] = statement
    ids = source_ids(session, [source], make=True, now=now)
    batches = [Batch(ids[source.source], source.source, MANUAL, rules.diff(before, after), ours)]
    for name in sorted(rules.OWN_SOURCES - {source.source}) if proposal.by == TEAM else ():
        said = _rows_of(rows, name)
        overruled = {key: kept.statement for key, kept in said.items() if key in says}
        if overruled:
            batches.append(Batch(ids[name], name, MANUAL, Diff(removed=overruled), said))
    note = {"proposal": proposal.ref} | ({"evidence": proposal.note} if proposal.note else {})
    write(session, batches, now=now, actor=actor, claimed_by=proposal.by, note=note)


def statements(slug: str, changes: Iterable[Item], now: dt.datetime) -> dict[Key, Statement]:
    """What the items say, as rows of one source: what is taken away is said to be withdrawn."""
    today = now.date().isoformat()
    found: dict[Key, Statement] = {}
    for item in changes:
        kind, *rest = item.of
        words = dict(item.after or item.before or {})
        if kind != "fact":
            words["withdrawn"] = item.after is None
        found[(kind, slug, *rest)] = Statement(words, today, "high")
    return found


def _source(by: str, changes: Iterable[Item], now: dt.datetime) -> Provenance:
    today = now.date().isoformat()
    if by == STEWARD:
        return Provenance(rules.STEWARD, kind=rules.STEWARD, as_of=today, confidence="high")
    name = rules.TEAM_ITSELF if is_own_words(changes) else rules.TEAM_APPROVED
    return Provenance(name, kind="first_party", as_of=today, confidence="high")


def _rows_of(rows: Iterable[Said], source: str) -> dict[Key, Kept]:
    return {
        row.key: Kept(row.id, row.statement)
        for row in sorted(rows, key=lambda row: row.is_own)  # of two entries merged, the team's own
        if (row.source, row.origin) == (source, MANUAL)
    }
