"""The shipped seeds: pocdir-json in which every value names its own source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pocdir.core.errors import Invalid
from pocdir.directory.formats import records, values
from pocdir.directory.formats.records import Provenance, TeamRecord
from pocdir.directory.formats.text import json_object
from pocdir.directory.rules.record import Key, Statement

_ALSO = frozenset({"said", "source"})


def parse(data: bytes) -> tuple[dict[str, Provenance], dict[str, dict[Key, Statement]]]:
    """The sources, and what each says, by its name; raises Invalid with the path."""
    sources: dict[str, Provenance] = {}
    says: dict[str, dict[Key, Statement]] = {}
    for position, raw in enumerate(json_object(data).get("teams", [])):
        where = f"teams[{position}]"
        record = records.team_record(raw, where=where, also=_ALSO)
        for source, part in _parts(raw, record):
            sources.setdefault(source.source, source)
            rows = says.setdefault(source.source, {})
            for key, statement in records.statements({str(record.slug): part}, source).items():
                rows[key] = _joined(rows.get(key), statement)
    return sources, says


def codes(data: bytes) -> list[dict[str, Any]]:
    """What is known of every country code: code, status, note, source, as_of."""
    rows = json_object(b'{"codes":' + data + b"}")["codes"]
    return [{"as_of": row.pop("date"), **row} for row in rows]


def files(folder: Path) -> tuple[bytes, bytes]:
    """directory.json and codes.json; raises Invalid `installation_broken` when they are missing."""
    try:
        return (folder / "directory.json").read_bytes(), (folder / "codes.json").read_bytes()
    except OSError as error:
        raise Invalid(
            "installation_broken", f"the seeds are missing ({error.filename}); reinstall pocdir"
        ) from None


def _parts(raw: Mapping[str, Any], record: TeamRecord) -> Iterator[tuple[Provenance, TeamRecord]]:
    """The record cut into what each source says of it."""
    bare = TeamRecord(record.slug)
    for name, value in record.facts.items():
        told = raw["said"][name]
        if name == "memberships":
            for item in value:
                yield _provenance(told[item["name"]]), replace(bare, facts={name: [item]})
        else:
            yield _provenance(told), replace(bare, facts={name: value})
    for told, channel in zip(raw["channels"], record.channels, strict=True):
        yield _provenance(told), replace(bare, channels=(channel,))
    for told, row in zip(raw["responsibilities"], record.responsibilities, strict=True):
        yield _provenance(told), replace(bare, responsibilities=(row,))


def _provenance(told: Mapping[str, Any]) -> Provenance:
    source = told["source"]
    return Provenance(
        source=values.text(200)(source["name"]),
        url=source["url"],
        kind=source["class"],
        as_of=source["date"] or "",
        confidence=told["confidence"],
    )


def _joined(before: Statement | None, statement: Statement) -> Statement:
    """A source names the memberships of a team one by one; other values it says once."""
    if before is None or not isinstance(statement.values.get("value"), list):
        return statement
    return replace(statement, values={"value": [*before.values["value"], *statement.values["value"]]})
