"""Teams and files made for the tests."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from pocdir.db import transaction
from pocdir.directory import actions
from pocdir.directory.actions import ImportResult
from pocdir.directory.formats import records
from pocdir.directory.formats.records import Provenance
from pocdir.directory.formats.table import FORMATS

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)


def channel(value: str = "cert@cert.example", **more: Any) -> dict[str, Any]:
    """A channel of pocdir-json."""
    return {"kind": "email", "value": value, "purpose": "incident", "preference": 1, **more}


def responsibility(key: str = "country", value: str = "AT", **more: Any) -> dict[str, Any]:
    """A responsibility of pocdir-json."""
    return {"key": key, "value": value, "rank": 1, **more}


def team_json(slug: str = "cert-example", **more: Any) -> dict[str, Any]:
    """A national team of pocdir-json with one address and one country."""
    return {
        "slug": slug,
        "name": "CERT Example",
        "kind": "national",
        "country": "AT",
        "channels": [channel()],
        "responsibilities": [responsibility()],
        **more,
    }


def file(*teams: dict[str, Any], **more: Any) -> bytes:
    """A pocdir-json file."""
    source = {"name": "list", "url": "https://list.example/", "date": "2026-06-17"}
    return json.dumps({"source": source, "origin": "imported", "teams": list(teams), **more}).encode()


def imported(
    data: bytes, *, name: str = "pocdir-json", source: str | None = None, now: dt.datetime = NOW, **more: Any
) -> ImportResult:
    """Import a file in a transaction of its own."""
    parsed = FORMATS[name](data)
    says = parsed.source or Provenance("")
    with transaction() as session:
        return actions.import_records(
            session,
            records=parsed.teams,
            source=Provenance(source, as_of=says.as_of) if source else says,
            origin=parsed.origin,
            now=now,
            actor="operator",
            format=name,
            **more,
        )


def team(slug: str = "cert-example", **more: Any) -> str:
    """A team as a steward enters it; returns its slug."""
    record = records.team_record(team_json(slug, **more))
    with transaction() as session:
        return actions.create_team(session, record=record, evidence="a call", now=NOW, actor="operator")
