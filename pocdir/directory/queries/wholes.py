"""What the four-eyes rule (rules/approval.py) has to know of a team, read of all entries that are one team."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import Column, Select, or_, select
from sqlalchemy.orm import Session

from pocdir.accounts.models import TeamContact
from pocdir.db import table_of
from pocdir.directory.claims.models import Claim
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.keys.rules import PROPOSED
from pocdir.directory.models import PAST, Address, Channel, Team
from pocdir.directory.queries.answering import national
from pocdir.directory.queries.reading import whole, whole_of
from pocdir.directory.rules.approval import NATIONAL, Whole

_T, _C, _A, _K = (table_of(model).c for model in (Team, Channel, Address, TeamKey))
_CLAIM, _CONTACT = table_of(Claim).c, table_of(TeamContact).c
_WAS = PAST["addresses"].c


def whole_team(session: Session, team_id: int) -> Whole:
    """The `Whole` of the team that this entry (its row) is, or is part of."""
    return whole_teams(session, [team_id])[team_id]


def whole_teams(session: Session, entries: Collection[int]) -> dict[int, Whole]:
    """The `Whole` of each of these entries' teams, by the entry's row, in a fixed number of queries."""
    connection = session.connection()
    named = select(_T.id, whole(_T)).where(_T.id.in_(set(entries)))
    into = {row.id: row.team_id for row in connection.execute(named)}
    wanted = set(into.values())
    kinds: dict[int, set[str]] = {number: set() for number in wanted}
    own: dict[int, str] = {}
    answered: set[int] = set()
    together = select(_T.id, whole(_T), _T.kind, _T.confirmed_at)
    for row in connection.execute(together.where(or_(_T.id.in_(wanted), _T.merged_into_id.in_(wanted)))):
        kinds[row.team_id].add(row.kind)
        if row.id == row.team_id:
            own[row.id] = row.kind
        if row.confirmed_at is not None:
            answered.add(row.team_id)
    for number in connection.execute(national(wanted)).scalars():
        kinds[number].add(NATIONAL)
    verified = or_(
        _A.state == "verified", _A.id.in_(select(_WAS.id).where(_WAS.id == _A.id, _WAS.state == "verified"))
    )
    of_channel = whole_of(_C.team_id)
    spoken = (
        select(of_channel)
        .join(table_of(Address), _C.address_id == _A.id)
        .where(of_channel.in_(wanted), _C.withdrawn.is_(False), verified)
    )
    claimed = _of(_CLAIM.team_id, wanted).where(_CLAIM.proven_at.is_not(None))
    contacts = _of(_CONTACT.team_id, wanted)
    keyed = _of(_K.team_id, wanted).where(or_(_K.pinned_at.is_not(None), _K.state == PROPOSED))
    for people in (spoken, claimed, contacts):
        answered |= set(connection.execute(people).scalars())
    has_key = set(connection.execute(keyed).scalars())
    return {
        number: Whole(own[of], frozenset(kinds[of]), of in answered, of in has_key)
        for number, of in into.items()
    }


def _of(entry: Column[Any], wanted: Collection[int]) -> Select[Any]:
    number = whole_of(entry)
    # Named, or the table would stand in the inner SELECT alone, which then speaks of all its rows at once.
    return select(number).select_from(entry.table).where(number.in_(wanted))
