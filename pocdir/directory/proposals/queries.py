"""Which proposals there are, and what stands that they would change."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from pocdir.accounts.queries import steward_refs
from pocdir.core.errors import NotFound
from pocdir.db import db
from pocdir.directory.formats.records import (
    CHANNEL_WORDS,
    RESPONSIBILITY_WORDS,
    ChannelRecord,
    ResponsibilityRecord,
    identity,
)
from pocdir.directory.models import Address, Team
from pocdir.directory.proposals.models import Proposal
from pocdir.directory.proposals.rules import (
    OPEN,
    Identity,
    Item,
    Words,
    beside,
    codes,
    concerned,
    ends,
    items_of,
)
from pocdir.directory.queries import entries
from pocdir.directory.queries.answering import firm_answers
from pocdir.directory.queries.entries import Entry
from pocdir.directory.queries.reading import entries_of
from pocdir.directory.queries.wholes import whole_team, whole_teams
from pocdir.directory.rules.approval import CODE, Decision, Whole, decide, is_guarded
from pocdir.directory.rules.steward import KINDS, Waiting
from pocdir.directory.rules.steward import waiting as desk

FEW = 2  # stewards: with more of them nobody is left alone with a proposal


def standing(entry: Entry) -> dict[Identity, Words]:
    """What is in force in an entry (as its reader may see it), by identity."""
    told: dict[Identity, Words] = {
        ("fact", name): {"value": value}
        for name, value in entries.said(entry.team).items()
        if value not in (None, [])
    }
    for it in entry.channels:
        words = {name: getattr(it, name) for name in CHANNEL_WORDS}
        told["channel", it.kind, it.value, it.purpose] = words
    for row in entry.responsibilities:
        words = {name: getattr(row, name) for name in RESPONSIBILITY_WORDS}
        told["responsibility", row.key, row.value, row.role] = words
    return told


def wanted(
    seen: Entry,
    facts: Mapping[str, Any],
    channels: Iterable[ChannelRecord] | None,
    responsibilities: Iterable[ResponsibilityRecord] | None,
) -> dict[Identity, Words | None]:
    """What is to stand; a list that is given is the whole list of what its sender may see (`seen`)."""
    asked: dict[Identity, Words | None] = {("fact", name): {"value": value} for name, value in facts.items()}
    lists: tuple[tuple[str, Iterable[Any] | None, tuple[str, ...]], ...] = (
        ("channel", channels, CHANNEL_WORDS),
        ("responsibility", responsibilities, RESPONSIBILITY_WORDS),
    )
    for kind, rows, names in lists:
        if rows is not None:
            asked |= {of: None for of in standing(seen) if of[0] == kind}
            asked |= {identity(row): {name: getattr(row, name) for name in names} for row in rows}
    return asked


def proposal(
    ref: str, *, team_id: int | None = None, session: Session | None = None, lock: bool = False
) -> Proposal:
    """One proposal (of this team only, where one is named); raises NotFound `proposal_unknown`."""
    statement = select(Proposal).where(Proposal.ref == ref)
    if team_id is not None:
        statement = statement.where(Proposal.team_id == team_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    found = (session or db.session()).scalar(statement)
    if found is None:
        raise NotFound("proposal_unknown", "there is no such proposal")
    return found


def proposals(
    *, team_id: int | None = None, is_open: bool = False, after: str | None = None, limit: int = 100
) -> Sequence[Proposal]:
    """Proposals (of one team) after the one with the ref `after`, oldest first."""
    statement = select(Proposal).options(selectinload(Proposal.approvals), selectinload(Proposal.team))
    if team_id is not None:
        statement = statement.where(Proposal.team_id == team_id)
    if is_open:
        statement = statement.where(Proposal.state == OPEN)
    if after:
        statement = statement.where(
            Proposal.id > select(Proposal.id).where(Proposal.ref == after).scalar_subquery()
        )
    return db.session().scalars(statement.order_by(Proposal.id).limit(limit)).all()


def open_of(team_id: int, session: Session) -> Sequence[Proposal]:
    """What waits in the entry of one team, or in one that is part of it."""
    ours = Proposal.team_id.in_(entries_of(team_id))
    return session.scalars(select(Proposal).where(ours, Proposal.state == OPEN).order_by(Proposal.id)).all()


def due(now: dt.datetime) -> list[str]:
    """The refs of proposals that everybody needed has approved and whose time has come."""
    statement = select(Proposal.ref).where(Proposal.state == OPEN, Proposal.due_at <= now)
    return list(db.session().scalars(statement.order_by(Proposal.due_at, Proposal.id)))


def undated(session: Session) -> list[str]:
    """The refs of guarded proposals that wait for two stewards, though one alone is left who may approve them."""
    if len(steward_refs(session)) > FEW:
        return []
    statement = select(Proposal).where(Proposal.state == OPEN, Proposal.due_at.is_(None))
    found = session.scalars(statement.order_by(Proposal.id)).all()
    decided = ((it, decision_of(it, session)) for it in found)
    return [it.ref for it, is_ in decided if is_.begins(it.delay_told) or is_.effective_at is not None]


def undecided(now: dt.datetime) -> list[str]:
    """The refs of proposals that nobody has decided for so long that they lapse."""
    over = Proposal.proposed_at <= now - (KINDS["proposal"].after or dt.timedelta.max)
    statement = select(Proposal.ref).where(Proposal.state == OPEN, Proposal.due_at.is_(None), over)
    return list(db.session().scalars(statement.order_by(Proposal.id)))


def waiting(now: dt.datetime) -> list[Waiting]:
    """What asks for a steward: a national point of contact's address or key before all else."""
    statement = (
        select(Proposal)
        .options(selectinload(Proposal.team))
        .where(Proposal.state == OPEN, Proposal.due_at.is_(None))
    )
    found = db.session().scalars(statement.order_by(Proposal.id)).all()
    wholes = whole_teams(db.session(), {it.team_id for it in found})
    return [
        desk(
            "proposal_national" if is_four_eyes(it, wholes[it.team_id], db.session()) else "proposal",
            slug=it.team.slug,
            since=it.proposed_at,
            where=f"/proposals/{it.ref}",
        )
        for it in found
    ]


