"""A letter of this service came back: the next address of the same team is written to, without a policy too."""

from __future__ import annotations

import datetime as dt

import structlog
from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict, Invalid, Refusal
from pocdir.ledger.actions import append
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach.actions.notifications import NewNotification, log_notification
from pocdir.outreach.actions.threads import is_full
from pocdir.outreach.escalation import queries
from pocdir.outreach.escalation.models import OtherChannel
from pocdir.outreach.escalation.rules import letter
from pocdir.outreach.escalation.rules.by_itself import REFUSED, UNFORESEEN
from pocdir.outreach.escalation.rules.targets import Target
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import FOLLOW_UP, about, teams_by_id, workspace_by_id
from pocdir.outreach.rules.letter import LANGUAGES
from pocdir.outreach.sending.actions import SERVICE, send
from pocdir.routing.rules.index import Index

_log = structlog.get_logger("pocdir.outreach")


def follow(session: Session, failed: Notification, *, known: Index, now: dt.datetime) -> str | None:
    """Write to the same team over its next mail address that works, once for each; returns the notification made.

    The same words, under the same label, by the rules that hold for every letter; where people may be at risk nothing
    goes. What stands in the way is written down, and this notification is not looked at again.
    """
    first = _first(failed)
    led_to, reason = None, _in_the_way(session, first, failed)
    if reason is None:
        target = queries.other_mail(first, known, session)
        reason = target if isinstance(target, str) else None
        if isinstance(target, Target):
            try:
                with session.begin_nested():
                    led_to = _write(session, first, failed, target, now=now)
            except Refusal as refusal:
                reason = REFUSED.get(refusal.code, "other")
            except UNFORESEEN:
                _log.exception("following a returned letter failed", notification=failed.ref)
                reason = "other"
    session.add(OtherChannel(notification_id=failed.id, decided_at=now, led_to=led_to, reason=reason))
    if reason == "no_mail" and queries.path_row(first.id, session) is None:
        _append(session, first, "escalation.no_working_contact", {}, now=now, key=first.ref)
    elif reason not in (None, "answered"):
        _append(session, failed, "escalation.step_held", {"reason": reason}, now=now, key=failed.ref)
    session.flush()
    return led_to


def _first(found: Notification) -> Notification:
    """The report whose follow-ups these are: its thread knows over which addresses the team was told."""
    while found.kind == FOLLOW_UP and found.parent is not None:
        found = found.parent
    return found


def _in_the_way(session: Session, first: Notification, failed: Notification) -> str | None:
    incident = first.case
    if first.withdrawn_at is not None or first.response not in ("awaiting", "receipt"):
        return "answered"
    if first.people_at_risk:
        return "people_at_risk"
    if incident is not None and incident.closed_at is not None:
        return "closed"
    if is_full(session, first):
        return "thread_full"
    events = events_of_notification(failed.ref, session, sealed=False)
    refused = (e for e in events if e.type == "delivery.failed")
    by_policy = any(str(e.payload.get("status") or "").startswith("5.7.") for e in refused)
    return "refused" if by_policy else None  # who does not want such mail is not sent it by another way


def _write(
    session: Session, first: Notification, failed: Notification, to: Target, *, now: dt.datetime
) -> str:
    """Raises what log_notification and send raise, Invalid `key_needed` where the pinned key must not be used."""
    language = failed.language if failed.language in LANGUAGES else "en"
    with force_locale(language):
        body = letter.message(_said(session, first, failed), _)
    new = NewNotification(
        team=to.team, channel=(to.kind, to.value), kind=FOLLOW_UP, subject=first.subject, body=body,
        language=language, tlp=first.label, assets=first.assets, answer_asked=first.answer_asked, is_step=True,
        encrypted=True,
    )  # fmt: skip
    ref = log_notification(
        session,
        new,
        workspace_id=first.workspace_id,
        now=now,
        actor=SERVICE,
        incident=first.incident,
        parent=first,
    )
    payload = {"notification": ref, "recipient": to.value, "failed": failed.channel_value}
    key = f"{first.ref}:{to.kind}:{to.value}"
    if not _append(session, failed, "escalation.other_channel", payload, now=now, key=key):
        raise Conflict("sent_already", "this address was written to already")
    if not send(session, ref=ref, now=now, actor=SERVICE):
        raise Invalid("key_needed", "the pinned key must not be used, and nothing falls back")
    return ref


def _said(session: Session, first: Notification, failed: Notification) -> letter.Said:
    incident = first.incident
    return letter.Said(
        content="full",
        own=True,
        reference=first.ref,
        sender=workspace_by_id(first.workspace_id, session).name,
        team=teams_by_id([first.team_id], session)[first.team_id].name,
        channel=failed.channel_value,
        sent_at=failed.sent_at,
        asked_for=None,
        failed=True,
        ticket=None,
        about=first.subject or (incident.title if incident else None),
        count=len(first.assets),
        since=incident.detected_from if incident else None,
        message=first.body,
        contact=queries.contact_of(
            first.id, workspace_id=first.workspace_id, incident_id=incident.id if incident else None
        ),
    )


def _append(
    session: Session,
    notification: Notification,
    type_: str,
    payload: dict[str, str],
    *,
    now: dt.datetime,
    key: str,
) -> bool:
    """Record it once, whoever works; False where it stands already."""
    event = append(
        session, type=type_, now=now, actor=SERVICE, claimed_by="clock", payload=payload, scope="clock",
        idempotency_key=f"{type_}:{key}", **about(notification, session),
    )  # fmt: skip
    return event is not None
