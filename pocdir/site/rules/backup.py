"""The form of a backup: what its members are called and how a value stands in a line."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pocdir.core.errors import Invalid
from pocdir.core.times import isoformat, moment

FORMAT = 1
MANIFEST, SECRET = "manifest.json", "secret_key"
SIGNING_KEYS = ("directory_key", "openpgp_key")  # where they were made: of the dump, of letters
REGISTRY = re.compile(r"registry/([A-Za-z0-9_-]+)/([A-Za-z0-9_-]+\.(?:npy|json))")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself; the last member, so that a file without it is none.

    `members`: name -> {"sha256": hex, "rows": lines of a table, else null}. `head` and `events`: the ledger's.
    """

    pocdir: str
    migration: str
    created_at: str
    database: str
    events: int
    head: str
    registry: str | None
    members: Mapping[str, Mapping[str, Any]]
    format: int = FORMAT

    def text(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode() + b"\n"


def manifest(text: bytes) -> Manifest:
    """Raises Invalid `backup_damaged`, or `backup_newer` for a form that this code does not know."""
    try:
        said = json.loads(text)
        if said["format"] != FORMAT:
            raise Invalid("backup_newer", f"the backup has form {said['format']}; this pocdir reads {FORMAT}")
        return Manifest(**said)
    except (ValueError, KeyError, TypeError):
        raise damaged("its manifest cannot be read") from None


def damaged(why: str) -> Invalid:
    """The refusal of a file that is not, or no longer, a backup."""
    return Invalid("backup_damaged", f"this is no whole backup: {why}; nothing was changed")


def table_member(table: str) -> str:
    """The name of the member that holds a table."""
    return f"tables/{table}.jsonl"


def line(row: Mapping[str, Any]) -> bytes:
    """A row as one JSON line: times as RFC 3339 in UTC, bytes as {"b64": ...}, the rest as JSON has it."""
    return (
        json.dumps(row, default=_said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
        + b"\n"
    )


def row(text: bytes, times: frozenset[str], octets: frozenset[str]) -> dict[str, Any]:
    """The row of a line; `times` and `octets` name the columns that hold them. Raises Invalid."""
    try:
        said: dict[str, Any] = json.loads(text)
        for name in times & said.keys():
            said[name] = None if said[name] is None else moment(said[name])
        for name in octets & said.keys():
            said[name] = None if said[name] is None else base64.b64decode(said[name]["b64"], validate=True)
        return said
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error, Invalid):
        raise damaged("a row cannot be read") from None


def _said(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return isoformat(value if value.tzinfo else value.replace(tzinfo=dt.UTC))  # SQLite drops the zone
    if isinstance(value, bytes | memoryview):
        return {"b64": base64.b64encode(value).decode("ascii")}
    raise TypeError(f"a column of type {type(value).__name__} has no form in a backup")
