"""Parcels that an incident holds, and those that a notification has handed over."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast
from zipfile import BadZipFile, ZipFile

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid, NotFound
from pocdir.core.refs import is_ref
from pocdir.db import db
from pocdir.incidents.models import Incident
from pocdir.outreach.models import Notification, Parcel, ParcelPiece
from pocdir.outreach.rules import parcels as rules
from pocdir.outreach.rules.parcels import Brought
from pocdir.routing.bulk.parcels import MANIFEST

MOST_MANIFEST = 16 * 1024**2  # bytes


def in_folder(folder: Path) -> list[Brought]:
    """The parcels in a folder that `pocdir route` made; raises what rules.parcels_of raises."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise Invalid("parcels_invalid", f"{folder} is no folder that routing made: {error}") from None
    return rules.parcels_of(manifest, lambda name: (folder / Path(name).name).open("rb"))


def in_archive(file: BinaryIO) -> list[Brought]:
    """The same of a ZIP archive that POST /api/v1/route answered."""
    try:
        with ZipFile(file) as archive:
            with archive.open(MANIFEST) as told:
                manifest = json.loads(told.read(MOST_MANIFEST))
            return rules.parcels_of(manifest, lambda name: cast(BinaryIO, archive.open(name)))
    except (BadZipFile, NotImplementedError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise Invalid("parcels_invalid", f"this is no archive that routing made: {error}") from None


def held(incident: Incident, session: Session | None = None) -> list[Parcel]:
    """What waits with the incident for a notification, the oldest first; locked with a session."""
    statement = select(Parcel).where(Parcel.incident_id == incident.id, Parcel.notification_id.is_(None))
    statement = statement.order_by(Parcel.id)
    return list((session or db.session()).scalars(statement.with_for_update() if session else statement))


def of_notifications(ids: Sequence[int]) -> dict[int, list[Parcel]]:
    """By notification, what it handed over."""
    found: dict[int, list[Parcel]] = {number: [] for number in ids}
    for each in db.session().scalars(
        select(Parcel).where(Parcel.notification_id.in_(ids)).order_by(Parcel.id)
    ):
        found[cast(int, each.notification_id)].append(each)
    return found


def handed_over(ref: str, notification: str) -> Parcel:
    """A parcel of this notification, by references; raises NotFound `parcel_unknown`."""
    statement = (
        select(Parcel)
        .join(Notification, Notification.id == Parcel.notification_id)
        .where(Parcel.ref == ref, Notification.ref == notification)
    )
    found: Parcel | None = db.session().scalar(statement) if is_ref(ref) else None
    if found is None:
        raise NotFound("parcel_unknown", "there is no such parcel")
    return found


def content(parcel: Parcel) -> Iterator[bytes]:
    """Its bytes, a piece at a time."""
    statement = (
        select(ParcelPiece.data).where(ParcelPiece.parcel_id == parcel.id).order_by(ParcelPiece.number)
    )
    return rules.unpacked(iter(db.session().scalars(statement).all()))


def shown(parcel: Parcel) -> dict[str, Any]:
    """A parcel as API and pages tell of it."""
    return {name: getattr(parcel, name) for name in ("ref", "team", "name", "rows", "size", "sha256")}
