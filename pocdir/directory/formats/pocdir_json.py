"""pocdir-json: the directory in its own shape, read and written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pocdir.directory.formats import records, text, values
from pocdir.directory.formats.records import Faults, Parsed, Provenance
from pocdir.directory.rules import record as rules

EXPORT_NAME = "pocdir"


def parse(data: bytes) -> Parsed:
    """The teams of a pocdir-json file; raises Invalid with the path of what is wrong (`teams[3].country`)."""
    raw = text.json_object(data)
    faults = Faults()
    for name in raw:
        if name not in ("source", "origin", "teams"):
            faults.add(text.shown(name), "is not a key that pocdir-json knows")
    if "teams" not in raw:
        faults.add("teams", "is missing")
    origin = faults.check("origin", values.one_of(rules.ORIGINS), raw.get("origin", "imported"))
    source = _source(raw.get("source"), faults)
    teams = tuple(records.team_records(raw.get("teams", []), faults))
    faults.refuse("record_invalid")
    return Parsed(source, origin or "imported", teams)


def _source(raw: Any, faults: Faults) -> Provenance | None:
    if raw is None:
        return None
    if not isinstance(raw, Mapping):
        faults.add("source", 'an object with "name", "url" and "date" is right')
        return None
    for name in raw:
        if name not in ("name", "url", "date"):
            faults.add(f"source.{text.shown(name)}", "is not a key that pocdir-json knows")
    given = {name: raw.get(name) or None for name in ("name", "url", "date")}
    name = given["name"] and faults.check("source.name", values.text(200), given["name"])
    return Provenance(
        source=name or "",
        url=given["url"] and faults.check("source.url", values.url, given["url"]),
        as_of=(given["date"] and faults.check("source.date", values.date, given["date"])) or "",
    )


def write(teams: Iterable[Mapping[str, Any]], as_of: str) -> bytes:
    """The file for these teams (dicts of pocdir-json, sorted by slug); same directory, same bytes."""
    return text_of(whole(teams, as_of))


def whole(teams: Iterable[Mapping[str, Any]], as_of: str) -> dict[str, Any]:
    """The file for these teams (`write`) as a value."""
    source = {"name": EXPORT_NAME, "url": None, "date": as_of or None}
    return {"source": source, "origin": "imported", "teams": list(teams)}


def text_of(value: Any) -> bytes:
    """JSON as our files have it, for people to read too."""
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8")