def decision_of(proposal: Proposal, session: Session) -> Decision:
    """What is missing until it takes effect, by the rule as it stands for the whole team."""
    what = touched(session, proposal.team_id, items_of(proposal.changes))
    return decide(
        team_kind=whole_team(session, proposal.team_id).kind_for(what),
        what=what,
        stewards=steward_refs(session),
        proposer=proposal.person,
        approvals={each.person: each.at for each in proposal.approvals},
        proposed_at=proposal.noticed_at,
    )


def touched(session: Session, team_id: int, changes: Sequence[Item]) -> frozenset[str]:
    """What of the entry these items change, in the words of the approval rule, as the directory stands."""
    slug, firm = _firm(session, team_id, changes)
    concerns = beside(changes, slug, firm) or ends(changes, slug, firm)
    return concerned(changes) | ({CODE} if concerns else frozenset())


def is_second(session: Session, row: ResponsibilityRecord) -> bool:
    """Whether a team that is not here yet would answer by it beside one that has confirmed its entry."""
    item = Item(identity(row), None, {})
    return bool(beside([item], "", firm_answers(session.connection(), codes([item]))))


def others_told(session: Session, proposal: Proposal) -> list[tuple[Team, str]]:
    """The teams beside which it would make this one answer for a code, each with the code."""
    changes = items_of(proposal.changes)
    found = beside(changes, *_firm(session, proposal.team_id, changes))
    teams = session.scalars(select(Team).where(Team.slug.in_(found)).order_by(Team.slug)).all()
    return [(team, found[team.slug]) for team in teams]


def _firm(
    session: Session, team_id: int, changes: Sequence[Item]
) -> tuple[str, Mapping[str, AbstractSet[str]]]:
    """The team's slug, as a whole, and who is firm for the codes that the items name."""
    team = session.get_one(Team, team_id)
    slug = session.get_one(Team, team.merged_into_id).slug if team.merged_into_id else team.slug
    return slug, firm_answers(session.connection(), codes(changes))


def is_four_eyes(proposal: Proposal, whole: Whole, session: Session) -> bool:
    """Whether it touches what is guarded of this team."""
    what = touched(session, proposal.team_id, items_of(proposal.changes))
    return is_guarded(whole.kind_for(what), what)


def address(address_id: int, session: Session | None = None) -> Address | None:
    """An address by its row."""
    return (session or db.session()).get(Address, address_id)


def team_slugs(ids: Collection[int]) -> dict[int, str]:
    """The slugs of these teams."""
    rows = db.session().execute(select(Team.id, Team.slug).where(Team.id.in_(ids)))
    return {row.id: row.slug for row in rows}
