"""What stands in the outbox, for its page and for the rooms that queued it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from pocdir.core.errors import NotFound
from pocdir.db import db
from pocdir.mail.models import CLAIMED, QUEUED, SENT, WAITING, Mail, MailDomain
from pocdir.mail.rules import schedule


def mail(ref: str, session: Session | None = None) -> Mail:
    """One letter; raises NotFound `mail_unknown`."""
    found = (session or db.session()).scalar(select(Mail).where(Mail.ref == ref))
    if found is None:
        raise NotFound("mail_unknown", "there is no such letter in the outbox")
    return found


def unreported(session: Session, *, kinds: Sequence[str], limit: int = 100) -> Sequence[Mail]:
    """Letters of these kinds whose end the room that queued them has not read yet, the oldest first.

    For a job of that room: write the events, then `actions.report`, in one transaction; two jobs at once
    read different letters. The states are sent, failed, dead, stale and withdrawn.
    """
    statement = (
        select(Mail)
        .where(Mail.kind.in_(kinds), Mail.settled_at.is_not(None), Mail.reported_at.is_(None))
        .order_by(Mail.settled_at, Mail.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return session.scalars(statement).all()


def written_to(session: Session, *, team: str, kinds: Sequence[str], since: dt.datetime) -> Sequence[Mail]:
    """What a yearly limit counts: letters of these kinds to a team since then, waiting or sent."""
    statement = select(Mail).where(
        Mail.team == team, Mail.kind.in_(kinds), Mail.created_at >= since, Mail.state.in_((*WAITING, SENT))
    )
    return session.scalars(statement.order_by(Mail.created_at, Mail.id)).all()


def next_due(session: Session, *, now: dt.datetime) -> Mail | None:
    """The letter whose turn it is, locked; also one whose worker has not come back within its lease."""
    held = exists().where(
        MailDomain.domain == Mail.domain,
        or_(MailDomain.free_at > schedule.latest_free(now), MailDomain.paused_until > now),
    )
    statement = (
        select(Mail)
        .where(
            or_(
                (Mail.state == QUEUED) & (Mail.next_attempt_at <= now),
                (Mail.state == CLAIMED) & (Mail.lease_until <= now),
            ),
            ~held,
        )
        .order_by(Mail.next_attempt_at, Mail.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Mail)
    )
    return session.scalar(statement)


def waiting_since(now: dt.datetime) -> dt.datetime | None:
    """Since when the first letter waits that should have gone by now; None: none does."""
    return db.session.scalar(
        select(func.min(Mail.next_attempt_at)).where(Mail.state == QUEUED, Mail.next_attempt_at <= now)
    )


def counts() -> dict[str, int]:
    """{state: number of letters}, only those that occur."""
    rows = db.session.execute(select(Mail.state, func.count()).group_by(Mail.state))
    return dict(rows.all())


def listed(
    *, states: Sequence[str], kind: str | None = None, offset: int = 0, limit: int = 100
) -> tuple[Sequence[Mail], int]:
    """(one page, the newest first; how many there are in all)."""
    chosen = [Mail.state.in_(states)] + ([Mail.kind == kind] if kind else [])
    total = db.session.scalar(select(func.count()).select_from(Mail).where(*chosen)) or 0
    statement = select(Mail).where(*chosen).order_by(Mail.id.desc()).offset(offset).limit(limit)
    return db.session.scalars(statement).all(), total
