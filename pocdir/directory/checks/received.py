"""What comes back by mail on a letter about an entry: a person's word, a failed delivery, or what changes nothing."""

from __future__ import annotations

import datetime as dt
import re

from sqlalchemy.orm import Session

from pocdir.core.errors import Refusal
from pocdir.directory.checks import actions
from pocdir.directory.checks import queries as checks
from pocdir.directory.checks.models import Check
from pocdir.directory.rules import checks as rules
from pocdir.ledger.actions import append
from pocdir.mail import receiving
from pocdir.mail.models import ACTED, KEPT, WAITS, Mail, Received
from pocdir.mail.receiving import settle, settle_the_rest
from pocdir.mail.rules.classes import BOUNCE, HUMAN
from pocdir.mail.rules.delivery import FAILED, Recipient
from pocdir.mail.rules.first_line import CONFIRM

LETTERS = (*rules.KINDS, *rules.REMINDER.values())
AT_ONCE = dt.timedelta(seconds=90)  # so soon after a letter nobody can tell whether a person wrote it
REPORTED_WITHIN = dt.timedelta(days=10)  # twice as long as mail servers try
_LINK = re.compile(r"/r/entry/([A-Za-z0-9_-]{20,200})\s*\Z")


def read_next(*, now: dt.datetime, secret: bytes, ref: str | None = None) -> bool:
    """Read the oldest mail about our letters that nobody has read (or this one), in a transaction of its own.

    False: there is none.
    """

    def read(session: Session, row: Received, letter: Mail | None) -> None:
        if letter is not None:
            _read(session, row, letter, secret=secret, now=now)

    return receiving.read_next(read, kinds=LETTERS, ref=ref)


def _read(session: Session, row: Received, letter: Mail, *, secret: bytes, now: dt.datetime) -> None:
    check = checks.check_by_ref(letter.notification or "", session)
    if check is None:
        settle_the_rest(row)
    elif row.mail_class == HUMAN:
        _hear(session, row, letter, secret=secret, now=now)
    elif row.mail_class == BOUNCE and row.proven:
        _note_return(session, row, letter, now=now)
    else:
        settle(row, KEPT)


def _hear(session: Session, row: Received, letter: Mail, *, secret: bytes, now: dt.datetime) -> None:
    """A person's reply: its word does what the letter's link does, all else waits for a steward."""
    if not row.proven:
        settle(row, WAITS, reason="its subject does not bear the letter's own reference")
    elif letter.sent_at is None or row.received_at - letter.sent_at < AT_ONCE:
        settle(row, WAITS, reason="it came so soon after the letter that a program may have written it")
    elif row.word is None:
        settle(row, WAITS)
    else:
        try:
            with session.begin_nested():
                event = _do(session, row, letter, secret=secret, now=now)
        except Refusal as refusal:
            settle(row, WAITS, reason=refusal.message[:200])
        else:
            settle(row, ACTED if event else WAITS, event=event)


def _do(session: Session, row: Received, letter: Mail, *, secret: bytes, now: dt.datetime) -> str | None:
    """What the letter's link would do now, as long as it lives; the event, or None where the word answers nothing."""
    link = _LINK.search(letter.body or "")
    check = actions.addressed(session, link[1] if link else "", secret=secret, now=now)
    if check.kind == rules.PING:
        return actions.answer_test(
            session, check, level=actions.PERSON, now=now, via="email", digest=row.digest
        ).id
    if row.word != CONFIRM:
        return None
    _refuse_what_changed(session, check, letter)
    return actions.confirm(
        session, slug=check.team.slug, kind=check.address.kind, value=check.address.value, via="email",
        evidence=f"confirmed by a reply of {row.received_at:%Y-%m-%d} to our letter", digest=row.digest,
        assurance="A2", check=check, now=now, actor=actions.TEAM,
    ).id  # fmt: skip


def _refuse_what_changed(session: Session, check: Check, letter: Mail) -> None:
    """A word by mail is about what the letter said: of an entry that was changed or merged since it says nothing."""
    told = check.asked_revision if letter.kind in rules.KINDS else check.reminded_revision
    whole = actions.whole_of(check, session)
    if whole.id != check.team_id or whole.revision != told:
        raise actions.changed_since()


def _note_return(session: Session, row: Received, letter: Mail, *, now: dt.datetime) -> None:
    """A delivery report about the very address that was written to counts as a refusal of the relay does, once; but
    whoever has read the letter can write one, so what the team has confirmed stays guarded."""
    check = checks.check_by_ref(letter.notification or "", session, lock=True)
    assert check is not None  # noqa: S101 - it was found in this transaction
    if row.action != FAILED:
        settle(row, WAITS, reason="mail came back, without a report about the address that was written to")
        return
    spoken, sent = check.address.confirmed_at, letter.sent_at or letter.created_at
    if row.received_at - sent > REPORTED_WITHIN:
        settle(row, WAITS, reason="mail came back later than mail servers try")
        return
    if spoken is not None and spoken > sent:
        settle(row, WAITS, reason="mail came back, but somebody has answered from this address since")
        return
    bounced = Recipient(letter.to, FAILED, row.status or "").has_no_mailbox
    by = f" (a delivery report of {row.server})" if row.server else " (a delivery report)"
    event = append(
        session, type="delivery.failed", now=now, actor=actions.SERVICE, claimed_by="remote_mta",
        notification=check.ref, team=check.team.slug, evidence_digest=row.digest,
        payload={"recipient": letter.to, "action": FAILED, "status": row.status, "remote_mta": row.server},
        scope=f"letter:{letter.ref}", idempotency_key="failed",
    )  # fmt: skip
    if event is None:
        settle(row, KEPT, reason="that this letter came back is recorded already")
        return
    said = f"{row.status or 'failed'}{by}"
    actions.came_back(session, check, letter.kind, bounced=bounced, said=said, now=now, stays_guarded=True)
    settle(row, ACTED, reason=said[:200], event=event.id)
