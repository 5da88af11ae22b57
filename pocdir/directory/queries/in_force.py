"""The channels and responsibilities in force of each team, of all that is said of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, or_

from pocdir.db import Line, db
from pocdir.directory.queries.reading import NOW, ChannelRow, Reading, ResponsibilityRow
from pocdir.directory.rules import record as rules


def channels_of(
    teams: Sequence[int] | None, audiences: Collection[str], *, reading: Reading = NOW
) -> dict[int, list[rules.Channel]]:
    """The channels in force by team, in the order to be tried."""
    rows = channel_rows(teams, reading)
    first = rules.in_force(rows, _identity, order)
    kept = hidden(teams, audiences) if reading.at is not None else set()
    found: dict[int, list[rules.Channel]] = {}
    for row in sorted(first.values(), key=_as_tried):
        if not row.withdrawn and row.audience in audiences and _address(row) not in kept:
            found.setdefault(row.team_id, []).append(_channel(row))
    return found


def hidden(teams: Sequence[int] | None, audiences: Collection[str]) -> set[tuple[Any, ...]]:
    """(team, kind, value) of addresses that stand for other audiences than these."""
    rows = list(channel_rows(teams, NOW))
    first = rules.in_force(rows, _identity, order).values()
    stands = {_address(row): False for row in first}
    for row in first:
        stands[_address(row)] |= row.audience in audiences
    return {address for address, seen in stands.items() if not seen}


def responsibilities_of(
    teams: Sequence[int] | None, reading: Reading
) -> dict[int, list[rules.Responsibility]]:
    """The responsibilities in force by team, by key, value and role."""
    rows = responsibility_rows(teams, reading)
    first = rules.in_force(rows, _of_whom, order)
    found: dict[int, list[rules.Responsibility]] = {}
    for row in sorted(first.values(), key=_natural):
        if not row.withdrawn:
            found.setdefault(row.team_id, []).append(_responsibility(row))
    return found


def _channel(row: ChannelRow) -> rules.Channel:
    return rules.Channel(
        kind=row.kind, value=row.value, purpose=row.purpose, preference=row.preference, state=row.state,
        state_since=_day(row.state_since), state_evidence=row.state_evidence,
        openpgp_fingerprint=row.openpgp_fingerprint, audience=row.audience, origin=row.origin, source=row.source,
        as_of=row.as_of, confidence=row.confidence, since=_day(row.since), hours=row.hours,
        reachability=row.reachability,
    )  # fmt: skip


def _responsibility(row: ResponsibilityRow) -> rules.Responsibility:
    return rules.Responsibility(
        key=row.key, value=row.value, role=row.role, rank=row.rank, origin=row.origin, source=row.source,
        as_of=row.as_of, valid_from=row.valid_from, valid_to=row.valid_to, confidence=row.confidence,
        since=_day(row.since),
    )  # fmt: skip


def _day(at: dt.datetime | None) -> str | None:
    return at.date().isoformat() if at else None


def _as_tried(row: ChannelRow) -> tuple[Any, ...]:
    return row.preference, order(row), row.kind, row.value


def _natural(row: ResponsibilityRow) -> tuple[Any, ...]:
    return row.key, int(row.value) if row.key == "asn" else 0, row.value, row.role


def _address(row: ChannelRow) -> tuple[Any, ...]:
    return row.team_id, row.kind, row.value


def _identity(row: ChannelRow) -> tuple[Any, ...]:
    return row.team_id, row.kind, row.value, row.purpose


def _of_whom(row: ResponsibilityRow) -> tuple[Any, ...]:
    return row.team_id, row.key, row.value, row.role


def order(row: ChannelRow | ResponsibilityRow | Line) -> tuple[Any, ...]:
    """Sorts what is said of one thing (rows of `Reading`), the one in force first.

    Of two entries of one team, said alike by one source, it is the one that the team goes by.
    """
    first = rules.precedence(row.origin, row.confidence, row.source_kind, row.as_of, row.source)
    return (*first, row.part != row.team_id, row.part)


def among(team: Any, ids: Any) -> ColumnElement[bool]:
    return or_(team.id.in_(ids), team.merged_into_id.in_(ids))


def channel_rows(teams: Sequence[int] | None, reading: Reading) -> Iterator[ChannelRow]:
    """What every source says of the channels of some teams (their rows), of all of them for None."""
    return map(ChannelRow._make, _of_teams(reading.channels, reading, teams))


def responsibility_rows(teams: Sequence[int] | None, reading: Reading) -> Iterator[ResponsibilityRow]:
    """What every source says of the responsibilities of some teams (their rows), of all of them for None."""
    return map(ResponsibilityRow._make, _of_teams(reading.responsibilities, reading, teams))


def _of_teams(statement: Select[Any], reading: Reading, teams: Sequence[int] | None) -> Iterator[Line]:
    connection = db.session().connection()
    if teams is None:
        yield from connection.execute(statement)
        return
    for start in range(0, len(teams), 500):
        some = teams[start : start + 500]
        yield from connection.execute(statement.where(among(reading.tables.teams.c, some)))
