"""Which rows speak of the same team: the same country, and an address, a name or a host in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import urlsplit

from build_rows import GONE, NO_TEAM, Row, key
from build_rulings import NO_TEAM_CODES, SAME_TEAM, SHARED_HOSTS, TEAM_OF_ADDRESS

PUBLIC_KINDS = frozenset({"national", "governmental"})


def grouped(rows: list[Row]) -> list[list[Row]]:
    """Rows by team, best row first; rows of teams that are gone, or that name no team, left out."""
    rows = [row for row in rows if _names_a_team(row)]
    leader = {row.number: row.number for row in rows}

    def find(number: int) -> int:
        while leader[number] != number:
            number = leader[number]
        return number

    first: dict[tuple[str, ...], int] = {}
    for row in rows:
        for mark in _marks(row):
            other = first.setdefault((row.country, *mark), row.number)
            low, high = sorted((find(other), find(row.number)))
            leader[high] = low
    groups = defaultdict(list)
    for row in rows:
        groups[find(row.number)].append(row)
    return [sorted(group, key=lambda row: row.best) for group in groups.values()]


def marks_of(group: list[Row]) -> set[tuple[str, str]]:
    """The country and each name of a team as key(), as the rulings name it."""
    return {(row.country, key(name)) for row in group for name in (row.short_name, row.name) if name}


def _names_a_team(row: Row) -> bool:
    if row.status in GONE or row.country in NO_TEAM_CODES:
        return False
    return row.status not in NO_TEAM or (row.status == "unclear" and row.kind == "national")


def _marks(row: Row) -> Iterator[tuple[str, str]]:
    """What makes a row speak of the same team as another one of that country with the same mark."""
    for name in (row.short_name, row.name):
        if len(folded := key(name)) > 2:
            yield "name", SAME_TEAM.get((row.country, folded), folded)
    for address in (row.email, *row.other_emails):
        if address:
            yield "address", address
            if address in TEAM_OF_ADDRESS:
                yield "name", TEAM_OF_ADDRESS[address]
    if row.kind in PUBLIC_KINDS and not row.is_snapshot_of_2012:
        for host in _hosts(row):
            if host not in SHARED_HOSTS:
                yield "host", host


def _hosts(row: Row) -> Iterator[str]:
    if row.email:
        yield row.email.split("@")[1]
    if row.website:
        yield (urlsplit(row.website).hostname or "").removeprefix("www.")
