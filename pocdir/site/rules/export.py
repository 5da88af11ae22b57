"""A workspace's record as one JSON document, or as a ZIP archive of tables that a spreadsheet reads safely."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from pocdir.core.cells import harmless
from pocdir.core.times import isoformat

Row = Mapping[str, Any]
FORMATS = {"json": "application/json", "csv": "application/zip"}
SUFFIXES = {"json": ".json", "csv": ".zip"}
SHAPE, VERSION = "pocdir-workspace", 1
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP can say: no clock stands in the archive

# Every table with its columns, in the order in which both formats have them.
TABLES: Mapping[str, tuple[str, ...]] = {
    "incidents": (
        "ref", "title", "class", "type", "tlp", "description", "detected_from", "detected_to", "source_ref",
        "people_at_risk", "created_at", "created_by", "closed_at", "revision", "quiet_after",
    ),
    "assets": ("incident", "kind", "value", "port", "control", "first_seen", "last_seen"),
    "windows": (
        "ref", "incident", "method", "begins_at", "ends_at", "sightings", "seen", "strangers", "posted_at", "posted_by",
    ),
    "sightings": ("window", "kind", "value", "port", "first", "last", "count"),
    "notifications": (
        "ref", "incident", "team", "channel_kind", "channel_value", "kind", "sent_at", "precision", "subject", "body",
        "body_digest", "language", "tlp", "assets", "parent", "answer_asked", "sent_level", "transport", "response",
        "outcome", "clock", "due", "contested", "created_at", "created_by", "withdrawn_at",
    ),
    "expectations": ("notification", "of", "within", "due_at", "state", "lapsed_at", "stopped_at"),
    "letters": ("notification", "to", "subject", "body"),
    "parcels": ("notification", "ref", "team", "name", "rows", "size", "sha256"),
    "mails": (
        "notification", "ref", "received_at", "sender", "subject", "text", "class", "rule", "proven", "result",
        "reason", "event", "attachments", "size", "sha256", "seen_at",
    ),
    "policies": ("ref", "slug", "version", "definition", "digest", "created_at", "created_by"),
    "events": (
        "id", "type", "v", "occurred_at", "precision", "recorded_at", "incident", "notification", "team", "actor",
        "claimed_by", "assurance", "evidence_digest", "payload",
    ),
}  # fmt: skip


def write(file: BinaryIO, form: str, workspace: Row, tables: Iterable[tuple[str, Iterable[Row]]]) -> None:
    """Write the tables, each row as it comes; `form` is one of FORMATS. The file is never read or sought."""
    if form == "csv":
        _write_archive(file, tables)
    else:
        for part in _document(workspace, tables):
            file.write(part.encode())


def _document(workspace: Row, tables: Iterable[tuple[str, Iterable[Row]]]) -> Iterator[str]:
    yield f'{{"format":"{SHAPE}","version":{VERSION},"workspace":{_json(workspace)}'
    for name, rows in tables:
        yield f',\n"{name}":['
        for number, row in enumerate(rows):
            yield ("," if number else "") + "\n" + _json({key: row[key] for key in TABLES[name]})
        yield "]"
    yield "}\n"


def _write_archive(file: BinaryIO, tables: Iterable[tuple[str, Iterable[Row]]]) -> None:
    with ZipFile(file, "w", ZIP_DEFLATED) as archive:
        for name, rows in tables:
            member = ZipInfo(f"{name}.csv", _FIRST_DAY)
            member.compress_type = ZIP_DEFLATED
            with archive.open(member, "w", force_zip64=True) as binary:
                text = io.TextIOWrapper(binary, encoding="utf-8", newline="")
                writer = csv.writer(text)
                writer.writerow(TABLES[name])
                writer.writerows([_cell(row[key]) for key in TABLES[name]] for row in rows)
                text.flush()
                text.detach()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_told)


def _told(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return isoformat(value)
    raise TypeError(f"{type(value).__name__} has no place in an export")


def _cell(value: Any) -> Any:
    """A cell of a table: empty for null, JSON for a list or an object, an apostrophe before a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return isoformat(value)
    if isinstance(value, (list, dict)):
        return _json(value)
    return harmless(value) if isinstance(value, str) else value
