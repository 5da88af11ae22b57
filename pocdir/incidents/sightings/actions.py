"""Keeping what a sensor saw: a window and its sightings, all of them or nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import numpy as np
from sqlalchemy import insert
from sqlalchemy.orm import Session

from pocdir.core import tlp
from pocdir.core.errors import Conflict
from pocdir.core.refs import new_ref
from pocdir.db import table_of
from pocdir.driver import execute_many
from pocdir.incidents.models import Incident, MeasuringWindow, Sighting
from pocdir.incidents.rules.sightings import Kept, Read, Window, stretches, told
from pocdir.incidents.sightings.queries import window_like
from pocdir.ledger.actions import append

_SIGHTINGS = insert(table_of(Sighting))
_AT_ONCE = 20_000  # rows


def record_sightings(
    session: Session, incident: Incident, measured: Window, found: Read, *, now: dt.datetime, actor: str
) -> tuple[str, bool]:
    """Keep a window with its sightings (`found.assets` are rows of assets); the same again is known.

    Returns the window's reference and whether it is new. Raises Invalid `sightings_invalid` when a row was refused,
    Conflict `incident_closed`.
    """
    found.check()
    if incident.closed_at is not None:
        raise Conflict("incident_closed", "the incident is closed; reopen it first")
    kept = stretches(found.assets, found.seen_at)
    digest = hashlib.sha256(b"".join(column.tobytes() for column in kept)).hexdigest()
    same = {
        "incident_id": incident.id, "method": measured.method, "begins_at": measured.begin,
        "ends_at": measured.end, "digest": digest,
    }  # fmt: skip
    standing = window_like(same, session)
    if standing is not None:
        return standing, False
    window = MeasuringWindow(
        **same,
        ref=new_ref(now),
        sightings=len(found.assets),
        seen=int(np.unique(kept.asset).size),
        strangers=found.strangers,
        posted_at=now,
        posted_by=actor,
    )
    session.add(window)
    session.flush()
    _insert(session, window.id, kept)
    _append(session, incident, window, measured, now=now, actor=actor)
    return window.ref, True


def _insert(session: Session, window_id: int, kept: Kept) -> None:
    """In the order of the key, a part at a time: a million rows never stand in memory as dictionaries."""
    connection = session.connection()
    names = ("asset_id", "first", "last", "count")
    for start in range(0, kept.asset.size, _AT_ONCE):
        part = [column[start : start + _AT_ONCE].tolist() for column in kept]
        rows = [
            {"window_id": window_id, **dict(zip(names, row, strict=True))} for row in zip(*part, strict=True)
        ]
        execute_many(connection, _SIGHTINGS, rows)


def _append(
    session: Session,
    incident: Incident,
    window: MeasuringWindow,
    measured: Window,
    *,
    now: dt.datetime,
    actor: str,
) -> None:
    payload: dict[str, Any] = {
        "window": window.ref, "count": window.sightings, "seen": window.seen, "strangers": window.strangers,
    }  # fmt: skip
    payload |= told(measured) | {"digest": f"sha256:{window.digest}"}
    if incident.tlp == tlp.RED:  # neither a time of detection nor what commits to it
        payload = {name: payload[name] for name in payload if name not in ("from", "to", "digest")}
    append(
        session, type="sightings.recorded", now=now, actor=actor, claimed_by="sender", assurance="S",
        incident=incident.ref, payload=payload,
    )  # fmt: skip
