"""Who answers for a code as its holder or national team, and has said itself that its entry is right."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, not_, or_, select

from pocdir.db import Line, table_of
from pocdir.directory.models import Address, Channel, Responsibility, Team
from pocdir.directory.rules.doubts import NATIONAL_ROLES

_TEAM = table_of(Team)
_T, _A, _C, _R = (table_of(model).c for model in (Team, Address, Channel, Responsibility))
_WHOLE = func.coalesce(_T.merged_into_id, _T.id)


def _of_codes() -> ColumnElement[bool]:
    row, entry = table_of(Responsibility).alias("gone"), _TEAM.alias("gone_from")
    gone = (
        select(row.c.id)
        .join(entry, row.c.team_id == entry.c.id)
        .where(row.c.key == _R.key, row.c.value == _R.value, row.c.role == _R.role, row.c.withdrawn.is_(True))
        .where(func.coalesce(entry.c.merged_into_id, entry.c.id) == _WHOLE)
    ).exists()
    return and_(_R.key == "country", _R.role.in_(NATIONAL_ROLES), _R.withdrawn.is_(False), not_(gone))


# Of responsibilities (joined to their entries) those by which a team answers for a code, and that stand.
OF_CODES = _of_codes()


def national(teams: Collection[int] | None = None) -> Select[Any]:
    """The rows of the teams (among these), as wholes, that answer for a code: they are national points of contact,
    whatever kind they call themselves."""
    chosen = select(_WHOLE).join(table_of(Responsibility), _R.team_id == _T.id).where(OF_CODES).distinct()
    # Within another SELECT of teams it stands by itself.
    return (chosen if teams is None else chosen.where(_WHOLE.in_(teams))).correlate(None)


def answering(connection: Connection, codes: Collection[str]) -> list[Line]:
    """Each team (as a whole: `slug`) that answers for one of these codes (`value`), by whose word (`source_id`,
    `origin`), and whether it is `firm`.

    Firm is a team of which an entry, or an address in use, was confirmed.
    """
    if not codes:
        return []
    whole, part = _TEAM.alias("whole"), _TEAM.alias("part")
    entry = func.coalesce(part.c.merged_into_id, part.c.id)
    spoken = select(part.c.id).where(entry == whole.c.id, part.c.confirmed_at.is_not(None)).exists()
    proven = (
        select(_C.id)
        .join(part, _C.team_id == part.c.id)
        .join(table_of(Address), _C.address_id == _A.id)
        .where(entry == whole.c.id, _A.confirmed_at.is_not(None), _C.withdrawn.is_(False))
    ).exists()
    chosen = (
        select(whole.c.slug, _R.value, _R.source_id, _R.origin, or_(spoken, proven).label("firm"))
        .join(_TEAM, _R.team_id == _T.id)
        .join(whole, whole.c.id == _WHOLE)
        .where(OF_CODES, _R.value.in_(sorted(codes)), whole.c.retired_at.is_(None))
        .order_by(whole.c.slug)
    )
    return list(connection.execute(chosen))


def firm_answers(connection: Connection, codes: Collection[str]) -> dict[str, set[str]]:
    """The slugs of the firm teams that answer for each code, by code."""
    found: dict[str, set[str]] = {}
    for row in answering(connection, codes):
        if row.firm:
            found.setdefault(row.value, set()).add(row.slug)
    return found
