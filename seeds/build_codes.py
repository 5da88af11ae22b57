"""What is known of a country code, also when it is nothing."""

from __future__ import annotations

from typing import Any

from build_rows import NO_TEAM, Row, key, newest_first
from build_rulings import CODE_NOTES, NO_TEAM_CODES, NOT_NATIONAL

Json = dict[str, Any]

NOTHING_FOUND = "No source was found that speaks of a national team."


def code_row(code: str, teams: list[Json], rows: list[Row]) -> Json:
    """`contact` with the best channel's source, `known_no_address` with the name's, or `none_known`."""
    answering = [
        (responsibility["rank"], responsibility, team)
        for team in teams
        for responsibility in team["responsibilities"]
        if (responsibility["key"], responsibility["value"]) == ("country", code)
    ]
    answering.sort(key=lambda item: item[0])
    for _, _, team in answering:
        for channel in team["channels"]:
            if channel["purpose"] != "vulnerability":
                lead = " (an unverified lead)" if channel["confidence"] == "low" else ""
                return _row(code, "contact", f"{team['name']}{lead}", channel["source"])
    for _, responsibility, team in answering:
        note = f"{team['name']} is known by name; no address was found."
        return _row(code, "known_no_address", note, responsibility["source"])
    speaking = [row for row in rows if _speaks_of_none(row)]
    if not speaking:
        return _row(code, "none_known", NOTHING_FOUND, {"name": None, "date": None})
    row = min(speaking, key=lambda row: newest_first(row.source.date))
    return _row(code, "none_known", CODE_NOTES[code], row.source.as_json())


def _speaks_of_none(row: Row) -> bool:
    not_national = (row.country, key(row.short_name)) in NOT_NATIONAL
    return row.status in NO_TEAM or row.country in NO_TEAM_CODES or not_national


def _row(code: str, status: str, note: str, source: Json) -> Json:
    return {"code": code, "status": status, "note": note, "source": source["name"], "date": source["date"]}
