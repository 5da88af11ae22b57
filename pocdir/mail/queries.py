"""What stands in the outbox, for its page and for the rooms that queued it; and what came in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.orm import Session, defer

from pocdir.core.errors import NotFound
from pocdir.db import db
from pocdir.mail.models import (
    CLAIMED,
    ERASED,
    QUEUED,
    SENT,
    UNREADABLE,
    WAITING,
    WAITS,
    Mail,
    MailDomain,
    Received,
)
from pocdir.mail.rules import schedule

UNPROVEN_KEPT = dt.timedelta(days=30)  # what anybody may have written


def letters_beyond(now: dt.datetime, kept: dt.timedelta) -> ColumnElement[bool]:
    """Letters that still say something so long after their end."""
    says = or_(Mail.body.is_not(None), Mail.subject != ERASED, Mail.last_error.is_not(None))
    return says & (Mail.settled_at <= now - kept)


def mails_beyond(now: dt.datetime, kept: dt.timedelta) -> ColumnElement[bool]:
    """Mails that still say something so long after they came, of what anybody may have written 30 days at most."""
    soon = Received.proven.is_(False) & (Received.received_at <= now - min(kept, UNPROVEN_KEPT))
    return or_(soon, Received.received_at <= now - kept) & Received.raw.is_not(None)


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


def listed(*, states: Sequence[str], offset: int = 0, limit: int = 100) -> tuple[Sequence[Mail], int]:
    """(one page, the newest first; how many there are in all)."""
    chosen = Mail.state.in_(states)
    total = db.session.scalar(select(func.count()).select_from(Mail).where(chosen)) or 0
    statement = select(Mail).where(chosen).order_by(Mail.id.desc()).offset(offset).limit(limit)
    return db.session.scalars(statement).all(), total


MOST_UNPROVEN_SHOWN = 3  # of one letter, on the desk
MOST_SHOWN = 100  # mails of one notification
LONGEST_BEGINNING = 128 << 10  # bytes of each
_LEFT = (CLAIMED, SENT)  # what nobody can have read yet, nobody answers


def letter(session: Session, ref: str) -> Mail | None:
    """One letter that left, or None."""
    return session.scalar(select(Mail).where(Mail.ref == ref, Mail.state.in_(_LEFT)))


def letters_about(session: Session, reference: str) -> Sequence[Mail]:
    """The letters that bear this reference in their subject and left, the newest first."""
    named = or_(Mail.notification == reference, (Mail.ref == reference) & Mail.notification.is_(None))
    statement = select(Mail).where(named, Mail.state.in_(_LEFT)).order_by(Mail.id.desc()).limit(10)
    return session.scalars(statement).all()


def letter_of_message(session: Session, message_ids: Sequence[str]) -> Mail | None:
    """The newest letter with one of these Message-IDs, or None."""
    if not message_ids:
        return None
    named = select(Mail).where(Mail.message_id.in_(message_ids), Mail.state.in_(_LEFT))
    return session.scalar(named.order_by(Mail.id.desc()).limit(1))


def unread(
    session: Session, *, kinds: Collection[str], ref: str | None = None, copies: bool = False
) -> tuple[Received, Mail | None] | None:
    """The oldest mail that speaks of a letter of these kinds and that no room has read yet (or this one), locked, with
    that letter; with `copies` also what claims to be a copy of a sender's own mail."""
    of_room: ColumnElement[bool] = Mail.kind.in_(kinds)
    if copies:
        of_room = or_(of_room, Received.letter.is_(None) & Received.notification.is_not(None))
    statement = (
        select(Received, Mail)
        .outerjoin(Mail, Mail.ref == Received.letter)
        .where(Received.result.is_(None), of_room)
        .order_by(Received.id)
        .limit(1)
        .with_for_update(skip_locked=True, of=Received)
    )
    found = session.execute(statement.where(Received.ref == ref) if ref else statement).first()
    return (found[0], found[1]) if found else None


def of_notification(ref: str, session: Session | None = None) -> Sequence[tuple[Received, bytes | None]]:
    """What came in on a notification, the oldest first, each with its first LONGEST_BEGINNING bytes (None: erased); of
    more than MOST_SHOWN the proven ones before others."""
    chosen = (
        select(Received, func.substr(Received.raw, 1, LONGEST_BEGINNING, type_=Received.raw.type))
        .options(defer(Received.raw))
        .where(Received.notification == ref)
        .order_by(Received.proven.desc(), Received.id)
        .limit(MOST_SHOWN)
    )
    rows = (session or db.session()).execute(chosen).all()
    return sorted(((row[0], row[1]) for row in rows), key=lambda found: found[0].id)


def waiting_words(limit: int, *, since: dt.datetime) -> Sequence[tuple[Received, str | None]]:
    """Persons' words that came since then and that no steward has read, each with the slug of its team: what is proven
    first, then the first MOST_UNPROVEN_SHOWN of what anybody may have written; the oldest of these first."""
    place = func.row_number().over(partition_by=(Received.letter, Received.proven), order_by=Received.id)
    waiting = (
        select(Received.id, place.label("place"))
        .where(
            Received.result.in_((WAITS, UNREADABLE)), Received.seen_at.is_(None), Received.received_at > since
        )
        .where(Received.notification.is_(None))
        .subquery()
    )
    statement = (
        select(Received, Mail.team)
        .options(defer(Received.raw))
        .join(waiting, waiting.c.id == Received.id)
        .join(Mail, Mail.ref == Received.letter)
        .where(or_(Received.proven, waiting.c.place <= MOST_UNPROVEN_SHOWN))
        .order_by(Received.proven.desc(), Received.id)
    )
    rows = db.session().execute(statement.limit(limit)).all()
    return [(row[0], row[1]) for row in rows]


def received(ref: str, session: Session | None = None) -> Received:
    """One mail that came in; raises NotFound `mail_unknown`."""
    found = (session or db.session()).scalar(select(Received).where(Received.ref == ref))
    if found is None:
        raise NotFound("mail_unknown", "there is no such mail")
    return found


def received_counts() -> dict[tuple[str | None, bool], int]:
    """{(result, whether a workspace alone reads it): number of mails that came in}, only those that occur."""
    kinds = (Received.result, Received.notification.is_not(None))
    rows = db.session.execute(select(*kinds, func.count()).group_by(*kinds))
    return {(row[0], bool(row[1])): row[2] for row in rows}


def received_list(
    *, results: Sequence[str | None], offset: int = 0, limit: int = 100
) -> tuple[Sequence[Received], int]:
    """(one page of mails that came in, the newest first; how many there are in all), without what a workspace alone
    reads. The result None: not read yet."""
    named = Received.result.in_([each for each in results if each])
    chosen = (
        or_(named, Received.result.is_(None)) if None in results else named
    ) & Received.notification.is_(None)
    total = db.session.scalar(select(func.count()).select_from(Received).where(chosen)) or 0
    statement = select(Received).options(defer(Received.raw)).where(chosen).order_by(Received.id.desc())
    return db.session.scalars(statement.offset(offset).limit(limit)).all(), total
