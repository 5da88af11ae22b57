"""What comes back by mail on a notification: recorded where it is proven, else left to its workspace to read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core import tlp
from pocdir.core.canonical import canonical_json, sha256
from pocdir.core.errors import Conflict, Gone, Refusal
from pocdir.mail.models import ACTED, KEPT, UNREADABLE, WAITS, Mail, Received
from pocdir.mail.receiving import settle, settle_the_rest
from pocdir.mail.rules import classes, delivery, mime
from pocdir.mail.rules.headers import one_line
from pocdir.outreach.actions import recipient
from pocdir.outreach.actions.notifications import record_event
from pocdir.outreach.models import Notification
from pocdir.outreach.queries import notifications
from pocdir.outreach.replies import queries
from pocdir.outreach.replies.addresses import came_back
from pocdir.outreach.replies.rules import automatic, dates, words
from pocdir.outreach.rules.recipient import LIFE
from pocdir.outreach.sending.actions import SERVICE
from pocdir.outreach.sending.queries import attempt_of

AT_ONCE = dt.timedelta(seconds=90)  # so soon after a letter nobody can tell whether a person wrote it
MOST_MAILS = 100  # of one letter that are recorded; what comes beyond is kept, and a person's words wait
MOST_SAID = 10  # things of one report
REPORTED_WITHIN = dt.timedelta(days=10)  # twice as long as mail servers try
_DISPOSITIONS = {"displayed": "disposition.displayed", "deleted": "disposition.deleted"}


def read(session: Session, row: Received, letter: Mail, *, now: dt.datetime) -> None:
    """Record what a mail says that answers this letter of a notification, or leave it to its workspace."""
    found = notifications.notification_to_change(row.notification or "", session)
    if found is None:
        settle_the_rest(row)
        return
    waits = row.mail_class in (classes.HUMAN, classes.BOUNCE)
    if row.proven and queries.recorded(session, letter.ref) >= MOST_MAILS:
        settle(row, WAITS if waits else KEPT, reason="more mails came on this letter than are recorded")
        return
    if not row.proven:
        settle(row, WAITS if waits else KEPT, reason="its subject does not bear the letter's own reference")
        return
    try:
        with session.begin_nested():
            _record(session, row, letter, found, mime.read(row.raw or b""), now=now)
    except Refusal as refusal:
        settle(row, WAITS if waits else KEPT, reason=refusal.message[:200])


def _record(
    session: Session, row: Received, letter: Mail, found: Notification, mail: mime.Read, *, now: dt.datetime
) -> None:
    if mail.reports:
        _note_reports(session, row, letter, found, mail, now=now)
    elif row.mail_class == classes.MDN:
        _note_disposition(session, row, letter, found, mail, now=now)
    elif row.mail_class == classes.AUTOMATIC:
        _note_automatic(session, row, letter, found, mail, now=now)
    elif row.mail_class == classes.HUMAN:
        _hear(session, row, letter, found, mail, now=now)
    else:
        settle(row, WAITS, reason="a program's mail, without a report that can be read")


def _note_reports(
    session: Session, row: Received, letter: Mail, found: Notification, mail: mime.Read, *, now: dt.datetime
) -> None:
    """A delivery report about the very address that was written to: an event for each thing that it says, once."""
    said = delivery.each_of_address(delivery.recipients(mail.reports), letter.to)
    said = sorted(said, key=lambda it: delivery.ACTIONS.index(it.action))[:MOST_SAID]
    sent = letter.sent_at or letter.created_at
    if not said:
        settle(row, WAITS, reason="a delivery report about another address than the one that was written to")
        return
    if row.received_at - sent > REPORTED_WITHIN:
        settle(row, WAITS, reason="a delivery report that came later than mail servers try")
        return
    at, precision = dates.written(mail.head.first("date"), since=_since(letter, found), until=row.received_at)
    number, last = attempt_of(letter, session), None
    for each in said:
        key = [found.ref, each.address.casefold(), each.action, each.status, each.last_attempt]
        payload = {
            "attempt": number, "recipient": letter.to, "action": each.action, "status": each.status or None,
            "remote_mta": each.server or None, "diagnostic": each.diagnostic or None, "rule": row.rule,
        }  # fmt: skip
        if _is_red(found):
            payload["diagnostic"] = None
        last = record_event(
            session, found, type=f"delivery.{each.action}", payload=payload, occurred_at=at, precision=precision,
            now=now, actor=SERVICE, claimed_by="remote_mta", assurance="A0", evidence_digest=row.digest,
            scope="delivery", key=sha256(canonical_json(key)).hex(),
        )  # fmt: skip
        if each.has_no_mailbox:
            came_back(session, letter, each, now=now)
    worst = said[0]
    by = f" (a delivery report of {worst.server})" if worst.server else " (a delivery report)"
    settle(row, ACTED, reason=f"{worst.action} {worst.status}{by}"[:200], event=last.id if last else None)


def _note_disposition(
    session: Session, row: Received, letter: Mail, found: Notification, mail: mime.Read, *, now: dt.datetime
) -> None:
    """That a mail program has shown or deleted the letter: never an acknowledgement."""
    type_ = _DISPOSITIONS.get(mail.disposition.rpartition(";")[2].partition("/")[0].strip().lower())
    if type_ is None:
        settle(row, KEPT)
        return
    event = record_event(
        session, found, type=type_, payload=about(row, mail, found), now=now, actor=recipient.ACTOR,
        claimed_by="recipient", assurance="A1", evidence_digest=row.digest, scope=f"mail:{found.ref}",
        key=row.digest, **_when(row, letter, found, mail),
    )  # fmt: skip
    settle(row, ACTED, event=event.id)


def _note_automatic(
    session: Session, row: Received, letter: Mail, found: Notification, mail: mime.Read, *, now: dt.datetime
) -> None:
    payload = about(row, mail, found) | {
        "subclass": automatic.subclass(mail, sent=letter.subject),
        "ticket": automatic.ticket(mail.subject, sent=letter.subject),
    }
    event = record_event(
        session, found, type="reply.automatic", payload=payload, now=now, actor=recipient.ACTOR, claimed_by="recipient",
        assurance="A0", evidence_digest=row.digest, scope=f"mail:{found.ref}", key=row.digest,
        **_when(row, letter, found, mail),
    )  # fmt: skip
    settle(row, ACTED, event=event.id)


def _hear(
    session: Session, row: Received, letter: Mail, found: Notification, mail: mime.Read, *, now: dt.datetime
) -> None:
    """A person's reply; where it may be a program's, or its letter is no more, its workspace is asked."""
    said = words.said(mail.text) if mail.is_all else None
    doubt = _doubt(session, row, letter, found, mail, has_word=said is not None, now=now)
    if doubt:
        settle(row, WAITS, reason=doubt)
        return
    events = list(_answers(session, row, letter, found, mail, said, now=now))
    settle(row, ACTED, event=events[0])


def _answers(
    session: Session,
    row: Received,
    letter: Mail,
    found: Notification,
    mail: mime.Read,
    said: words.Said | None,
    *,
    now: dt.datetime,
) -> Iterator[str]:
    """The word of its first line as the recipient's page records it, and whatever else it says as a person's answer."""
    when = _when(row, letter, found, mail) | {"evidence_digest": row.digest}
    if said is not None:
        filled_in = {name: it for name, it in said.filled_in.items() if name != "note" or not _is_red(found)}
        yield recipient.answer(
            session, found, choice=said.choice, filled_in=filled_in, now=now, via="email", **when
        ).id
    if said is None or not said.is_all:
        yield record_event(
            session, found, type="reply.human", payload=about(row, mail, found) | {"via": "email"}, now=now,
            actor=recipient.ACTOR, claimed_by="recipient", assurance="A2", scope=f"mail:{found.ref}", key=row.digest,
            **when,
        ).id  # fmt: skip


def _doubt(
    session: Session,
    row: Received,
    letter: Mail,
    found: Notification,
    mail: mime.Read,
    *,
    has_word: bool,
    now: dt.datetime,
) -> str | None:
    """Why it is not taken for the recipient's answer by itself, in words; None: it is."""
    if letter.sent_at is None or row.received_at - letter.sent_at < AT_ONCE:
        return "it came so soon after the letter that a program may have written it"
    if queries.is_members(session, found.workspace_id, classes.address(mail.head.first("from"))):
        return "it says that it is from a member of this workspace"
    if found.withdrawn_at is not None:
        return "the report was taken back"
    if now - found.created_at > LIFE:
        return "the letter is older than its link lives"
    address = queries.address(session, found.channel_kind, found.channel_value)
    if letter.to.casefold() != found.channel_value.casefold() or (address and address.state == "withdrawn"):
        return "the address that was written to is withdrawn"
    return automatic.doubt(mail, sent=letter.subject, message_id=letter.message_id, has_word=has_word)


