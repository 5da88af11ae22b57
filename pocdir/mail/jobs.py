"""What the worker does for mail: handing over what is due, setting aside what is past its time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

import structlog

from pocdir import running
from pocdir.config import Settings
from pocdir.core import clock
from pocdir.core.errors import Refusal
from pocdir.core.relays import Relay
from pocdir.db import transaction
from pocdir.mail import actions
from pocdir.mail.models import Mail
from pocdir.mail.own_key import own_key
from pocdir.mail.rules import headers, message
from pocdir.mail.rules.encryption import encrypted
from pocdir.mail.rules.envelope import envelope_sender, reply_sign
from pocdir.mail.rules.protection import KeyFor, Stands, problem
from pocdir.mail.rules.replies import DEFERRED, HELD, REFUSED, SENT, UNREACHABLE, Attempt
from pocdir.mail.smtp import Submission

MOST = 200  # letters a round
_ANSWERS = 12  # that an attempt waits for at most: greeting, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, ...
Looks = Callable[[Mail, dt.datetime], Stands]  # of a letter at a time
_log = structlog.get_logger("pocdir.mail")


def _no_look(_mail: Mail, _now: dt.datetime) -> Stands:
    raise LookupError("a letter that may have to be encrypted is handed over where nobody looks for keys")


def hand_over(now: dt.datetime, go_on: Callable[[], bool] = lambda: True, *, look: Looks = _no_look) -> int:
    """Hand what is due to the relay, a letter at a time; returns how many it took.

    A letter is claimed in one transaction and marked in another: no network inside either. Without a relay, and on a
    demonstration, everything stays where it is. A round ends when the relay itself is in trouble. `look` finds the
    OpenPGP key and the label of a letter that asks for a key, and whether it is still to go; at this moment, whatever
    was known when it was queued.
    """
    settings = running.settings()
    relay, sent = settings.relay, 0
    if relay is None or settings.demo:
        return 0
    with Submission(relay, settings.mail_domain) as submission:
        for _ in range(MOST):
            mail = _claim(relay) if go_on() else None
            if mail is None:
                break
            stands = look(mail, clock.now()) if mail.protection else Stands(label=mail.tlp)
            done = attempt(submission, settings, mail, stands, now=clock.now())
            _mark(mail, done, stands.key, now=clock.now())
            sent += done.result == SENT
            if done.result == UNREACHABLE:
                break
    return sent


def attempt(
    submission: Submission, settings: Settings, mail: Mail, stands: Stands, *, now: dt.datetime
) -> Attempt:
    """One letter on its way, from the address of the settings with the letter's own envelope.

    Encrypted where it may be and there is a key; not at all where it must not go otherwise.
    """
    key = stands.key
    trouble = stands.stops or problem(mail.protection, label=stands.label, key=key)
    if trouble is not None:
        return Attempt(HELD, trouble)
    address, secret = settings.mail_from or "", settings.secret_key.encode()
    try:
        encrypt = _encrypting(settings, mail, key)
    except Refusal as refusal:  # the letter cannot help it
        return Attempt(DEFERRED, f"our own OpenPGP key: {refusal.message}")
    try:
        data = message.compose(
            message.Message(
                sender=address,
                sender_name=mail.sender_name,
                to=mail.to,
                subject=headers.signed(_subject(mail, encrypt), reply_sign(secret, mail.ref)),
                body=mail.body or "",
                message_id=mail.message_id,
                date=now,
                automatic=mail.automatic,
                language=mail.language,
                in_reply_to=mail.in_reply_to,
                unsubscribe=mail.unsubscribe,
                encrypt=encrypt,
            )
        )
    except Refusal as refusal:
        return Attempt(HELD if encrypt else REFUSED, str(refusal))
    sender = envelope_sender(secret, address, mail.ref)
    # Whoever reports about an entry has no use for more than a failure, which comes without being asked for.
    envid = mail.ref if mail.protection else None
    return submission.hand_over(sender=sender, to=mail.to, data=data, envid=envid)


def _encrypting(settings: Settings, mail: Mail, key: KeyFor | None) -> Callable[[bytes], str] | None:
    if mail.protection is None or key is None or key.reasons:
        return None
    return partial(encrypted, public=key.public, private=own_key(settings))


def _subject(mail: Mail, encrypt: object) -> str:
    return headers.bare_subject(mail.notification or mail.ref, mail.tlp) if encrypt else mail.subject


def tidy(now: dt.datetime) -> int:
    """Set aside what is past its time, and erase one-time links with their letters' end; returns how many."""
    with transaction() as session:
        return actions.expire(session, now=now) + actions.forget_one_time(session)


def _claim(relay: Relay) -> Mail | None:
    lease = dt.timedelta(seconds=max(900, _ANSWERS * relay.timeout))
    with transaction() as session:
        mail = actions.claim(session, now=clock.now(), lease=lease)
        if mail is not None:
            session.expunge(
                mail
            )  # read again, it would tell of another worker's attempt once the lease is lost
    return mail


def _mark(mail: Mail, done: Attempt, key: KeyFor | None, *, now: dt.datetime) -> None:
    with transaction() as session:
        if done.result == SENT:
            fingerprint = key.fingerprint if key and not key.reasons else None
            actions.mark_sent(session, ref=mail.ref, now=now, fingerprint=fingerprint)
        elif done.result == HELD:
            actions.hold(session, ref=mail.ref, attempt=mail.attempts, reason=done.reason, now=now)
        elif done.result == REFUSED:
            actions.refuse(session, ref=mail.ref, attempt=mail.attempts, reason=done.reason, now=now)
        else:
            pause = done.result == DEFERRED and done.pause
            actions.defer(
                session, ref=mail.ref, attempt=mail.attempts, reason=done.reason, now=now, pause=pause
            )
    if done.result != SENT:  # what the server said may hold the recipient's address: it stays in the outbox
        _log.warning("mail not handed over", ref=mail.ref, kind=mail.kind, result=done.result)
