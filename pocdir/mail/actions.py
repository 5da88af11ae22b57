"""Queuing a letter in the caller's transaction, and everything that becomes of it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pocdir.core import tlp as labels
from pocdir.core.errors import Conflict, Invalid
from pocdir.core.mailboxes import domain_of, parse_mailbox
from pocdir.core.refs import new_ref
from pocdir.core.text import isolated
from pocdir.db import inserts_once, table_of
from pocdir.mail import queries
from pocdir.mail.models import (
    CLAIMED,
    DEAD,
    FAILED,
    QUEUED,
    SENT,
    STALE,
    UNSAID,
    UNSENT,
    WITHDRAWN,
    Mail,
    MailDomain,
)
from pocdir.mail.rules import headers, message, schedule

SERVICE = "service"
_KIND = re.compile(r"[a-z][a-z0-9_]{0,39}")
_INSERT: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
_ONCE = inserts_once(table_of(Mail), "key")
LONGEST_ERROR = 500


class Queued(NamedTuple):
    """A letter in the outbox; `is_new` is False when the key had brought it there before."""

    ref: str
    message_id: str
    is_new: bool


def enqueue(
    session: Session,
    *,
    kind: str,
    to: str,
    subject: str,
    body: str,
    key: str,
    domain: str,
    now: dt.datetime,
    ref: str | None = None,
    team: str | None = None,
    notification: str | None = None,
    tlp: str | None = None,
    language: str | None = None,
    automatic: bool = True,
    confidential: bool = False,
    sender_name: str = "pocdir",
    in_reply_to: str | None = None,
    unsubscribe: str | None = None,
    not_before: dt.datetime | None = None,
    expires_at: dt.datetime | None = None,
    protection: str | None = None,
) -> Queued:
    """Queue one letter to one address; it goes out after the caller's commit.

    `key` makes it one letter however often it is asked for: the first wording stays. `domain` is the right side of
    its Message-ID (`settings.mail_domain`). `ref` (a new UUIDv7) may be given where the body speaks of it. Subject and
    body get the reference tag and the TLP label where they lack them; from TLP:AMBER up the subject is these two alone.
    `automatic`: written by the service itself (Auto-Submitted), False for a person's report. `confidential`: it
    carries a one-time link; its body is erased once sent. After `expires_at` it is not sent any more (stale).
    `protection`: how it may travel, of rules.protection; None: in plain text.
    Raises Invalid `address_invalid`, `header_invalid`, `mail_too_long`, `tlp_invalid`.
    """
    if not _KIND.fullmatch(kind) or not 1 <= len(key) <= 200:
        raise ValueError("kind: a word of small letters; key: 1 to 200 characters")
    ref = ref or new_ref(now)
    address, reference = _address(to), notification or ref
    label = labels.parse(tlp) if tlp else None
    row = {
        "ref": ref, "key": key, "kind": kind, "team": team, "notification": notification, "to": address,
        "domain": domain_of(address),
        "subject": headers.subject(subject, reference=reference, tlp=label),
        "body": isolated(message.text_of(body, label), language),
        "message_id": message.message_id(reference, ref, domain),
        "in_reply_to": message.check_message_id(in_reply_to) if in_reply_to else None,
        "sender_name": headers.guard("From", sender_name, longest=120),
        "language": headers.guard("Content-Language", language, longest=20) if language else None,
        "unsubscribe": message.check_url(unsubscribe) if unsubscribe else None,
        "tlp": label,
        "protection": protection,
        "automatic": automatic,
        "confidential": confidential,
        "state": QUEUED,
        "attempts": 0,
        "next_attempt_at": not_before or now,
        "expires_at": expires_at,
        "created_at": now,
    }  # fmt: skip
    return _put_once(session, row)


def _put_once(session: Session, row: dict[str, Any]) -> Queued:
    """The letter of this row, or the one that stands under its key already."""
    connection, table = session.connection(), table_of(Mail)
    insert = _ONCE[connection.dialect.name]
    if connection.execute(insert.returning(table.c.ref), row).first() is not None:
        return Queued(row["ref"], row["message_id"], True)
    chosen = select(table.c.ref, table.c.message_id).where(table.c.key == row["key"])
    kept = connection.execute(chosen).one()
    return Queued(kept.ref, kept.message_id, False)


def _address(text: str) -> str:
    try:
        return parse_mailbox(text)
    except ValueError as error:
        raise Invalid("address_invalid", str(error), where="to") from None


def withdraw(session: Session, *, ref: str, now: dt.datetime, actor: str, reason: str | None = None) -> None:
    """Take a letter back that was not sent; raises NotFound `mail_unknown`, Conflict `mail_sent` or `mail_claimed`."""
    mail = _unsent(session, ref)
    mail.last_error = headers.one_line(reason, LONGEST_ERROR) if reason else mail.last_error
    _settle(mail, WITHDRAWN, now=now, by=actor)


def withdraw_unsent(session: Session, *, key: str, now: dt.datetime, actor: str, reason: str) -> bool:
    """Take back the letter of this key where it still waits: what it asks for was done. False where none waits."""
    mail = session.scalar(select(Mail).where(Mail.key == key, Mail.state == QUEUED).with_for_update())
    if mail is None:
        return False
    mail.last_error = headers.one_line(reason, LONGEST_ERROR)
    _settle(mail, WITHDRAWN, now=now, by=actor)
    return True


def withdraw_waiting(
    session: Session, *, notification: str, kind: str, now: dt.datetime, actor: str, reason: str
) -> bool:
    """Take back the letter of this kind about a notification that still waits: what it says is taken back."""
    chosen = (Mail.notification == notification, Mail.kind == kind, Mail.state == QUEUED)
    mail = session.scalar(select(Mail).where(*chosen).with_for_update())
    if mail is not None:
        mail.last_error = headers.one_line(reason, LONGEST_ERROR)
        _settle(mail, WITHDRAWN, now=now, by=actor)
    return mail is not None


def retry(session: Session, *, ref: str, now: dt.datetime, actor: str) -> None:
    """Begin anew with a letter that waits, failed or was given up.

    Raises NotFound `mail_unknown`, Conflict `mail_sent`, `mail_claimed`, or `mail_expired` for what is withdrawn,
    erased, or not true any more.
    """
    mail = _unsent(session, ref)
    if mail.state in (WITHDRAWN, STALE) or mail.body is None or (mail.expires_at and mail.expires_at <= now):
        raise Conflict("mail_expired", "this letter is withdrawn or past its time; write a new one")
    mail.state, mail.attempts, mail.next_attempt_at = QUEUED, 0, now
    mail.settled_at = mail.settled_by = mail.reported_at = None


def mark_sent_by_hand(session: Session, *, ref: str, now: dt.datetime, actor: str) -> None:
    """A person has sent it with a mail program; raises NotFound `mail_unknown`, Conflict `mail_sent`, `mail_claimed`,
    `mail_expired` for what was withdrawn."""
    mail = _unsent(session, ref)
    if mail.state == WITHDRAWN:
        raise Conflict("mail_expired", "this letter was withdrawn")
    _settle(mail, SENT, now=now, by=actor)


def erase(mail: Mail) -> None:
    """What an ended letter said is needed no more: trying again makes a new one."""
    mail.body = None


def report(mails: Iterable[Mail], *, now: dt.datetime) -> None:
    """The room that queued these letters has written down what became of them (see `queries.unreported`)."""
    for mail in mails:
        mail.reported_at = now


def claim(session: Session, *, now: dt.datetime, lease: dt.timedelta) -> Mail | None:
    """Take the letter whose turn it is for one attempt; None when there is none.

    The lease is longer than an attempt can last; after it another worker may take the letter, which may then go out
    twice (its Message-ID is the same) and is never lost.
    """
    while (mail := queries.next_due(session, now=now)) is not None:
        if mail.expires_at is not None and mail.expires_at <= now:
            _settle(mail, STALE, now=now)
        elif mail.attempts >= schedule.MOST_ATTEMPTS:
            mail.last_error = "the worker ended while it was handing this letter over"
            _settle(mail, DEAD, now=now)
        else:
            mail.state, mail.attempts, mail.lease_until = CLAIMED, mail.attempts + 1, now + lease
            _count(session, mail.domain, now)
            session.flush()
            return mail
        session.flush()
    return None


def mark_sent(session: Session, *, ref: str, now: dt.datetime, fingerprint: str | None = None) -> bool:
    """Our relay took it, encrypted to this key or to none: true whatever another worker thought meanwhile."""
    mail = session.scalar(select(Mail).where(Mail.ref == ref, Mail.state != SENT).with_for_update())
    if mail is None:
        return False
    mail.fingerprint = fingerprint
    _settle(mail, SENT, now=now)
    return True


def defer(
    session: Session, *, ref: str, attempt: int, reason: str, now: dt.datetime, pause: bool = False
) -> str | None:
    """This attempt did not succeed: again later, or given up after the last; returns the state.

    `pause`: the recipient's side asked for patience, so its whole domain rests. None when the lease was lost.
    """
    mail = _claimed(session, ref, attempt)
    if mail is None:
        return None
    mail.last_error = headers.one_line(reason, LONGEST_ERROR)
    again = schedule.next_attempt(attempt, now)
    if again is None:
        _settle(mail, DEAD, now=now)
    else:
        mail.state, mail.next_attempt_at, mail.lease_until = QUEUED, again, None
    if pause:
        session.execute(
            update(MailDomain)
            .where(MailDomain.domain == mail.domain)
            .values(paused_until=now + schedule.PAUSE)
        )
    return mail.state


def refuse(session: Session, *, ref: str, attempt: int, reason: str, now: dt.datetime) -> bool:
    """Refused for good; False when the lease was lost."""
    mail = _claimed(session, ref, attempt)
    if mail is None:
        return False
    mail.last_error = headers.one_line(reason, LONGEST_ERROR)
    _settle(mail, FAILED, now=now)
    return True


def hold(session: Session, *, ref: str, attempt: int, reason: str, now: dt.datetime) -> bool:
    """It must not go as it would have to: it is given up unsent; False when the lease was lost."""
    mail = _claimed(session, ref, attempt)
    if mail is None:
        return False
    mail.last_error = headers.one_line(reason, LONGEST_ERROR)
    _settle(mail, STALE, now=now)
    return True


def expire(session: Session, *, now: dt.datetime) -> int:
    """What waits beyond its time becomes stale, also where no relay is set up; returns how many."""
    statement = select(Mail).where(Mail.state == QUEUED, Mail.expires_at <= now)
    mails = session.scalars(statement.with_for_update(skip_locked=True)).all()
    for mail in mails:
        _settle(mail, STALE, now=now)
    return len(mails)


def forget_one_time(session: Session) -> int:
    """Erase what letters with a one-time link said that are over unsent; returns how many."""
    over = Mail.confidential & Mail.state.in_((STALE, WITHDRAWN)) & Mail.body.is_not(None)
    return int(session.connection().execute(update(Mail).where(over).values(body=None)).rowcount)


def forget_letters(session: Session, *, now: dt.datetime, kept: dt.timedelta) -> int:
    """Erase what letters said, and what servers said of them, so long after their end; returns how many."""
    beyond = queries.letters_beyond(now, kept)
    return int(session.connection().execute(update(Mail).where(beyond).values(UNSAID)).rowcount)


def _unsent(session: Session, ref: str) -> Mail:
    mail = queries.mail(ref, session)
    session.refresh(mail, with_for_update=True)
    if mail.state == SENT:
        raise Conflict("mail_sent", "this letter was sent")
    if mail.state == CLAIMED:
        raise Conflict("mail_claimed", "this letter is being handed over; look again in a minute")
    return mail


def _claimed(session: Session, ref: str, attempt: int) -> Mail | None:
    statement = select(Mail).where(Mail.ref == ref, Mail.state == CLAIMED, Mail.attempts == attempt)
    return session.scalar(statement.with_for_update())


def _settle(mail: Mail, state: str, *, now: dt.datetime, by: str = SERVICE) -> None:
    mail.state, mail.settled_at, mail.settled_by, mail.reported_at = state, now, by, None
    mail.next_attempt_at = mail.lease_until = None
    if state == SENT:
        mail.sent_at, mail.last_error = now, None
        mail.body = None if mail.confidential else mail.body
    assert state in (SENT, WITHDRAWN, *UNSENT)  # noqa: S101 - the five ends


def _count(session: Session, domain: str, now: dt.datetime) -> None:
    table, connection = table_of(MailDomain), session.connection()
    kept = session.scalar(select(MailDomain.free_at).where(MailDomain.domain == domain).with_for_update())
    values = {"domain": domain, "free_at": schedule.free_after(kept, now)}
    insert = _INSERT[connection.dialect.name](table)
    connection.execute(
        insert.on_conflict_do_update(index_elements=["domain"], set_={"free_at": values["free_at"]}), values
    )