def take_as_answer(
    session: Session, *, mail: str, notification: Notification, now: dt.datetime, actor: str
) -> str:
    """A member says that a mail is the recipient's answer: the sender's word (S), once; returns the event's id.

    Raises NotFound `mail_unknown`, Conflict `mail_recorded` for what is recorded or no person's, Gone `withdrawn`.
    """
    row = queries.mail_to_change(session, mail, notification.ref)
    if row.result == ACTED or row.mail_class not in (classes.HUMAN, classes.AUTOMATIC):
        raise Conflict("mail_recorded", "this mail is recorded already, or is no answer")
    if notification.withdrawn_at is not None:
        raise Gone("withdrawn", "this report was taken back; there is nothing to answer")
    letter = queries.sent_before(session, notification, row.received_at)
    since = max(notification.sent_at, letter.sent_at if letter and letter.sent_at else notification.sent_at)
    read_again = mime.read(row.raw or b"")
    at, precision = dates.written(
        read_again.head.first("date"), since=since, until=max(since, row.received_at)
    )
    event = record_event(
        session, notification, type="reply.human", payload=about(row, read_again, notification) | {"via": "email"},
        occurred_at=at, precision=precision, now=now, actor=actor, claimed_by="sender", assurance="S",
        evidence_digest=row.digest, scope=f"mail:{notification.ref}", key=f"taken:{row.digest}",
    )  # fmt: skip
    settle(row, ACTED, reason=row.reason, event=event.id)
    row.seen_at, row.seen_by = row.seen_at or now, row.seen_by or actor
    return event.id


