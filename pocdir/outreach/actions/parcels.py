"""Keeping the parcels of a split file with an incident, and handing them over with a notification."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from pocdir.core import tlp
from pocdir.core.errors import Conflict
from pocdir.core.refs import new_ref
from pocdir.db import table_of
from pocdir.incidents.actions import add_assets
from pocdir.incidents.models import Incident
from pocdir.incidents.rules.assets import AssetValue
from pocdir.ledger.actions import append
from pocdir.outreach.models import Notification, Parcel, ParcelPiece
from pocdir.outreach.queries import parcels as queries
from pocdir.outreach.rules.parcels import Brought


def keep(
    session: Session, incident: Incident, brought: Sequence[Brought], *, now: dt.datetime, actor: str
) -> int:
    """Keep parcels with the incident, and their addresses as its assets; what it has already is left alone.

    Returns how many are new. Raises Conflict `incident_closed`, Invalid `assets_too_many`.
    """
    if incident.closed_at is not None:
        raise Conflict("incident_closed", "the incident is closed; reopen it first")
    kept = session.execute(select(Parcel.team, Parcel.sha256).where(Parcel.incident_id == incident.id))
    standing = {(team, digest) for team, digest in kept}
    fresh = [each for each in brought if (each.team, each.sha256) not in standing]
    assets: dict[AssetValue, None] = {}
    for each in fresh:
        row = Parcel(
            ref=new_ref(now), incident_id=incident.id, team=each.team, basis=dict(each.basis), name=each.name,
            rows=each.rows, size=each.size, sha256=each.sha256, created_at=now, created_by=actor,
        )  # fmt: skip
        session.add(row)
        session.flush()
        pieces = [
            {"parcel_id": row.id, "number": number, "data": data} for number, data in enumerate(each.pieces)
        ]
        if pieces:
            session.connection().execute(insert(table_of(ParcelPiece)), pieces)
        assets |= dict.fromkeys(each.assets)
    if assets:
        add_assets(session, incident, list(assets), now=now)
    return len(fresh)


def hand_over(
    session: Session,
    incident: Incident,
    refs: Sequence[str],
    *,
    notification: str,
    team: str,
    now: dt.datetime,
    actor: str,
) -> None:
    """Tie these parcels, if they still wait, to the notification that names them; an event for each."""
    row = session.scalars(select(Notification).where(Notification.ref == notification)).one()
    is_red = tlp.RED in (row.tlp, incident.tlp)
    for parcel in queries.held(incident, session):
        if parcel.ref not in refs:
            continue
        parcel.notification_id = row.id
        # RED leaves its count alone in the ledger.
        told = {} if is_red else {"name": parcel.name, "digest": f"sha256:{parcel.sha256}"}
        append(
            session, type="parcel.attached", occurred_at=row.sent_at, now=now, actor=actor, claimed_by="sender",
            assurance="S", notification=notification, incident=incident.ref, team=team,
            payload={"rows": parcel.rows} | told,
        )  # fmt: skip
    session.flush()
