"""Erasing what has been kept long enough; the record of it stays, and stays verifiable."""

from __future__ import annotations

import datetime as dt
from collections import Counter

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from pocdir.db import Line
from pocdir.incidents.models import Asset, Incident, MeasuringWindow, Sighting
from pocdir.ledger.actions import append, erase_values
from pocdir.mail.actions import forget_letters
from pocdir.mail.receiving import forget_mails
from pocdir.outreach.models import Notification, Parcel, ParcelPiece
from pocdir.site.queries import retention as queries
from pocdir.site.rules.retention import ASSETS, LETTERS, MAIL, MESSAGES

SERVICE = "service"


def erase_assets(session: Session, incident: Line, *, now: dt.datetime, actor: str = SERVICE) -> int:
    """The assets of an incident that was closed long enough ago, and those in what was sent of it; returns how many."""
    count = queries.asset_count(session, incident.id)
    parcels = select(Parcel.id).where(Parcel.incident_id == incident.id)
    session.execute(delete(ParcelPiece).where(ParcelPiece.parcel_id.in_(parcels)))
    windows = select(MeasuringWindow.id).where(MeasuringWindow.incident_id == incident.id)
    session.execute(delete(Sighting).where(Sighting.window_id.in_(windows)))
    session.execute(delete(MeasuringWindow).where(MeasuringWindow.incident_id == incident.id))
    session.execute(delete(Asset).where(Asset.incident_id == incident.id))
    session.execute(
        update(Notification)
        .where(Notification.incident_id == incident.id, Notification.assets != queries.NO_ASSETS)
        .values(assets=[])
    )
    _append(session, ASSETS, count, incident=incident.ref, now=now, actor=actor)
    return count


def erase_cases(
    session: Session, *, before: dt.datetime, limit: int, now: dt.datetime, actor: str = SERVICE
) -> int:
    """What incidents closed by then were about, in rows and in their events; returns how many values.

    Its reference stands where the title stood. At most `limit` incidents; none is left as soon as it returns 0.
    """
    erased = 0
    for row in queries.cases_due(session, before, limit):
        words = [(word.event, word.name) for word in queries.case_words(session, row.ref)]
        count = queries.case_held_by(row) + len(words)
        emptied = {"title": row.ref, "description": None, "source_ref": None}
        session.execute(update(Incident).where(Incident.id == row.id).values(emptied))
        erase_values(session, words, reason="retention", now=now, actor=actor)
        _append(session, MESSAGES, count, incident=row.ref, now=now, actor=actor)
        erased += count
    return erased


def erase_messages(
    session: Session, *, before: dt.datetime, limit: int, now: dt.datetime, actor: str = SERVICE
) -> int:
    """What notifications recorded by then said, in rows and in the words of events; returns how many values.

    At most `limit` rows of either; none is left as soon as it returns 0.
    """
    counts: Counter[str] = Counter()
    for row in queries.messages_due(session, before, limit):
        counts[row.ref] += queries.held_by(row)
        assets = row.assets if row.incident_id else []
        session.execute(
            update(Notification)
            .where(Notification.id == row.id)
            .values(subject=None, body=None, body_digest=None, assets=assets)
        )
    words = queries.words_due(session, before, limit)
    counts.update(row.notification for row in words)
    erase_values(session, [(row.event, row.name) for row in words], reason="retention", now=now, actor=actor)
    for ref, count in counts.items():
        _append(session, MESSAGES, count, notification=ref, now=now, actor=actor)
    return counts.total()


def erase_letters(session: Session, *, kept: dt.timedelta, now: dt.datetime, actor: str = SERVICE) -> int:
    """What letters said that were settled so long ago; returns how many letters."""
    return _counted(session, LETTERS, forget_letters(session, now=now, kept=kept), now=now, actor=actor)


def erase_mails(session: Session, *, kept: dt.timedelta, now: dt.datetime, actor: str = SERVICE) -> int:
    """What mails said that came in so long ago; returns how many mails."""
    return _counted(session, MAIL, forget_mails(session, now=now, kept=kept), now=now, actor=actor)


def _counted(session: Session, of: str, count: int, *, now: dt.datetime, actor: str) -> int:
    if count:
        _append(session, of, count, now=now, actor=actor)
    return count


def _append(
    session: Session,
    of: str,
    count: int,
    *,
    now: dt.datetime,
    actor: str,
    incident: str | None = None,
    notification: str | None = None,
) -> None:
    append(
        session,
        type="data.erased",
        payload={"class": of, "count": count, "reason": "retention"},
        incident=incident,
        notification=notification,
        claimed_by="service",
        now=now,
        actor=actor,
    )
