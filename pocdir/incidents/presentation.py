"""Incidents and their assets as API and commands show them."""

from __future__ import annotations

from typing import Any

from pocdir.incidents.models import Asset, Incident
from pocdir.incidents.rules.record import FIELDS


def shown_incident(incident: Incident, workspace: str | None) -> dict[str, Any]:
    """An incident as the API shows it; `workspace`: the slug of the one that it belongs to."""
    values = {name: getattr(incident, name) for name in FIELDS.values()}
    return values | {
        "ref": incident.ref,
        "workspace": workspace,
        "created_at": incident.created_at,
        "closed_at": incident.closed_at,
    }


def shown_asset(asset: Asset) -> dict[str, Any]:
    """An asset as the API shows it; port 0 is none."""
    return {"kind": asset.kind, "value": asset.value, "port": asset.port or None, "control": asset.control}
