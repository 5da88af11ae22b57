"""Teams to tell, made straight through the directory's own import."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from pocdir.db import transaction
from pocdir.directory.actions import import_records
from pocdir.directory.formats.pocdir_json import parse

TEAMS: list[dict[str, Any]] = [
    {
        "slug": "cert-at",
        "name": "CERT.at",
        "kind": "national",
        "country": "AT",
        "channels": [
            {"kind": "email", "value": "reports@cert.example", "purpose": "incident", "preference": 1}
        ],
        "responsibilities": [{"key": "country", "value": "AT", "role": "national", "rank": 1}],
    },
    {
        "slug": "isp",
        "name": "ISP abuse desk",
        "kind": "provider",
        "country": "AT",
        "channels": [{"kind": "email", "value": "abuse@isp.example", "purpose": "incident", "preference": 1}],
        "responsibilities": [{"key": "prefix", "value": "203.0.113.0/24", "role": "holder", "rank": 1}],
    },
    {
        "slug": "mute",
        "name": "No address known",
        "kind": "national",
        "country": "AQ",
        "channels": [],
        "responsibilities": [],
    },
]


def teams(now: dt.datetime) -> None:
    """Three teams: a national one, a provider, and one without any channel."""
    document = {
        "source": {"name": "test", "url": "", "date": "2026-06-17"},
        "origin": "imported",
        "teams": TEAMS,
    }
    parsed = parse(json.dumps(document).encode())
    assert parsed.source is not None
    with transaction() as session:
        import_records(
            session, records=parsed.teams, source=parsed.source, origin="imported", now=now, actor="operator"
        )
