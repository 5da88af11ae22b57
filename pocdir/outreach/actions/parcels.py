"""Keeping the parcels of a split file with an incident, and handing them over with a notification."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from sqlalchemy import bindparam, insert, update
from sqlalchemy.orm import Session

from pocdir.core import tlp
from pocdir.core.errors import Conflict
from pocdir.core.refs import new_ref, new_refs
from pocdir.db import table_of
from pocdir.driver import execute_many
from pocdir.incidents.actions import add_assets
from pocdir.incidents.models import Incident
from pocdir.ledger.actions import append_all
from pocdir.ledger.rules.events import Event
from pocdir.outreach.models import Parcel, ParcelPiece
from pocdir.outreach.queries import parcels as queries
from pocdir.outreach.queries.controls import controls_of
from pocdir.outreach.rules import controls as controlling
from pocdir.outreach.rules import parcels as rules
from pocdir.outreach.rules.parcel_rows import rows_of
from pocdir.outreach.rules.parcels import Brought

_P = table_of(Parcel)
_PARCELS, _PIECES = insert(_P), insert(table_of(ParcelPiece))
_MOVED = update(_P).where(_P.c.id == bindparam("parcel")).values(notification_id=bindparam("notification_id"))


def keep(
    session: Session, incident: Incident, brought: Sequence[Brought], *, now: dt.datetime, actor: str
) -> int:
    """Keep parcels with the incident, and their addresses as its assets; what it has already is left alone.

    Returns how many are new, or were erased and are here again, byte for byte. Raises Conflict `incident_closed`,
    `control_told`, Invalid `parcels_too_many`, `assets_too_many`.
    """
    if incident.closed_at is not None:
        raise Conflict("incident_closed", "the incident is closed; reopen it first")
    _require_no_control(session, incident, brought)
    there = queries.standing(incident, session)
    fresh = [each for each in brought if (each.team, each.sha256) not in there]
    waiting = sum(row.notification_id is None for row in there.values())
    if fresh and len(fresh) + waiting > rules.MOST_PARCELS:
        raise rules.too_many()
    again = {
        row.id: each for each in brought if (row := there.get((each.team, each.sha256))) and row.is_erased
    }
    kept = again | _write(session, incident, fresh, now=now, actor=actor)
    pieces = [
        {"parcel_id": parcel, "number": number, "data": data}
        for parcel, each in kept.items()
        for number, data in enumerate(each.pieces)
    ]
    execute_many(session.connection(), _PIECES, pieces)
    if assets := dict.fromkeys(it for each in kept.values() for it in each.assets):
        add_assets(session, incident, list(assets), now=now)
    return len(kept)


def _require_no_control(session: Session, incident: Incident, brought: Sequence[Brought]) -> None:
    """Who gets a parcel is told of every row of it, of those too that are too many to be the incident's assets."""
    controls = controls_of(session, incident)
    for each in brought if controls.by_value else ():
        found = each.assets or rows_of(b"".join(rules.unpacked(iter(each.pieces))))[1]
        if control := next((it for it in found if controls.names(it.value, it.port)), None):
            raise controlling.refused(control.value, where=each.name)


def _write(
    session: Session, incident: Incident, fresh: Sequence[Brought], *, now: dt.datetime, actor: str
) -> dict[int, Brought]:
    """Their rows, by id, in two statements, however many there are: others wait to write meanwhile."""
    refs, connection = new_refs(now, len(fresh)), session.connection()
    rows = [
        {
            "ref": ref, "incident_id": incident.id, "team": each.team, "basis": dict(each.basis), "name": each.name,
            "rows": each.rows, "size": each.size, "sha256": each.sha256, "created_at": now, "created_by": actor,
        }
        for ref, each in zip(refs, fresh, strict=True)
    ]  # fmt: skip
    execute_many(connection, _PARCELS, rows)
    ids = queries.ids_kept_at(now, incident, session)
    return {ids[ref]: each for ref, each in zip(refs, fresh, strict=True)}


def hand_over(
    session: Session, incident: Incident, taken: Mapping[str, str], *, now: dt.datetime, actor: str
) -> None:
    """Tie what waits with the incident to notifications that were just logged; an event for each parcel.

    `taken`: by the slug that routing gave, the reference of the notification. One that stood before (the same button
    pressed once more) takes nothing.
    """
    waiting = queries.held_for(session, incident, taken.keys())
    if not waiting:
        return
    refs = {taken[each.team] for each in waiting}
    rows = {row.ref: row for row in queries.notified(refs, session) if row.created_at == now}
    moved, events = [], []
    for each in waiting:
        row = rows.get(taken[each.team])
        if row is None:
            continue
        moved.append({"parcel": each.id, "notification_id": row.id})
        # RED leaves its count alone in the ledger.
        is_red = tlp.RED in (row.tlp, incident.tlp)
        told = {} if is_red else {"name": each.name, "digest": f"sha256:{each.sha256}"}
        events.append(
            Event(
                id=new_ref(now), type="parcel.attached", occurred_at=row.sent_at, precision="exact", recorded_at=now,
                actor=actor, claimed_by="sender", assurance="S", notification=row.ref, incident=incident.ref,
                team=row.slug, payload={"rows": each.rows} | told,
            )
        )  # fmt: skip
    execute_many(session.connection(), _MOVED, moved)
    append_all(session, events)
