"""The directory and the registry that lookups are tried on, brought in through their own imports."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from pocdir.db import transaction
from pocdir.directory.actions import marking
from pocdir.routing import actions as routing
from tests.directory.made import channel, file, imported, responsibility, team_json
from tests.directory.made import team as entered

NETWORKS = b"as_or_cidr,organization,comment,contact\n203.0.113.0/24,ISP,,abuse@isp.example\n"
SYSTEMS = """38.87.230.0,38.87.231.255,174,Cogent Communications
180.222.136.0,180.222.143.255,131284,Etisalat Afghan
198.51.100.0,198.51.100.255,64500,Example AS
"""
REGISTERED = """38.87.230.0,38.87.231.255,US
180.222.136.0,180.222.143.0,AF
198.51.100.0,198.51.100.127,AT
198.51.100.128,198.51.100.255,DE
203.0.113.0,203.0.113.255,AT
"""
LOCATED = "38.87.230.0,38.87.231.255,DE\n180.222.136.0,180.222.143.0,DE\n"


def directory_of_cases(now: dt.datetime) -> None:
    """Teams for every case: imported as JSON and CSV, and entered by a steward."""
    imported(file(*_nationals(), *_holders()))
    imported(NETWORKS, name="cidr-csv", source="networks")
    entered("hospital", **_holding("prefix", "203.0.113.64/26", "hospital"))
    entered("telco", **_holding("prefix", "203.0.0.0/16", "telco", kind="provider"))


def registry_of_cases(folder: Path, now: dt.datetime) -> None:
    """Networks with their AS number, the country they are registered in, and where two of them are located."""
    folder.mkdir(exist_ok=True)
    for name, text, source_format, layer in (
        ("systems.csv", SYSTEMS, "ip-location-asn", None),
        ("registered.csv", REGISTERED, "ip-location-country", None),
        ("located.csv", LOCATED, "ip-location-country", "located"),
    ):
        (folder / name).write_text(text)
        routing.import_file(
            source_format,
            [folder / name],
            as_layer=layer,
            folder=folder / "registry",
            now=now,
            as_of=dt.date(2026, 6, 17),
        )


def bounced(value: str, now: dt.datetime) -> None:
    """A mailbox bounces."""
    with transaction() as session:
        marking.mark_address(
            session,
            kind="email",
            value=value,
            state="bouncing",
            evidence="550 no such user",
            now=now,
            actor="operator",
            occurred_at=dt.datetime(2026, 11, 2, tzinfo=dt.UTC),
        )


def _holding(key: str, value: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name.capitalize(),
        "kind": "other",
        "channels": [channel(f"{name}@{name}.example")],
        "responsibilities": [responsibility(key, value, role="holder")],
        **more,
    }


def _nationals() -> list[dict[str, Any]]:
    """One for each of some codes; one for two codes, two for one code, none for AF."""
    phone = {"kind": "phone", "value": "+43 1 5056416 78", "purpose": "emergency", "preference": 1}
    one_each = [
        team_json(
            f"cert-{code.lower()}",
            name=f"CERT {code}",
            country=code,
            languages=["de", "en"],
            timezone="Europe/Vienna",
            channels=[channel(f"cert@{code.lower()}.example"), *([phone] if code == "AT" else [])],
            responsibilities=[responsibility("country", code, role="national")],
        )
        for code in ("AT", "DE", "US", "GB", "EU", "XK", "TW", "HK", "MO")
    ]
    both = [responsibility("country", code, role="national") for code in ("CH", "LI")]
    french = [
        team_json(
            slug,
            name=slug,
            country="FR",
            channels=[channel(f"{slug}@fr.example")],
            responsibilities=[responsibility("country", "FR", role=role, rank=rank)],
        )
        for slug, role, rank in (
            ("fr-second", "national", 2),
            ("fr-first", "national", 1),
            ("fr-copy", "cc", 1),
        )
    ]
    swiss = team_json(
        "ncsc-ch", name="NCSC", country="CH", channels=[channel("ncsc@ch.example")], responsibilities=both
    )
    return [*one_each, swiss, *french]


def _holders() -> list[dict[str, Any]]:
    return [
        team_json("tenant", **_holding("prefix", "203.0.113.64/28", "tenant")),
        team_json("v6-isp", **_holding("prefix", "2001:db8::/32", "v6-isp", kind="provider")),
        team_json("v6-site", **_holding("prefix", "2001:db8:1234::/48", "v6-site")),
        team_json("as-holder", **_holding("asn", "64500", "as-holder", kind="provider")),
        team_json("energy-cert", **_holding("country+sector", "AT/energy", "energy-cert", kind="sectoral")),
        team_json("muenchen", **_holding("domain", "xn--mnchen-3ya.de", "muenchen")),
        team_json("example-uk", **_holding("domain", "example.co.uk", "example-uk")),
        team_json("example-org", **_holding("domain", "example.org", "example-org")),
    ]
