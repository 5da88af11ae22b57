"""Parcels that an incident holds, and those that a notification has handed over."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import IO, Any, BinaryIO, cast
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from pocdir.core.errors import Gone, NotFound
from pocdir.core.refs import is_ref
from pocdir.db import Line, db, table_of
from pocdir.directory.models import Team
from pocdir.incidents.models import Incident
from pocdir.outreach.models import Notification, Parcel, ParcelPiece
from pocdir.outreach.rules import parcels as rules
from pocdir.outreach.rules.parcels import Brought
from pocdir.outreach.rules.plan import WaitingParcel
from pocdir.routing.bulk.parcels import MANIFEST
from pocdir.routing.rules.reports.opened import Sparing

_N = table_of(Notification).c
MOST_MANIFEST = 16 * 1024**2  # bytes
FEW = 500  # teams named in one statement


def in_folder(folder: Path) -> list[Brought]:
    """The parcels in a folder that `pocdir route` made; raises Invalid `parcels_invalid`, `parcels_too_...`."""
    return _brought(lambda name: (folder / name).open("rb"))


def in_archive(file: BinaryIO) -> list[Brought]:
    """The parcels in a ZIP archive that POST /api/v1/route answered; raises as in_folder does."""
    try:
        with ZipFile(cast(IO[bytes], Sparing(file))) as archive:
            return _brought(lambda name: _member(archive, name))
    except rules.DAMAGED as error:
        raise rules.invalid(f"this is no archive that routing made: {str(error)[:200]}", "archive") from None


def _member(archive: ZipFile, name: str) -> BinaryIO:
    packing = archive.getinfo(name).compress_type
    if packing not in (ZIP_STORED, ZIP_DEFLATED):
        raise ValueError("it is packed as routing does not pack")
    return cast(BinaryIO, archive.open(name))


def _brought(opened: rules.Opened) -> list[Brought]:
    """What the manifest says is looked at before the first parcel is opened."""
    text = rules.content(opened, MANIFEST, MOST_MANIFEST)
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise rules.invalid(f"this is not JSON: {str(error)[:200]}", MANIFEST) from None
    listed = rules.listed_in(manifest)
    slugs = select(Team.slug).where(Team.slug.in_({each.team for each in listed}))
    known = set(db.session().scalars(slugs))
    for number, each in enumerate(listed):
        if each.team not in known:
            raise rules.invalid(f"no team has the slug {each.team}", f"parcels.{number}.team")
    return rules.parcels_of(listed, opened)


def standing(incident: Incident, session: Session | None = None) -> dict[tuple[str, str], Line]:
    """(id, team, sha256, notification_id, is_erased) of all ever kept with the incident, by team and SHA-256."""
    is_erased = ~exists(ParcelPiece.parcel_id).where(ParcelPiece.parcel_id == Parcel.id)
    columns = (Parcel.id, Parcel.team, Parcel.sha256, Parcel.notification_id, is_erased.label("is_erased"))
    rows = (session or db.session()).execute(select(*columns).where(Parcel.incident_id == incident.id))
    return {(row.team, row.sha256): row for row in rows}


def ids_kept_at(moment: dt.datetime, incident: Incident, session: Session) -> dict[str, int]:
    """The parcels that were kept with the incident at this moment: their rows by reference."""
    kept = (Parcel.incident_id == incident.id, Parcel.created_at == moment)
    return {row.ref: row.id for row in session.execute(select(Parcel.ref, Parcel.id).where(*kept))}


def notified(refs: Collection[str], session: Session) -> Sequence[Line]:
    """(id, ref, tlp, sent_at, created_at, slug of the team) of these notifications."""
    columns = (_N.id, _N.ref, _N.tlp, _N.sent_at, _N.created_at, Team.slug)
    return session.execute(select(*columns).join(Team, Team.id == _N.team_id).where(_N.ref.in_(refs))).all()


def new_of(incident: Incident, brought: Sequence[Brought]) -> list[Brought]:
    """The parcels that will wait with the incident and do not yet: new ones, and what waited when it was erased."""
    there = standing(incident) if brought else {}

    def is_new(row: Line | None) -> bool:
        return row is None or (row.is_erased and row.notification_id is None)

    return [each for each in brought if is_new(there.get((each.team, each.sha256)))]


def held(incident: Incident) -> list[Parcel]:
    """What waits with the incident for a notification, the oldest first."""
    return list(db.session().scalars(_held(incident)))


def held_for(session: Session, incident: Incident, teams: Collection[str]) -> list[Line]:
    """(id, team, name, rows, sha256) of what waits for these, by the slugs that routing gave; locked."""
    columns = (Parcel.id, Parcel.team, Parcel.name, Parcel.rows, Parcel.sha256)
    statement = _held(incident).with_only_columns(*columns).with_for_update()
    if len(teams) <= FEW:  # else all of it is read, and less is sent
        statement = statement.where(Parcel.team.in_(teams))
    return [each for each in session.execute(statement) if each.team in teams]


def _held(incident: Incident) -> Select[Any]:
    waits = (Parcel.incident_id == incident.id, Parcel.notification_id.is_(None))
    is_whole = Parcel.id.in_(select(ParcelPiece.parcel_id))  # retention leaves the row and erases the rest
    return select(Parcel).where(*waits, is_whole).order_by(Parcel.id)


def of_notifications(ids: Sequence[int]) -> dict[int, list[Parcel]]:
    """The parcels that notifications handed over, by notification."""
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
    """The parcel's bytes, a piece at a time; raises Gone `parcel_erased`."""
    statement = (
        select(ParcelPiece.data).where(ParcelPiece.parcel_id == parcel.id).order_by(ParcelPiece.number)
    )
    pieces = db.session().scalars(statement).all()
    if not pieces:
        raise Gone("parcel_erased", "these rows are erased: they were kept as long as they were needed")
    return rules.unpacked(iter(pieces))


def shown(parcel: Parcel | WaitingParcel) -> dict[str, Any]:
    """A parcel as API and pages tell of it; one that is not kept yet has no reference."""
    return {name: getattr(parcel, name) for name in ("ref", "team", "name", "rows", "size", "sha256")}
