"""The channels and responsibilities in force of each team, of all that is said of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, or_

from pocdir.db import Line, db
from pocdir.directory.queries.reading import NOW, Reading
from pocdir.directory.rules import record as rules


def channels_of(
    teams: Sequence[int] | None, audiences: Collection[str], *, reading: Reading = NOW
) -> dict[int, list[rules.Channel]]:
    """The channels in force by team, in the order to be tried."""
    rows = of_teams(reading.channels, reading, teams)
    first = rules.in_force(rows, _channel_identity, channel_order)
    kept = hidden(teams, audiences) if reading.at is not None else set()
    found: dict[int, list[rules.Channel]] = {}
    for row in sorted(first.values(), key=lambda row: (row[4], channel_order(row), row[1], row[2])):
        team, *values, _class, withdrawn, _part = row
        if withdrawn or row.audience not in audiences or row[:3] in kept:
            continue
        values[5], values[13] = _day(values[5]), _day(values[13])
        found.setdefault(team, []).append(rules.Channel(*values))
    return found


def hidden(teams: Sequence[int] | None, audiences: Collection[str]) -> set[tuple[Any, ...]]:
    """(team, kind, value) of addresses that stand for other audiences than these."""
    rows = list(of_teams(NOW.channels, NOW, teams))
    first = rules.in_force(rows, _channel_identity, channel_order).values()
    stands = {tuple(row[:3]): False for row in first}
    for row in first:
        stands[tuple(row[:3])] |= row.audience in audiences
    return {address for address, seen in stands.items() if not seen}


def responsibilities_of(
    teams: Sequence[int] | None, reading: Reading
) -> dict[int, list[rules.Responsibility]]:
    rows = of_teams(reading.responsibilities, reading, teams)
    first = rules.in_force(rows, lambda row: row[:4], responsibility_order)
    found: dict[int, list[rules.Responsibility]] = {}
    for row in sorted(first.values(), key=_natural):
        team, *values, _class, withdrawn, _part = row
        if not withdrawn:
            values[10] = _day(values[10])
            found.setdefault(team, []).append(rules.Responsibility(*values))
    return found


def _day(at: dt.datetime | None) -> str | None:
    return at.date().isoformat() if at else None


def _natural(row: Line) -> tuple[Any, ...]:
    return row[1], int(row[2]) if row[1] == "asn" else 0, row[2], row[3]


def _channel_identity(row: Line) -> Any:
    return row[:4]


def channel_order(row: Line) -> tuple[Any, ...]:
    return rules.precedence(row[10], row[13], row[16], row[12], row[11]) + own_first(row)


def responsibility_order(row: Line) -> tuple[Any, ...]:
    return rules.precedence(row[5], row[10], row[12], row[7], row[6]) + own_first(row)


def own_first(row: Line) -> tuple[Any, ...]:
    """Of two entries of one team, said alike by one source, the one that the team goes by."""
    return row[-1] != row[0], row[-1]


def among(team: Any, ids: Any) -> ColumnElement[bool]:
    return or_(team.id.in_(ids), team.merged_into_id.in_(ids))


def of_teams(statement: Select[Any], reading: Reading, teams: Sequence[int] | None) -> Iterator[Line]:
    connection = db.session().connection()
    if teams is None:
        yield from connection.execute(statement)
        return
    for start in range(0, len(teams), 500):
        some = teams[start : start + 500]
        yield from connection.execute(statement.where(among(reading.tables.teams.c, some)))
