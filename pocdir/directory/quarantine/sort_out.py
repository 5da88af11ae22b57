"""Which changes of an import apply, which wait for a person, and which a steward has refused before."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, not_, select
from sqlalchemy.orm import Session

from pocdir.db import table_of
from pocdir.directory.keys import queries as keys
from pocdir.directory.models import Address, Channel, Held, Team
from pocdir.directory.rules import held
from pocdir.directory.rules.doubts import ONE_TEAMS, Doubt, Known, Standing, doubts
from pocdir.directory.rules.record import Diff, Key, Statement, diff

BATCH = 500
_T, _A, _C, _H = (table_of(model).c for model in (Team, Address, Channel, Held))


@dataclass(frozen=True, slots=True)
class Sorted:
    """An import's changes: `applies` now, `held` by team, `refused` by team since when; and why."""

    applies: Diff
    held: Mapping[str, Diff] = field(default_factory=dict)
    refused: Mapping[str, dt.datetime] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()

    def reasons(self, team: str) -> list[Doubt]:
        """Why this team's changes wait."""
        return [doubt for doubt in self.doubts if doubt.team in (None, team)]


def sort_out(
    session: Session,
    *,
    source_id: int,
    origin: str,
    before: Mapping[Key, Statement],
    after: Mapping[Key, Statement],
    placeholders: Mapping[str, Iterable[str]],
) -> Sorted:
    """What to do with each team's changes.

    A doubt about a team holds all that the source would change of it, one about the whole file holds everything.
    What a steward refused of this source stays out, and is no reason for further doubts.
    """
    parts = held.by_team(diff(before, after))
    refused = _refused(session, source_id, origin, parts)
    if refused:
        after = {key: row for key, row in after.items() if key[1] not in refused}
        after |= {key: row for key, row in before.items() if key[1] in refused}
        parts = {team: part for team, part in parts.items() if team not in refused}
        placeholders = {team: row for team, row in placeholders.items() if team not in refused}
    if not parts:
        return Sorted(Diff(), refused=refused)
    known = _standing(session.connection(), source_id, origin, parts)
    found = tuple(doubts(before, after, known, placeholders))
    waits = set(parts) if any(doubt.team is None for doubt in found) else {str(it.team) for it in found}
    return Sorted(
        held.together(part for team, part in parts.items() if team not in waits),
        {team: part for team, part in parts.items() if team in waits and held.kept(part)},
        refused,
        found,
    )


def _refused(
    session: Session, source_id: int, origin: str, parts: Mapping[str, Diff]
) -> dict[str, dt.datetime]:
    """The teams of which a steward refused the very same change of this source, and when."""
    statement = (
        select(_H.team, _H.digest, _H.decided_at)
        .where(_H.source_id == source_id, _H.origin == origin, _H.state == "refused")
        .order_by(_H.id)
    )
    said: dict[str, dict[str, dt.datetime]] = {}
    for team, digest, at in session.connection().execute(statement):
        if team in parts:
            said.setdefault(team, {})[digest] = at
    again = {team: digests.get(held.digest(held.kept(parts[team]))) for team, digests in said.items()}
    return {team: at for team, at in again.items() if at is not None}


def _standing(connection: Connection, source_id: int, origin: str, parts: Mapping[str, Diff]) -> Standing:
    rows = connection.execute(
        select(_T.id, _T.slug, _T.name, _T.country, _T.kind, _T.short_name).where(_T.retired_at.is_(None))
    ).all()
    teams = {slug: Known(*words) for _, slug, *words in rows}
    if not teams:
        return Standing()
    wanted: dict[str, set[str]] = {}
    for key in (key for part in parts.values() for key in part.added):
        if key[0] == "channel" and key[2] in ONE_TEAMS:
            wanted.setdefault(key[2], set()).add(key[3])
    ours = and_(_C.source_id == source_id, _C.origin == origin)
    stands = _confirmed(connection, ours)
    pinned = keys.pinned()
    for number, slug, *_ in rows if pinned else ():
        for value, fingerprint in pinned.get(number, {}).items():
            stands["keys"][slug, "email", value] = {fingerprint}
    return Standing(teams=teams, holders=_holders(connection, ours, wanted), **stands)


def _confirmed(connection: Connection, ours: ColumnElement[bool]) -> dict[str, Any]:
    """Of the addresses that their team confirmed: who else gives them, their first place, their keys."""
    chosen = (
        select(
            _T.slug, _A.kind, _A.value, _C.purpose, _C.preference, _C.openpgp_fingerprint, ours.label("ours")
        )
        .join(Channel.__table__, _C.team_id == _T.id)
        .join(Address.__table__, _C.address_id == _A.id)
        .where(_A.state == "verified", _C.withdrawn.is_(False))
    )
    confirmed, elsewhere = set(), set()
    first: dict[tuple[str, str], int] = {}
    given: dict[Any, set[str]] = {}
    for slug, kind, value, purpose, preference, fingerprint, is_ours in connection.execute(chosen):
        address = (slug, kind, value)
        confirmed.add(address)
        if not is_ours:
            elsewhere.add(address)
        first[slug, purpose] = min(preference, first.get((slug, purpose), preference))
        if fingerprint:
            given.setdefault(address, set()).add(fingerprint)
    return {"confirmed": confirmed, "elsewhere": elsewhere, "first": first, "keys": given}


def _holders(
    connection: Connection, ours: ColumnElement[bool], wanted: Mapping[str, Iterable[str]]
) -> dict[tuple[str, str], set[str]]:
    """Which teams have these addresses (values by kind) by another's word than this source's."""
    chosen = (
        select(_A.value, _T.slug)
        .join(Channel.__table__, _C.address_id == _A.id)
        .join(Team.__table__, _C.team_id == _T.id)
        .where(not_(ours), _C.withdrawn.is_(False), _T.retired_at.is_(None))
    )
    found: dict[tuple[str, str], set[str]] = {}
    for kind, values in wanted.items():
        ordered = sorted(values)
        for start in range(0, len(ordered), BATCH):
            some = chosen.where(_A.kind == kind, _A.value.in_(ordered[start : start + BATCH]))
            for value, slug in connection.execute(some):
                found.setdefault((kind, value), set()).add(slug)
    return found
