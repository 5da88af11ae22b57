"""What a team answers for: its AS numbers, its sector, its country, each with the row that says so."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from build_groups import marks_of
from build_rows import Row, newest_first
from build_rulings import CONSTITUENCIES, NOT_NATIONAL, SECTORS

Json = dict[str, Any]
Pair = tuple[list[Row], Json]  # a team's rows, the team


def asns(group: list[Row]) -> list[Json]:
    """The AS numbers that a source gives the team; the best row for each."""
    first: dict[int, Row] = {}
    for row in group:
        for number in row.asns:
            first.setdefault(number, row)
    return [_responsibility("asn", str(number), "holder", 1, row) for number, row in sorted(first.items())]


def rank_shared_asns(teams: list[Json]) -> None:
    """Of several teams with the same AS number the one with fewer numbers comes first."""
    claims: dict[str, list[tuple[int, str, Json]]] = defaultdict(list)
    for team in teams:
        own = [each for each in team["responsibilities"] if each["key"] == "asn"]
        for each in own:
            claims[each["value"]].append((len(own), team["name"], each))
    for shared in claims.values():
        for rank, (_, _, each) in enumerate(sorted(shared, key=lambda claim: claim[:2]), start=1):
            each["rank"] = rank


def by_ruling(group: list[Row]) -> list[Json]:
    """What the team is for by ruling: a sector of its country, or the constituency that its row quotes."""
    found = []
    for mark in sorted(marks_of(group)):
        if mark in SECTORS:
            value = f"{mark[0]}/{SECTORS[mark]}"
            found.append(_responsibility("country+sector", value, "sectoral", 1, group[0]))
        for key, value in CONSTITUENCIES.get(mark, ()):
            found.append(_responsibility(key, value, "holder", 1, group[0]))
    return found


def assign_countries(groups: list[list[Row]], teams: list[Json]) -> None:
    """National teams answer for their code, the best sourced first.

    Where none is known, the government's or the territory's own team does, as a coordinator.
    """
    by_code: dict[str, list[Pair]] = defaultdict(list)
    for group, team in zip(groups, teams, strict=True):
        if team["country"] and not marks_of(group) & NOT_NATIONAL:
            by_code[team["country"]].append((group, team))
    for code, pairs in by_code.items():
        kept, role = _national(pairs), "national"
        if not kept:
            public = [pair for pair in pairs if pair[1]["kind"] in ("governmental", "regional")]
            kept, role = _fresh(public), "coordinator"
        for rank, (group, team) in enumerate(sorted(kept, key=lambda pair: _rank(pair[0])), start=1):
            row = _voucher(group)
            team["responsibilities"].insert(0, _responsibility("country", code, role, rank, row))


def _national(pairs: list[Pair]) -> list[Pair]:
    """The code's national teams that can be reached, old ones only for want of newer ones.

    Where every address is an unverified lead, the named teams without any stay beside them to be seen.
    """
    national = _fresh([pair for pair in pairs if _voucher(pair[0]).kind == "national"])
    reachable = [pair for pair in national if pair[1]["channels"]]
    sure = [c for _, team in reachable for c in team["channels"] if c["confidence"] != "low"]
    return reachable if sure else national


def _fresh(pairs: list[Pair]) -> list[Pair]:
    newer = [pair for pair in pairs if not all(row.is_snapshot_of_2012 for row in pair[0])]
    return newer or pairs


def _voucher(group: list[Row]) -> Row:
    """The best row that calls the team national; one without a name speaks for nameless contacts only."""
    named = [row for row in group if row.name or row.short_name] or group
    return min([row for row in named if row.kind == "national"] or named, key=lambda row: row.best)


def _rank(group: list[Row]) -> tuple[Any, ...]:
    rows = [row for row in group if row.kind == "national"] or group
    return (
        min(row.standing for row in rows),
        -len({row.source.name for row in rows}),
        not any(row.short_name for row in rows),
        min(newest_first(row.source.date) for row in rows),
        rows[0].number,
    )


def _responsibility(key: str, value: str, role: str, rank: int, row: Row) -> Json:
    return {"key": key, "value": value, "role": role, "rank": rank, **row.said()}
