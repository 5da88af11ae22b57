"""Teams and files made for the tests."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from pocdir.db import transaction
from pocdir.directory.actions import edits, imports
from pocdir.directory.actions.imports import ImportResult
from pocdir.directory.formats import records
from pocdir.directory.formats.records import Provenance
from pocdir.directory.formats.table import FORMATS

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
PROVENANCE = Provenance("list")


def channel(value: str = "cert@cert.example", **more: Any) -> dict[str, Any]:
    """A channel of pocdir-json."""
    return {"kind": "email", "value": value, "purpose": "incident", "preference": 1, **more}


def responsibility(key: str = "country", value: str = "AT", **more: Any) -> dict[str, Any]:
    """A responsibility of pocdir-json."""
    return {"key": key, "value": value, "rank": 1, **more}


def team_json(slug: str = "cert-example", **more: Any) -> dict[str, Any]:
    """A national team of pocdir-json with one address and one country; of another kind, with a network."""
    is_national = more.get("kind", "national") == "national"
    return {
        "slug": slug,
        "name": "CERT Example",
        "kind": "national",
        "country": "AT",
        "channels": [channel()],
        "responsibilities": [responsibility() if is_national else responsibility("asn", "64500")],
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
    parsed = FORMATS[name](data, now)
    says = parsed.source or Provenance("")
    with transaction() as session:
        return imports.import_records(
            session,
            records=parsed.teams,
            source=Provenance(source, as_of=says.as_of) if source else says,
            origin=parsed.origin,
            now=now,
            actor="operator",
            given=imports.Given(name),
            **more,
        )


def team(slug: str = "cert-example", **more: Any) -> str:
    """A team as a steward enters it; returns its slug."""
    record = records.team_record(team_json(slug, **more))
    with transaction() as session:
        return edits.create_team(session, record=record, evidence="a call", now=NOW, actor="operator")


def first_team(**more: Any) -> dict[str, Any]:
    """A member in FIRST's list."""
    return {
        "team": "CERT Example",
        "team-full": "Example Computer Emergency Response Team",
        "country": "AT",
        "constituency": "Research & Education",
        "website": ["https://cert.example/"],
        "email": "reports@cert.example",
        "phone": ["+43 1 5056416"],
        "address": "Road 1\r\nVienna",
        "member-since": "August 23, 2019",
        **more,
    }


def first_page(*teams: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An answer of FIRST's API."""
    return {
        "status": "OK",
        "status-code": 200,
        "version": "1.0",
        "total": len(teams),
        "data": list(teams),
        **more,
    }


def ti_team(**more: Any) -> dict[str, Any]:
    """A team in the list of the Trusted Introducer."""
    emails = [{"address": "reports@cert.example", "usage": ["contact"]}]
    return {"official_name": "CERT Example", "country": {"code": "AT"}, "emails": emails, **more}


def rdap_entity(handle: str, roles: list[str], **card: str) -> dict[str, Any]:
    """An entity of an RDAP answer with its card."""
    properties = [[name.replace("_", "-"), {}, "text", value] for name, value in card.items()]
    vcard = ["vcard", [["version", {}, "text", "4.0"], *properties]]
    return {"objectClassName": "entity", "handle": handle, "roles": roles, "vcardArray": vcard}


def rdap() -> dict[str, Any]:
    """An RDAP answer about a network: its registrant, and below it the abuse desk."""
    desk = rdap_entity(
        "AB1",
        ["abuse", "noc"],
        fn="Abuse",
        kind="group",
        email="abuse@networks.example",
        contact_uri="https://networks.example/report",
    )
    holder = rdap_entity(
        "ORG-EX1", ["registrant"], fn="Example Networks", kind="org", email="office@networks.example"
    )
    return {
        "objectClassName": "ip network",
        "handle": "NET-EXAMPLE",
        "startAddress": "203.0.113.0",
        "endAddress": "203.0.113.255",
        "country": "AT",
        "entities": [{**holder, "entities": [desk]}],
    }


def channels(team: records.TeamRecord) -> list[tuple[str, str, str]]:
    """Kind, value and purpose of each channel of a record."""
    return [(each.kind, each.value, each.purpose) for each in team.channels]


def held(team: records.TeamRecord) -> list[tuple[str, str, str]]:
    """Key, value and role of what a record answers for."""
    return [(each.key, each.value, each.role) for each in team.responsibilities]
