"""Steps that go out by themselves: their policy was approved beforehand, and their target takes them so."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

import structlog
from sqlalchemy.orm import Session

from pocdir.core.errors import Refusal
from pocdir.mail.rules.protection import ENCRYPTED, KeyFor, protection
from pocdir.outreach.desk.models import Consent
from pocdir.outreach.desk.queries import consent_of
from pocdir.outreach.escalation import presentation, queries, returned
from pocdir.outreach.escalation.actions import steps
from pocdir.outreach.escalation.queries import Looked
from pocdir.outreach.escalation.rules.by_itself import REFUSED, UNFORESEEN, Standing, held
from pocdir.outreach.escalation.rules.path import Rung
from pocdir.outreach.escalation.rules.targets import Coming, Target
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import FOLLOW_UP, slug_of_team
from pocdir.outreach.replies import queries as replies
from pocdir.outreach.sending import queries as sending
from pocdir.outreach.sending.actions import SERVICE, send
from pocdir.outreach.sending.means import means
from pocdir.routing.rules.index import Index

_log = structlog.get_logger("pocdir.outreach")


def take_due(session: Session, notification: Notification, *, known: Index, now: dt.datetime) -> int:
    """Send what fell due in this very round, where it may go by itself; returns how many facts were written.

    What waits for a person says why, once; it is not tried again. In the transaction that wrote down that it is
    due, so that a crash leaves neither or both.
    """
    looked = (
        queries.look(notification, now, session) if queries.is_approved(notification.id, session) else None
    )
    if looked is None:
        return 0
    written = 0
    for level in _fell_due(looked, now):
        looked = queries.look(notification, now, session) or looked
        rung = next((each for each in looked.path.open if each.level == level), None)
        if rung is not None and rung.state == "due":
            written += _take_or_hold(session, notification, looked, rung, known=known, now=now)
    return written


def _fell_due(looked: Looked, now: dt.datetime) -> list[int]:
    policy = looked.row.policy.ref
    return sorted(
        int(event.payload["level"])
        for event in looked.events
        if event.type == "escalation.step_due"
        and event.recorded_at == now
        and event.payload.get("policy") == policy
    )


def _take_or_hold(
    session: Session,
    notification: Notification,
    looked: Looked,
    rung: Rung,
    *,
    known: Index,
    now: dt.datetime,
) -> int:
    target = queries.target(notification, rung.step.target, known, now.date(), session)
    if isinstance(target, str):
        return 0  # it was skipped, and says so
    consent = consent_of(target.team, session, lock=True)
    is_first = rung == looked.path.next
    standing = _standing(session, notification, looked, rung, target, consent, known, now, is_first=is_first)
    reason = held(standing, now)
    if reason == "no_consent" and consent is None and consent_of(target.team, session) is not None:
        reason = "told_lately"  # another worker writes to it at this moment
    if reason is None:
        reason = _take(session, notification, looked, rung, known=known, now=now)
    if reason is None and consent is not None:
        consent.told_at = now
        return 1
    return steps.hold(
        session, notification, queries.look(notification, now, session) or looked, rung, reason=reason or "other",
        to=target.team, now=now,
    )  # fmt: skip


def _take(
    session: Session,
    notification: Notification,
    looked: Looked,
    rung: Rung,
    *,
    known: Index,
    now: dt.datetime,
) -> str | None:
    """Log its message and queue the letter; what stands in the way, or None. Then nothing is left behind."""
    try:
        with session.begin_nested():
            message = presentation.prepared(
                looked, notification, rung.level, known=known, now=now, session=session
            )
            ref = steps.take(
                session, notification, message, now=now, actor=SERVICE, by_owner=False, people_at_risk=False,
                by_clock=True, is_sent=True,
            )  # fmt: skip
            if not send(session, ref=ref, now=now, actor=SERVICE):
                raise _KeyProblem
    except _KeyProblem:
        return "key"
    except Refusal as refusal:
        return REFUSED.get(refusal.code, "other")
    except UNFORESEEN:
        _log.exception("step by itself failed", notification=notification.ref)
        return "other"
    return None


class _KeyProblem(Exception):  # noqa: N818 - it is no error: the letter stays unsent
    """The pinned key must not be used, and nothing falls back."""


def outlook(
    session: Session,
    notification: Notification,
    looked: Looked | None,
    coming: Coming | None,
    known: Index,
    now: dt.datetime,
) -> dict[str, Any]:
    """Whether the step that comes next goes out by itself when it falls due, as things stand: `by_itself`, and `held`
    if not.

    `held` is None too where the policy was not approved beforehand: then every step waits for a person.
    """
    if looked is None or coming is None or not queries.is_approved(notification.id, session):
        return {"by_itself": False, "held": None}
    (rung, target), standing = coming, None
    if not rung.recorded and isinstance(target, Target):
        consent = consent_of(target.team, session)
        standing = _standing(session, notification, looked, rung, target, consent, known, now, is_first=True)
    return outlook_of(looked, coming, standing, may_send=sending.may_send(notification.workspace_id, session))


def outlook_of(
    looked: Looked, coming: Coming, standing: Standing | None, *, may_send: bool
) -> dict[str, Any]:
    """The same under a version approved beforehand, where all is read; `standing` of a step that finds somebody."""
    rung, target = coming
    if rung.recorded:  # its time is over: what was not sent then waits
        return {"by_itself": False, "held": _said(looked, rung)}
    if standing is None:
        return {"by_itself": False, "held": "opted_out" if target == "opted_out" else "no_mail"}
    reason = held(standing, rung.due_at)
    if reason is None and not (means().can_send and may_send):
        reason = "not_allowed"
    return {"by_itself": reason is None, "held": reason}


def _said(looked: Looked, rung: Rung) -> str | None:
    policy = looked.row.policy.ref
    return next(
        (
            event.payload["reason"]
            for event in looked.events
            if event.type == "escalation.step_held"
            and event.payload.get("policy") == policy
            and event.payload.get("level") == rung.level
        ),
        None,
    )


def _standing(
    session: Session,
    notification: Notification,
    looked: Looked,
    rung: Rung,
    target: Target,
    consent: Consent | None,
    known: Index,
    now: dt.datetime,
    *,
    is_first: bool,
) -> Standing:
    facts = Facts(
        team=slug_of_team(notification.team_id, session),
        key=sending.key_for(target.team, target.value, now),
        mail_waits=replies.waits_on(notification.ref, session),
        over_other_channel=returned.is_to_follow(notification, session)
        or returned.is_over_other_channel(notification.id, session),
    )
    return standing_of(notification, looked, rung, target, consent, facts, known, is_first=is_first)


class Facts(NamedTuple):
    """What else decides."""

    team: str  # slug of the entry that the notification went to
    key: KeyFor | None  # pinned for the address of whom the step goes to
    mail_waits: bool
    over_other_channel: bool


def standing_of(
    notification: Notification,
    looked: Looked,
    rung: Rung,
    target: Target,
    consent: Consent | None,
    facts: Facts,
    known: Index,
    *,
    is_first: bool,
) -> Standing:
    """All that decides on a step, from what is read."""
    incident = notification.case
    own = target.team == facts.team
    indexed = known.indexed_team(target.team)
    class_ = incident.rsit_class if incident else None
    type_ = incident.rsit_type if incident else None
    return Standing(
        asks_owner=rung.step.approval,
        is_over=looked.path.state == "exhausted"
        or any(each.recorded and each.level > rung.level for each in looked.path.rungs),
        is_first=is_first,
        kind=FOLLOW_UP if own else "referral",
        classes=frozenset(it for it in (class_, f"{class_}/{type_}" if type_ else None) if it),
        takes=consent.takes if consent else (),
        opt_outs=indexed.team.opt_outs if indexed else (),
        intake=indexed.team.reception.intake if indexed else (),
        by_mail=target.kind == "email",
        encrypted=_encrypted(notification, facts.key),
        told_at=consent.told_at if consent else None,
        people_at_risk=notification.people_at_risk,
        is_closed=bool(incident and incident.closed_at),
        mail_waits=facts.mail_waits,
        over_other_channel=facts.over_other_channel,
    )


def _encrypted(notification: Notification, key: KeyFor | None) -> bool | None:
    """Under the label that a step's message bears; None: it may not go at all."""
    how = protection(label=notification.label, key=key, plain_text=False)
    return None if how is None else how == ENCRYPTED
