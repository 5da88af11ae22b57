"""The paths at which the worker has to look."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from pocdir.db import db
from pocdir.outreach.escalation.models import NotificationPath
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.due import held_from_above
from pocdir.outreach.queries.notifications import FOLLOW_UP


def anything_waits(now: dt.datetime) -> bool:
    """Whether there is anything for the worker to look at."""
    waiting = select(NotificationPath.notification_id).where(NotificationPath.look_at <= now).limit(1)
    return db.session.scalar(waiting) is not None


def is_to_look_at(notification_id: int, now: dt.datetime, session: Session) -> bool:
    """Whether the worker has to look at this path now."""
    mine = (NotificationPath.notification_id == notification_id, NotificationPath.look_at <= now)
    return session.scalar(select(NotificationPath.notification_id).where(*mine)) is not None


def to_look_at(session: Session, *, now: dt.datetime, limit: int) -> list[Notification]:
    """Notifications whose path has something to be written down by now, locked for this worker, earliest first.

    A follow-up, which comes after the others, is locked with all that it follows up, or left for the next time.
    """
    waiting = (
        select(Notification)
        .join(NotificationPath, NotificationPath.notification_id == Notification.id)
        .where(NotificationPath.look_at <= now)
        .order_by(NotificationPath.look_at, Notification.id)
    )
    whole = waiting.options(joinedload(Notification.incident)).execution_options(populate_existing=True)
    locked = whole.where(Notification.kind != FOLLOW_UP).with_for_update(of=Notification, skip_locked=True)
    found = list(session.scalars(locked.limit(limit)))
    below = waiting.where(Notification.kind == FOLLOW_UP).with_only_columns(Notification.id)
    rows = session.scalars(below.limit(limit - len(found))).all() if len(found) < limit else ()
    held = held_from_above(rows, session)
    return found + (list(session.scalars(whole.where(Notification.id.in_(held)))) if held else [])
