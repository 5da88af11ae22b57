"""The mails that came in on a notification, and what has to be known to read one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.accounts.models import Membership, User
from pocdir.core.errors import NotFound
from pocdir.db import db
from pocdir.directory.models import Address
from pocdir.mail.models import Mail, Received
from pocdir.outreach.models import Notification


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


def waiting(refs: Sequence[str], session: Session | None = None) -> set[str]:
    """Those of these notifications on which a mail waits for a person of the workspace."""
    statement = select(Received.notification).where(
        Received.notification.in_(refs),
        Received.result.in_(("waits", "unreadable")),
        Received.seen_at.is_(None),
    )
    return {ref for ref in (session or db.session()).scalars(statement) if ref}
