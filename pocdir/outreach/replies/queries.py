"""The mails that came in on a notification, and what has to be known to read one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from pocdir.accounts.models import Membership, User
from pocdir.core.errors import NotFound
from pocdir.db import Line, db, table_of
from pocdir.directory.models import Address, Team
from pocdir.mail.models import ACTED, UNREADABLE, WAITS, Mail, Received
from pocdir.outreach.models import Notification

MOST_WAITING = 100  # notifications in the list of those on which mail waits
_R, _N, _T = (table_of(model).c for model in (Received, Notification, Team))
_WAITS = (_R.result.in_((WAITS, UNREADABLE)), _R.seen_at.is_(None))


def is_members(session: Session, workspace_id: int, address: str) -> bool:
    """Whether this is the address of a member's account."""
    statement = (
        select(User.id)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.workspace_id == workspace_id, User.email == address.lower())
    )
    return session.scalar(statement) is not None


def address(session: Session, kind: str, value: str) -> Address | None:
    """The directory's address that a notification went to, locked."""
    statement = select(Address).where(Address.kind == kind, Address.value == value).with_for_update()
    return session.scalar(statement)


def recorded(session: Session, letter: str) -> int:
    """How many mails on a letter led to something."""
    statement = select(func.count()).select_from(table_of(Received)).where(_R.letter == letter)
    return session.scalar(statement.where(_R.result == ACTED)) or 0


def sent_before(session: Session, notification: Notification, by: dt.datetime) -> Mail | None:
    """The last letter of a notification that had left by then."""
    statement = select(Mail).where(Mail.notification == notification.ref, Mail.sent_at <= by)
    return session.scalar(statement.order_by(Mail.sent_at.desc()).limit(1))


def mail_of(ref: str, notification: str, session: Session | None = None) -> Received:
    """One mail that came in on a notification; raises NotFound `mail_unknown`, also for one of another."""
    statement = select(Received).where(Received.ref == ref, Received.notification == notification)
    found = (session or db.session()).scalar(statement)
    if found is None:
        raise NotFound("mail_unknown", "no such mail came in on this notification")
    return found


def mail_to_change(session: Session, ref: str, notification: str) -> Received:
    """The same, locked."""
    found = mail_of(ref, notification, session)
    session.refresh(found, with_for_update=True)
    return found


def waiting(workspace_id: int | None, session: Session | None = None) -> Sequence[Line]:
    """(notification, team, team_name, mails, since) of the workspace's notifications on which mail waits for a person,
    the longest waiting first; the first MOST_WAITING."""
    mine = (_R.notification == _N.ref) & (_N.workspace_id == workspace_id)
    since = func.min(_R.received_at, type_=_R.received_at.type).label("since")
    statement = (
        select(_N.ref.label("notification"), _T.slug.label("team"), _T.name.label("team_name"), since)
        .add_columns(func.count().label("mails"))
        .select_from(
            table_of(Received).join(table_of(Notification), mine).join(table_of(Team), _T.id == _N.team_id)
        )
        .where(*_WAITS)
        .group_by(_N.ref, _T.slug, _T.name)
        .order_by(since, _N.ref)
        .limit(MOST_WAITING)
    )
    return (session or db.session()).connection().execute(statement).all()


def waits_on(ref: str, session: Session) -> bool:
    """Whether mail that came in on this notification waits for a person, who may find an answer in it."""
    return session.scalar(select(_R.id).where(_R.notification == ref, *_WAITS).limit(1)) is not None


def waiting_on(refs: Collection[str], session: Session) -> set[str]:
    """Those of these notifications on which mail waits for a person."""
    return set(session.scalars(select(_R.notification).where(_R.notification.in_(refs), *_WAITS).distinct()))


def with_mail(workspace_id: int, session: Session) -> Sequence[str]:
    """The workspace's notifications on which mail came in, in the order in which they were recorded."""
    named = exists().where(_R.notification == _N.ref)
    return session.scalars(select(_N.ref).where(_N.workspace_id == workspace_id, named).order_by(_N.id)).all()
