"""What fell due and has no event yet: the one question that the command, /healthz and the monitor ask."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from pocdir.db import db
from pocdir.outreach.escalation.models import NotificationPath
from pocdir.outreach.models import Expectation, Notification
from pocdir.outreach.queries.notifications import RUNNING, STILL_HERE

_E, _P, _N = (model.__table__.c for model in (Expectation, NotificationPath, Notification))


class PastDue(NamedTuple):
    """How much fell due without its event; `failing`: how many paths of these cannot be worked out."""

    expectations: int
    steps: int
    failing: int


def past_due(by: dt.datetime) -> PastDue:
    """What fell due before then and is not written down."""
    counts = (
        select(func.count()).select_from(Expectation.__table__).where(*_lapses(by)),
        select(func.count()).select_from(NotificationPath.__table__).where(_steps(by)),
        select(func.count()).select_from(NotificationPath.__table__).where(_P.failing_since.is_not(None)),
    )
    return PastDue(*(db.session.scalar(each) or 0 for each in counts))


def is_past_due(by: dt.datetime) -> bool:
    """Whether there is any of it."""
    late = (
        select(_E.id).where(*_lapses(by)).limit(1),
        select(_P.notification_id).where(_P.look_at < by).limit(1),
        select(_P.notification_id).where(_P.failing_since.is_not(None)).limit(1),
    )
    return any(db.session.scalar(each) is not None for each in late)


def refs_past_due(ids: Sequence[int], session: Session, *, by: dt.datetime, limit: int) -> Sequence[str]:
    """References of some of these notifications that were asked for something which fell due by then and still runs."""
    late = select(_E.notification_id).where(_E.notification_id.in_(ids), RUNNING, _E.due_at <= by)
    return session.scalars(select(_N.ref).where(_N.id.in_(late)).limit(limit)).all()


def _lapses(by: dt.datetime) -> tuple[ColumnElement[bool], ...]:
    """Not those whose letter has not left: nobody could read it."""
    return RUNNING, _E.due_at < by, _E.notification_id.not_in(STILL_HERE)


def _steps(by: dt.datetime) -> ColumnElement[bool]:
    """A path at which the worker has not looked in time, or could not."""
    return or_(_P.look_at < by, _P.failing_since.is_not(None))