def see(session: Session, *, mail: str, notification: Notification, now: dt.datetime, actor: str) -> None:
    """A member has read it and it is no answer; raises NotFound `mail_unknown`, Conflict `mail_seen`."""
    row = queries.mail_to_change(session, mail, notification.ref)
    if row.seen_at is not None or row.result not in (WAITS, UNREADABLE):
        raise Conflict("mail_seen", "this was marked as read already")
    row.seen_at, row.seen_by = now, actor


def _since(letter: Mail, found: Notification) -> dt.datetime:
    return max(letter.sent_at or letter.created_at, found.sent_at)


def _when(row: Received, letter: Mail, found: Notification, mail: mime.Read) -> dict[str, Any]:
    since = _since(letter, found)
    at, precision = dates.written(mail.head.first("date"), since=since, until=row.received_at)
    return {"occurred_at": at, "precision": precision}


def about(row: Received, mail: mime.Read, found: Notification) -> dict[str, Any]:
    """What the event says of the mail; of what bears TLP:RED nothing that somebody wrote."""
    named = mime.words(mail.head.first("message-id"), 300)
    known = {"message_id": named or None, "raw_date": dates.raw(mail.head.first("date")), "rule": row.rule}
    if _is_red(found):
        return known
    return known | {"from": row.sender, "subject": one_line(row.subject or "", 300) or None}


def _is_red(found: Notification) -> bool:
    return found.label == tlp.RED
