"""What is held beyond its time, and where."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from pocdir.db import Line, Rows, table_of
from pocdir.incidents.models import Asset, Incident
from pocdir.ledger.models import EventValue, LedgerEvent
from pocdir.ledger.rules.vocabulary import MESSAGE_WORDS
from pocdir.mail.models import Mail, Received
from pocdir.mail.queries import letters_beyond, mails_beyond
from pocdir.outreach.models import Notification, Parcel, ParcelPiece
from pocdir.site.rules.retention import ASSETS, CASE_WORDS, LETTERS, MAIL, MESSAGES, Due, Kept, first_id_of

_I, _A, _N, _P = (table_of(model).c for model in (Incident, Asset, Notification, Parcel))
_E, _V = table_of(LedgerEvent).c, table_of(EventValue).c
NO_ASSETS: list[object] = []


def due(session: Session, *, now: dt.datetime, kept: Kept) -> Iterator[Due]:
    """Everything that a run at this moment would erase, by incident, notification, letter and mail."""
    for row in incidents_due(session, now - kept.assets):
        yield Due(ASSETS, row.ref, row.closed_at, asset_count(session, row.id))
    for row in cases_due(session, now - kept.messages):
        yield Due(MESSAGES, row.ref, row.closed_at, case_held_by(row) + len(case_words(session, row.ref)))
    for row in session.execute(_messages(now - kept.messages)):
        yield Due(MESSAGES, row.ref, row.created_at, held_by(row))
    words: dict[str, int] = {}
    for row in session.execute(_words(now - kept.messages)):
        words[row.notification] = words.get(row.notification, 0) + 1
    for ref, count in words.items():
        yield Due(MESSAGES, ref, now - kept.messages, count)
    settled = select(Mail.ref, Mail.settled_at).where(letters_beyond(now, kept.messages)).order_by(Mail.id)
    for row in session.execute(settled):
        yield Due(LETTERS, row.ref, row.settled_at or now, 1)
    came = select(Received.ref, Received.received_at).where(mails_beyond(now, kept.messages))
    for row in session.execute(came.order_by(Received.id)):
        yield Due(MAIL, row.ref, row.received_at, 1)


def incidents_due(session: Session, before: dt.datetime, limit: int | None = None) -> Sequence[Line]:
    """(id, ref, closed_at) of incidents closed by then that still hold assets, or what was sent of them."""
    holds = or_(
        select(_A.id).where(_A.incident_id == _I.id).exists(),
        select(_N.id).where(_N.incident_id == _I.id, _N.assets != NO_ASSETS).exists(),
        select(_P.id)
        .join(ParcelPiece, ParcelPiece.parcel_id == _P.id)
        .where(_P.incident_id == _I.id)
        .exists(),
    )
    chosen = select(_I.id, _I.ref, _I.closed_at).where(_I.closed_at <= before, holds).order_by(_I.id)
    return session.execute(chosen.limit(limit)).all()


def cases_due(session: Session, before: dt.datetime, limit: int | None = None) -> Sequence[Line]:
    """Incidents closed by then whose row or events still say what they were about: id, ref, the words, closed_at."""
    in_row = (_I.title != _I.ref, _I.description.is_not(None), _I.source_ref.is_not(None))
    says = or_(*in_row, _case_words(_I.ref).exists())
    columns = (_I.id, _I.ref, _I.title, _I.description, _I.source_ref, _I.closed_at)
    chosen = select(*columns).where(_I.closed_at <= before, says).order_by(_I.id)
    return session.execute(chosen.limit(limit)).all()


def case_words(session: Session, ref: str) -> Sequence[Line]:
    """(event, name) of the sealed words in an incident's own events."""
    return session.execute(_case_words(ref)).all()


def case_held_by(row: Line) -> int:
    """How many values the row of an incident would lose."""
    return sum((row.title != row.ref, row.description is not None, row.source_ref is not None))


def asset_count(session: Session, incident_id: int) -> int:
    """How many assets the incident holds, in itself and in the files and parcels that were sent of it."""
    own = select(func.count()).select_from(Asset).where(_A.incident_id == incident_id)
    sent = select(_N.assets).where(_N.incident_id == incident_id, _N.assets != NO_ASSETS)
    files = (
        select(_P.id)
        .join(ParcelPiece, ParcelPiece.parcel_id == _P.id)
        .where(_P.incident_id == incident_id)
        .distinct()
    )
    return (
        session.scalars(own).one()
        + sum(len(assets) for assets in session.scalars(sent))
        + len(session.scalars(files).all())
    )


def messages_due(session: Session, before: dt.datetime, limit: int) -> Sequence[Line]:
    """Notifications recorded by then whose row still says what was written: id, ref, the words, the assets."""
    return session.execute(_messages(before).limit(limit)).all()


def words_due(session: Session, before: dt.datetime, limit: int) -> Sequence[Line]:
    """(event, name, notification) of sealed words of messages in events recorded by then."""
    return session.execute(_words(before).limit(limit)).all()


def held_by(row: Line) -> int:
    """How many values the row of a notification would lose."""
    return sum(value is not None for value in (row.subject, row.body, row.body_digest)) + (
        0 if row.incident_id else len(row.assets)
    )


def _messages(before: dt.datetime) -> Rows:
    says: ColumnElement[bool] = or_(
        _N.subject.is_not(None),
        _N.body.is_not(None),
        _N.body_digest.is_not(None),
        and_(_N.incident_id.is_(None), _N.assets != NO_ASSETS),
    )
    columns = (_N.id, _N.ref, _N.created_at, _N.incident_id, _N.subject, _N.body, _N.body_digest, _N.assets)
    return select(*columns).where(_N.created_at <= before, says).order_by(_N.id)


def _case_words(ref: Any) -> Rows:
    return (
        select(_V.event, _V.name)
        .join(LedgerEvent, _E.id == _V.event)
        .where(_E.incident == ref, _E.notification.is_(None), _V.name.in_(CASE_WORDS))
        .order_by(_V.event)
    )


def _words(before: dt.datetime) -> Rows:
    return (
        select(_V.event, _V.name, _E.notification)
        .join(LedgerEvent, _E.id == _V.event)
        .join(Notification, _N.ref == _E.notification)
        .where(_V.event < first_id_of(before), _V.name.in_(MESSAGE_WORDS))
        .order_by(_V.event)
    )
