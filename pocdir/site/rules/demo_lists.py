"""An invented list of invented teams, as it came and as it came again, so that a steward's desk is not empty."""

from __future__ import annotations

from typing import Any

LIST = "An invented list (demonstration)"


def _team(slug: str, name: str, address: str, network: str) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": name,
        "kind": "provider",
        "country": None,
        "channels": [{"kind": "email", "value": address}],
        "responsibilities": [{"key": "prefix", "value": network}],
    }


_ALDER = _team("demo-alder", "Alder Networks (invented)", "abuse@alder.example", "192.0.2.0/26")
_BIRCH = _team("demo-birch", "Birch Hosting (invented)", "abuse@birch.example", "192.0.2.64/26")
_CEDAR = _team("demo-cedar", "Cedar Cable (invented)", "abuse@cedar.example", "198.51.100.0/25")
_CEDAR_AGAIN = _team("demo-cedar-net", "Cedar Cable (invented)", "noc@cedar.example", "198.51.100.128/25")
_ELM = _team("demo-elm", "Elm Telecom (invented)", "abuse@elm.example", "203.0.113.0/25")

# Two entries that are of one team stand side by side among the duplicates.
FIRST_LIST = (_ALDER, _BIRCH, _CEDAR, _CEDAR_AGAIN, _ELM)
# One name is written with a letter of another script, and one team is said to read another one's mail.
SECOND_LIST = (
    _ALDER,
    _BIRCH | {"name": "B\u0456rch Hosting (invented)"},
    _CEDAR,
    _CEDAR_AGAIN,
    _ELM | {"channels": [{"kind": "email", "value": "abuse@alder.example"}]},
)
