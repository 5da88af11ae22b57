"""The spreadsheet beside what is recorded: whom each row means, whether it is known, and what it adds."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import func, select

from pocdir.core.batches import batches
from pocdir.core.codes import alpha2, code_by_name
from pocdir.core.text import fold
from pocdir.db import db
from pocdir.directory.models import Address, Channel, Team
from pocdir.directory.queries.reading import whole_of
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.queries import events_of_notifications
from pocdir.ledger.rules.events import Event
from pocdir.outreach.rules.brought import Fact, facts_of, row_key, still_new
from pocdir.outreach.rules.spreadsheet import Refused, Row, Spreadsheet
from pocdir.routing.queries import index

_E, _A = LedgerEvent.__table__.c, Address.__table__.c


@dataclass(frozen=True, slots=True)
class Matched:
    """One row beside the record: its team, the notification that it is already, and the facts that it adds."""

    row: Row
    key: str
    team: str | None = None
    others: Sequence[str] = ()  # who else it may be, where it is not one
    ref: str | None = None
    twin: int | None = None  # the line above that says the same
    facts: Sequence[Fact] = ()
    note: str | None = None  # what is not kept yet of its note

    @property
    def is_known(self) -> bool:
        """Whether its notification is logged already, or by a line above."""
        return self.ref is not None or self.twin is not None


def key_scope(workspace_id: int) -> str:
    """Under which the keys of rows and facts are kept: each workspace's own."""
    return f"logged:{workspace_id}"


def matched(sheet: Spreadsheet, *, workspace_id: int, now: dt.datetime) -> list[Matched | Refused]:
    """Every row of the sheet in its order; reads only, so that no writer waits for it."""
    rows = [row for row in sheet.rows if isinstance(row, Row)]
    teams = _teams_by_address({row.contact.lower() for row in rows if not row.team})
    facts = {row.line: facts_of(row, now=now) for row in rows}
    keys = {row.line: row_key(row) for row in rows}
    known = _known(workspace_id, [*keys.values(), *(fact.key for found in facts.values() for fact in found)])
    said = {keys[row.line] for row in rows if row.note or facts[row.line]}
    events = events_of_notifications([ref for key, ref in known.items() if key in said])
    firsts: dict[str, int] = {}
    brought: dict[str, list[Fact]] = {}
    found: list[Matched | Refused] = []
    for row in sheet.rows:
        if isinstance(row, Refused):
            found.append(row)
            continue
        key = keys[row.line]
        team, others = _team(row, teams)
        each = Matched(row, key, team, others, ref=known.get(key), twin=firsts.get(key))
        if team is not None:
            each = _additions(each, facts[row.line], events.get(each.ref or "", []), known, brought)
            firsts.setdefault(key, row.line)
        found.append(each)
    return found


def _additions(
    each: Matched,
    facts: Sequence[Fact],
    events: Sequence[Event],
    known: dict[str, str],
    brought: dict[str, list[Fact]],
) -> Matched:
    """With the facts that neither the record nor a line above has, and the note if it is not kept yet."""
    above = brought.setdefault(each.key, [])
    fresh = [
        fact
        for fact in still_new(facts, events, known)
        if not any(
            one.type == fact.type and (fact.is_bare or (one.at, one.is_bare) == (fact.at, False))
            for one in above
        )
    ]
    above += fresh
    kept = any(event.sealed.get("note") == each.row.note for event in events)
    return replace(each, facts=fresh, note=None if kept else each.row.note)


def _team(row: Row, by_address: dict[str, list[tuple[str, str | None]]]) -> tuple[str | None, Sequence[str]]:
    """The one team meant, else None and the candidates."""
    names = index().names
    if row.team:
        found: Sequence[str] = names.get(fold(row.team), ())
    else:
        candidates = by_address.get(row.contact.lower(), [])
        found = [slug for slug, _ in candidates]
        if len(found) > 1 and row.country:
            code = alpha2(row.country) or code_by_name(row.country)
            found = [slug for slug, country in candidates if country == code] or found
        found = found or names.get(fold(row.contact), ())
    return (found[0], ()) if len(found) == 1 else (None, found)


def _teams_by_address(contacts: Iterable[str]) -> dict[str, list[tuple[str, str | None]]]:
    """By address in small letters: (slug, country) of the live teams that use it, best source first."""
    found: dict[str, list[tuple[str, str | None]]] = {}
    for batch in batches(sorted(contacts)):
        statement = (
            select(_A.value, Team.slug, Team.country)
            .join(Channel, Channel.address_id == _A.id)
            .join(Team, whole_of(Channel.team_id) == Team.id)
            .where(func.lower(_A.value).in_(batch), Channel.withdrawn.is_(False), Team.retired_at.is_(None))
            .order_by(Channel.origin.desc(), Channel.preference, Team.slug)
        )
        for value, slug, country in db.session.execute(statement):
            teams = found.setdefault(value.lower(), [])
            if (slug, country) not in teams:
                teams.append((slug, country))
    return found


def _known(workspace_id: int, keys: Iterable[str]) -> dict[str, str]:
    """By key of a row or fact that was brought before, the notification's reference."""
    found: dict[str, str] = {}
    for batch in batches(sorted(set(keys))):
        statement = select(_E.idempotency_key, _E.notification).where(
            _E.scope == key_scope(workspace_id), _E.idempotency_key.in_(batch)
        )
        found.update({key: ref for key, ref in db.session.execute(statement) if ref is not None})
    return found
