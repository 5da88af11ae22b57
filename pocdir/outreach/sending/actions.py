"""Sending a notification's letter by this service: queued with the change it belongs to, or refused with it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from pocdir.accounts.models import Workspace
from pocdir.core import tlp
from pocdir.core.errors import Conflict, Forbidden, Invalid, NotFound, TooMany
from pocdir.directory.actions.marking import mark_address
from pocdir.directory.rules.address_state import BOUNCED, after
from pocdir.ledger.actions import append
from pocdir.mail import actions as outbox
from pocdir.mail.actions import enqueue
from pocdir.mail.models import Mail
from pocdir.mail.rules.headers import one_line
from pocdir.mail.rules.protection import problem, protection
from pocdir.outreach.actions.gates import yes_needed
from pocdir.outreach.actions.notifications import record_event
from pocdir.outreach.models import Notification
from pocdir.outreach.presentation.letter import letter_of
from pocdir.outreach.queries import notifications
from pocdir.outreach.queries.snapshots import snapshot_for_recipient
from pocdir.outreach.rules.intake import in_words
from pocdir.outreach.rules.letter import MAIL
from pocdir.outreach.sending import queries
from pocdir.outreach.sending.means import Means, means
from pocdir.outreach.sending.models import Sending, SendingPermission
from pocdir.outreach.sending.rules import end

WAITS = dt.timedelta(days=2)  # what has not left by then is not sent any more
SERVICE = "service"


def send(
    session: Session,
    *,
    ref: str,
    now: dt.datetime,
    actor: str,
    plain_text: bool = False,
    despite_rules: bool = False,
    despite_opt_out: bool = False,
    people_at_risk: bool = False,
) -> bool:
    """Queue the letter of a notification that stands in this transaction; it goes out after the commit.

    True: it is queued. False: it stays unsent for a problem with the team's OpenPGP key, which its record and its page
    say. `plain_text`: its sender says that it may go in plain text; `despite_rules`: that it is known not to meet the
    team's rules for reports; `despite_opt_out`: that the team has said not to take such; `people_at_risk`: that the
    incident says so. The caller has proven its right to the notification before.

    Raises Invalid `send_unavailable`, `send_not_email`, `send_without_body`, `address_not_on_record`, `key_needed`,
    Forbidden `sending_not_allowed`, TooMany `sends_used_up`, Conflict `people_at_risk`, `opted_out`,
    `rules_not_met`, `sent_already`, `withdrawn_already`.
    """
    found = notifications.notification_to_change(ref, session)
    if found is None:
        raise NotFound("notification_unknown", "no notification of yours has this reference")
    given = means()
    last = queries.last_sending(found.id, session)
    _require_sendable(found, given, people_at_risk)
    if last is not None and (found.transport not in ("stale", "failed") or queries.waits(last, session)):
        raise Conflict("sent_already", "its letter was queued already", where="send")
    require_read(session, found, despite_rules=despite_rules, despite_opt_out=despite_opt_out)
    address = _address(session, found)
    _require_allowed(session, found.workspace_id, given, now)
    team = notifications.slug_of_team(found.team_id, session)
    key = queries.key_for(team, address, now)
    how = protection(label=found.label, key=key, plain_text=plain_text)
    if how is None:
        raise _key_needed(found.label)
    sending = Sending(
        notification_id=found.id, workspace_id=found.workspace_id, attempt=last.attempt + 1 if last else 1,
        queued_at=now, queued_by=actor, plain_text=plain_text, problem=problem(how, label=found.label, key=key),
    )  # fmt: skip
    session.add(sending)
    if sending.problem is None:
        _queue(session, found, sending, team=team, to=address, how=how, domain=given.domain)
    _record(session, found, sending, to=address)
    return sending.problem is None


def require_read(
    session: Session, found: Notification, *, despite_rules: bool, despite_opt_out: bool
) -> None:
    """A report goes out only once its sender has read what its team asks for, and what it does not take.

    Raises Conflict `opted_out`, `rules_not_met`.
    """
    if (opted_out := queries.opted_out_of(session, found)) and not despite_opt_out:
        said = ", ".join(each.replace("_", " ") for each in opted_out)
        message = f"this team has said that it does not take this ({said}): only on a word of your own"
        raise Conflict("opted_out", message, where="despite_opt_out")
    if found.rules_not_met and not despite_rules:
        asked = in_words(found.rules_not_met)
        message = f"this team asks for {asked}; what does not meet that moves none of its figures"
        raise Conflict("rules_not_met", message, where="despite_rules")


def allow(
    session: Session,
    workspace: Workspace,
    *,
    allowed: bool,
    now: dt.datetime,
    actor: str,
    note: str | None = None,
) -> bool:
    """Let a workspace send by this service, or stop it; False when that stands already.

    What is queued goes out all the same: its senders withdraw it.
    """
    session.get_one(
        Workspace, workspace.id, with_for_update={"key_share": True}
    )  # at first there is no other row
    standing = queries.permission(session, workspace.id, lock=True)
    if (standing is not None and standing.allowed) == allowed:
        return False
    append(
        session, type=f"workspace.sending_{'allowed' if allowed else 'stopped'}", now=now, actor=actor,
        claimed_by="steward", payload={"workspace": workspace.ref, "note": note},
    )  # fmt: skip
    kept = standing or SendingPermission(workspace_id=workspace.id)
    kept.allowed, kept.decided_at, kept.decided_by, kept.note = allowed, now, actor, note
    session.add(kept)
    session.flush()
    return True


def _require_sendable(found: Notification, given: Means, people_at_risk: bool) -> None:
    if not given.can_send:
        message = "no mail relay is set up here: send it yourself and log it"
        raise Invalid("send_unavailable", message, where="send")
    if found.withdrawn_at is not None:
        raise Conflict("withdrawn_already", "it was withdrawn: there is nothing to send", where="send")
    if found.people_at_risk and not people_at_risk:
        raise yes_needed()
    if found.body_digest and not found.body:
        message = "its text is not here, only its digest: send it yourself and log it"
        raise Invalid("send_without_body", message, where="body")


def _address(session: Session, found: Notification) -> str:
    """Where it goes: a mail address that the directory has of this team."""
    if found.channel_kind != "email":
        message = "this service sends mail alone: tell them yourself and log it"
        raise Invalid("send_not_email", message, where="channel")
    team = notifications.slug_of_team(found.team_id, session)
    address = queries.address_on_record(team, found.channel_value)
    if address is None:
        message = "the directory has no such working mail address of this team: send it yourself and log it"
        raise Invalid("address_not_on_record", message, where="channel")
    return address


def _require_allowed(session: Session, workspace_id: int, given: Means, now: dt.datetime) -> None:
    permission = queries.permission(session, workspace_id, lock=True)
    if permission is None or not permission.allowed:
        message = "this workspace does not send by this service yet: a steward or admin allows it once"
        raise Forbidden("sending_not_allowed", message, where="send")
    if queries.sent_within_a_day(session, workspace_id, now) >= given.a_day:
        message = (
            f"this workspace has sent {given.a_day} letters within 24 hours, which is the most; go on later"
        )
        raise TooMany("sends_used_up", message, where="send")


def _key_needed(label: str) -> Invalid:
    message = "no OpenPGP key is pinned for this address, and "
    if label == tlp.RED:
        message += "TLP:RED never goes in plain text: tell them another way and log it"
    else:
        message += f"{label} goes in plain text only where you say so"
    return Invalid("key_needed", message, where="plain_text")


def _queue(
    session: Session, found: Notification, sending: Sending, *, team: str, to: str, how: str, domain: str
) -> None:
    session.flush()
    words = letter_of(snapshot_for_recipient(found.ref))
    key = f"{MAIL}:{found.ref}" if sending.attempt == 1 else f"{MAIL}:{found.ref}:{sending.attempt}"
    workspace = notifications.workspace_by_id(found.workspace_id, session)
    sending.mail = enqueue(
        session, kind=MAIL, to=to, subject=words["subject"], body=words["body"], key=key, domain=domain,
        now=sending.queued_at, team=team, notification=found.ref, tlp=found.tlp, language=found.language,
        automatic=False, confidential=True, sender_name=one_line(workspace.name, 120) or "pocdir",
        expires_at=sending.queued_at + WAITS, protection=how,
    ).ref  # fmt: skip
    session.flush()


def _record(session: Session, found: Notification, sending: Sending, *, to: str) -> None:
    payload = {"attempt": sending.attempt, "kind": "email", "recipient": to}
    if sending.problem is not None:
        type_, payload = "message.stale", payload | {"reason": "key"}
    else:
        type_ = "message.queued"
    record_event(
        session, found, type=type_, payload=payload, now=sending.queued_at, actor=sending.queued_by,
        claimed_by=SERVICE, assurance=None,
    )  # fmt: skip


def note(session: Session, mail: Mail, *, now: dt.datetime) -> None:
    """Write down what became of a notification's letter, which has come to its end in the outbox."""
    outbox.report([mail], now=now)
    outbox.erase(mail)
    found = notifications.notification_to_change(mail.notification or "", session)
    if found is None:
        return
    became = end(mail.state, mail.last_error or "")
    payload = {"attempt": queries.attempt_of(mail, session), "recipient": mail.to} | became.payload
    if became.type.startswith("message."):
        payload |= {"kind": "email", "message_id": mail.message_id}
    record_event(
        session, found, type=became.type, payload=payload, now=now, actor=SERVICE, claimed_by=SERVICE, assurance=None,
        occurred_at=max(mail.settled_at or now, found.sent_at), scope=f"letter:{mail.ref}",
        key=f"{mail.state}:{mail.settled_at:%Y%m%dT%H%M%S%f}",
    )  # fmt: skip
    if became.bounced:
        _mark_bouncing(session, mail, now=now)


def _mark_bouncing(session: Session, mail: Mail, *, now: dt.datetime) -> None:
    before = queries.state_of_address(session, mail.to)
    state = after(before, BOUNCED) if before else before
    if state is not None and state != before:
        mark_address(
            session, kind="email", value=mail.to, state=state, evidence=f"mail came back: {mail.last_error}",
            now=now, actor=SERVICE, claimed_by=SERVICE,
        )  # fmt: skip
