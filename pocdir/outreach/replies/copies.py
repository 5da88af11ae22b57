"""A copy of a sender's own mail that reached us (Bcc or forwarded), where our mail server has checked its signature."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import Session

from pocdir.mail.models import ACTED, KEPT, UNMATCHED, Received
from pocdir.mail.receiving import settle
from pocdir.mail.rules import mime
from pocdir.mail.rules.references import mailboxes
from pocdir.outreach.actions.notifications import record_event
from pocdir.outreach.queries import notifications
from pocdir.outreach.replies import actions, queries
from pocdir.outreach.replies.rules import dates
from pocdir.outreach.replies.rules.authentication import signed_sender
from pocdir.outreach.rules.letter import refs_in
from pocdir.outreach.sending.actions import SERVICE


def claimed(mail: mime.Read, *, server: str | None) -> str | None:
    """The notification that a mail claims to be a copy of: by the tag in its subject, else by the only one in its text;
    None without a signature that the mail server `server` has checked."""
    if signed_sender(mail.head, server=server) is None:
        return None
    named: Sequence[str] = refs_in(mail.subject) or refs_in(mail.text)
    return named[0] if len(named) == 1 else None


def read_copy(session: Session, row: Received, *, server: str | None, now: dt.datetime) -> None:
    """Record a copy once (`message.copied`), where a member of the notification's workspace wrote it and it names the
    recipient; a stranger's answers no letter."""
    mail = mime.read(row.raw or b"")
    found = notifications.notification_to_change(row.notification or "", session)
    sender = signed_sender(mail.head, server=server)
    if found is None or sender is None or not queries.is_members(session, found.workspace_id, sender):
        row.notification = None
        settle(row, UNMATCHED)
        return
    if found.channel_value.casefold() not in mailboxes(mail.head, ("to", "cc")):
        settle(
            row,
            KEPT,
            reason="a copy of a member's own mail that does not name the address of this notification",
        )
        return
    at, precision = dates.written(mail.head.first("date"), since=found.sent_at, until=row.received_at)
    event = record_event(
        session, found, type="message.copied", payload=actions.about(row, mail, found) | {"rule": "dkim"},
        occurred_at=at, precision=precision, now=now, actor=SERVICE, claimed_by="service", assurance=None,
        evidence_digest=row.digest, scope=f"mail:{found.ref}", key="copied",
    )  # fmt: skip
    settle(row, ACTED, event=event.id)
