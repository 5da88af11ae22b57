"""Changing incidents: every change is an event of the incident's own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core import rsit, tlp
from pocdir.core.errors import Conflict, Invalid, Stale
from pocdir.core.refs import new_ref
from pocdir.db import inserts_once, table_of
from pocdir.driver import execute_many
from pocdir.incidents.models import Asset, Incident
from pocdir.incidents.queries import asset_count
from pocdir.incidents.rules import record
from pocdir.incidents.rules.assets import MOST_ASSETS, AssetValue
from pocdir.incidents.rules.record import FIELDS
from pocdir.ledger.actions import append
from pocdir.ledger.queries import events_of_incident

_ADD = inserts_once(table_of(Asset))


def open_incident(
    session: Session,
    *,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    given: Mapping[str, Any],
    opened_at: dt.datetime | None = None,
) -> Incident:
    """Open a case; `given` holds values by column (`record.FIELDS`), of which only `title` is needed.

    `opened_at` is when it was opened elsewhere, before it was recorded here. Raises Invalid `event_in_future`.
    """
    values = {name: given[name] for name in FIELDS.values() if name in given}
    incident = Incident(
        **(values | {"tlp": tlp.parse(values.get("tlp") or tlp.AMBER)}),
        ref=new_ref(now),
        workspace_id=workspace_id,
        created_at=opened_at or now,
        created_by=actor,
    )
    _check(incident)
    session.add(incident)
    session.flush()
    created = record.created(_values(incident))
    _append(session, incident, "incident.created", now=now, actor=actor, payload=created, at=opened_at)
    return incident


def change_incident(
    session: Session,
    incident: Incident,
    *,
    now: dt.datetime,
    actor: str,
    given: Mapping[str, Any],
    revision: int | None = None,
) -> Incident:
    """Change what is named in `given`; `closed` closes or reopens. What stays as it is makes no event.

    Raises Stale `stale` when the incident is not at `revision` any more.
    """
    if revision is not None and incident.revision != revision:
        raise Stale("stale", "it was changed since you read it; read it again")
    before = _values(incident)
    for name in FIELDS.values():
        if name in given:
            setattr(incident, name, tlp.parse(given[name]) if name == "tlp" else given[name])
    _check(incident)
    change = record.changed(before, _values(incident))
    is_closed = incident.closed_at is not None
    turned = given.get("closed", is_closed) != is_closed
    if not turned and change is None:
        return incident
    incident.revision += 1
    if change is not None:
        _append(session, incident, "incident.changed", now=now, actor=actor, payload=change)
    if turned:
        type_ = "incident.reopened" if is_closed else "incident.closed"
        _append(session, incident, type_, now=now, actor=actor, payload={})
        incident.closed_at = record.closing(events_of_incident(incident.ref, session))["closed_at"]
    session.flush()
    return incident


def add_assets(
    session: Session, incident: Incident, assets: Sequence[AssetValue], *, now: dt.datetime
) -> int:
    """Add what is not there yet; returns how many were new. Raises Conflict `incident_closed`."""
    if incident.closed_at is not None:
        raise Conflict("incident_closed", "the incident is closed; reopen it first")
    standing = asset_count(incident, session)
    if standing + len(assets) > MOST_ASSETS:
        raise Invalid("assets_too_many", f"an incident holds at most {MOST_ASSETS} assets")
    connection = session.connection()
    rows = [
        {
            "incident_id": incident.id,
            "kind": asset.kind,
            "value": asset.value,
            "port": asset.port,
            "control": asset.control,
            "added_at": now,
        }
        for asset in assets
    ]
    execute_many(connection, _ADD[connection.dialect.name], rows)
    session.expire(incident, ["assets"])
    return asset_count(incident, session) - standing


def _values(incident: Incident) -> dict[str, Any]:
    return {name: getattr(incident, name) for name in FIELDS.values()}


def _append(
    session: Session,
    incident: Incident,
    type_: str,
    *,
    now: dt.datetime,
    actor: str,
    payload: Mapping[str, Any],
    at: dt.datetime | None = None,
) -> None:
    append(
        session, type=type_, occurred_at=at, now=now, actor=actor, claimed_by="sender", assurance="S",
        incident=incident.ref, payload={**payload, "revision": incident.revision},
    )  # fmt: skip


def _check(incident: Incident) -> None:
    rsit.check(incident.rsit_class, incident.rsit_type)
    if incident.detected_from and incident.detected_to and incident.detected_to < incident.detected_from:
        raise Invalid("window_invalid", "it ends before it begins", where="detected_to")
