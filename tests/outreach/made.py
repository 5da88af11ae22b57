"""Teams to tell, made straight through the directory's own import."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts.actions import create_token
from pocdir.accounts.queries import team_id_of
from pocdir.db import transaction
from pocdir.directory.actions.imports import import_records
from pocdir.directory.formats.pocdir_json import parse
from tests.accounts import made as people

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


# A carrier above the provider; of its own network the national team gets a copy.
CARRIER: list[dict[str, Any]] = [
    {
        "slug": "carrier",
        "name": "Carrier",
        "kind": "provider",
        "country": "AT",
        "channels": [
            {"kind": "email", "value": "abuse@carrier.example", "purpose": "incident", "preference": 1}
        ],
        "responsibilities": [
            {"key": "prefix", "value": "203.0.0.0/16", "role": "holder", "rank": 1},
            {"key": "prefix", "value": "198.51.100.0/24", "role": "holder", "rank": 1},
        ],
    },
    TEAMS[0] | {"responsibilities": [{"key": "prefix", "value": "198.51.100.0/24", "role": "cc", "rank": 1}]},
]


def teams(now: dt.datetime, **national: Any) -> None:
    """Three teams: a national one (which `national` says more of), a provider, and one without any channel."""
    _import([TEAMS[0] | national, *TEAMS[1:]], "test", now)


def carrier(now: dt.datetime) -> None:
    """A fourth one, and who gets a copy of what concerns it."""
    _import(CARRIER, "another", now)


def entered(record: dict[str, Any], now: dt.datetime) -> None:
    """One more team, as a list of its own has it."""
    _import([record], record["slug"], now)


def _import(records: list[dict[str, Any]], source: str, now: dt.datetime) -> None:
    document = {
        "source": {"name": source, "url": "", "date": min("2026-06-17", now.date().isoformat())},
        "origin": "imported",
        "teams": records,
    }
    parsed = parse(json.dumps(document).encode())
    assert parsed.source is not None
    with transaction() as session:
        import_records(
            session, records=parsed.teams, source=parsed.source, origin="imported", now=now, actor="operator"
        )


def team_token(slug: str, now: dt.datetime, **more: Any) -> dict[str, str]:
    """The header of a token that stands for a team's contact."""
    with transaction() as session:
        team = team_id_of(session, slug)
        text = create_token(session, workspace_id=None, team_id=team, now=now, actor="operator", **more)[1]
    return {"Authorization": f"Bearer {text}"}


def contact(app: Flask, now: dt.datetime, slug: str = "cert-at", **more: Any) -> FlaskClient:
    """Somebody who answers for the team, signed in."""
    with transaction() as session:
        team = team_id_of(session, slug)
    return people.browser(app, people.person(f"desk@{slug}.example", now=now, team_id=team, **more), now=now)
