"""Changing an outreach: every change is an event, and the state follows from the events."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import insert
from sqlalchemy.orm import Session

from pocdir.core import tlp as tlp_labels
from pocdir.core.errors import Conflict, Gone, Invalid
from pocdir.core.refs import new_ref
from pocdir.core.times import isoformat
from pocdir.db import Line, table_of
from pocdir.directory.keys.queries import key_for
from pocdir.directory.queries.entries import has_web_form
from pocdir.directory.rules.office import language_for
from pocdir.directory.rules.record import reception
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.models import Incident
from pocdir.ledger.actions import append, append_all
from pocdir.ledger.queries import event_by_key, events_of_notification
from pocdir.ledger.rules.events import CLOCK_SKEW, Event
from pocdir.ledger.rules.vocabulary import POLICIES
from pocdir.mail.actions import withdraw_waiting
from pocdir.outreach.actions.gates import require_no_control, require_yes
from pocdir.outreach.actions.parcels import hand_over
from pocdir.outreach.actions.parents import check_parent, parent_of
from pocdir.outreach.actions.projection import add_expectations, columns_of, project
from pocdir.outreach.actions.threads import check_room, keep_thread
from pocdir.outreach.escalation.actions.policies import begin
from pocdir.outreach.models import Notification
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.notifications import FOLLOW_UP, Locked
from pocdir.outreach.queries.parcels import held_for
from pocdir.outreach.queries.plans import Routed
from pocdir.outreach.rules import contradictions, expectations
from pocdir.outreach.rules.expectations import Expected
from pocdir.outreach.rules.fold import state_of
from pocdir.outreach.rules.intake import Report, not_met
from pocdir.outreach.rules.letter import MAIL
from pocdir.outreach.rules.posting import occurred
from pocdir.outreach.rules.thread import SPEAKING

POLICY = POLICIES[0]  # the sender sets the due time
_NOTIFICATION = insert(table_of(Notification))


@dataclass(frozen=True, slots=True, kw_only=True)
class NewNotification:
    """What the sender says of one notification; None leaves the choice to the service."""

    team: str
    channel: tuple[str, str] | None = None  # kind, value
    kind: str = "report"
    sent_at: dt.datetime | None = None
    precision: str = "exact"
    subject: str | None = None
    body: str | None = None
    body_digest: str | None = None
    language: str | None = None  # None: the first of the team's that we write
    tlp: str | None = None
    assets: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    answer_asked: bool = True
    expect: Sequence[Expected] | None = None
    note: str | None = None  # the sender's own; the contact does not read it
    rows: int = 0  # of the files that go with it
    encrypted: bool | None = None  # where a key serves; None: nobody said
    is_step: bool = False  # of the parent's path, so that it walks none of its own


_AS_GIVEN = (
    "team", "kind", "sent_at", "subject", "body", "body_digest", "language", "tlp", "answer_asked",
)  # fmt: skip


def log_notification(
    session: Session,
    new: NewNotification,
    *,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    incident: Incident | None = None,
    parent: Notification | None = None,
    key: str | None = None,
    first_channel: tuple[str, str] | None = None,
) -> str:
    """Record that a team was told; returns the reference of the notification.

    `first_channel` is where it goes when the sender names no channel, worked out before the transaction. With a
    `key` the same thing is recorded once per workspace. Raises NotFound `team_unknown`, Invalid `no_channel`,
    `sent_in_future`, `expectation_invalid`, `tlp_invalid`, `tlp_lowered`, `parent_invalid`, `thread_full`, Conflict
    `control_told`.
    """
    scope = scope_of(workspace_id) if key is not None else None
    if scope and key and (standing := event_by_key(scope, key, session)) is not None:
        return standing.notification or ""
    team = queries.team_for_notification(session, new.team, workspace_id=workspace_id)
    check_parent(new.kind, parent, workspace_id=workspace_id, team_id=team.id)
    check_room(session, new.kind, parent)
    require_no_control(session, new.assets, incident=incident, parent=parent)
    made = worked_out(
        new, team, workspace_id=workspace_id, now=now, actor=actor, incident=incident, parent=parent, key=key,
        first_channel=first_channel,
    )  # fmt: skip
    events = append_all(session, made.events, scope=scope)
    if not events:  # somebody else logged the same thing meanwhile
        standing = event_by_key(scope or "", key or "", session)
        return standing.notification or "" if standing else ""
    state = state_of(events)
    inserted = session.connection().execute(_NOTIFICATION, made.row | columns_of(state)).inserted_primary_key
    assert inserted is not None  # noqa: S101 - one row was inserted
    add_expectations(session, {inserted[0]: state})
    if len(events) > 1 and not new.is_step:
        begin(session, {inserted[0]: events[0]}, made.row, now=now)
    _join_thread(session, new.kind, parent, now=now)
    return events[0].notification or ""


def scope_of(workspace_id: int) -> str:
    """Where a workspace's keys for what it logs stand."""
    return f"logged:{workspace_id}"


class WorkedOut(NamedTuple):
    """A notification before anything of it is written: its row without the state, and its events."""

    row: dict[str, Any]
    events: list[Event]  # notification.logged, and what is asked for


def worked_out(
    new: NewNotification,
    team: Line,
    *,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    incident: Incident | None = None,
    parent: Notification | None = None,
    key: str | None = None,
    first_channel: tuple[str, str] | None = None,
) -> WorkedOut:
    """What log_notification writes; `team` as queries.team_for_notification gives it. Raises its Invalid."""
    (kind, value), sent_at = _sent(new, first_channel, team.slug, now)
    default = expectations.default_for(new.kind, team.acknowledgement_within)
    asked = expectations.expected(new.expect, answer_asked=new.answer_asked, default=default)
    language = new.language or language_for(team.languages)
    label = _label(new, incident, parent)
    ref = new_ref(now)
    about = {"notification": ref, "incident": incident.ref if incident else None, "team": team.slug}
    digest = new.body_digest or (body_digest(new.body) if new.body else None)
    is_red = tlp_labels.RED in (label, incident.tlp if incident else None)
    missing = _rules_not_met(new, team, channel=(kind, value), language=language, now=now)
    payload = {
        "channel": kind, "recipient": value, "parent": parent.ref if parent else None, "body_digest": digest,
        "rules_not_met": missing or None, **_logged_payload(new, team, language, is_red=is_red),
    }  # fmt: skip
    logged = Event(
        id=new_ref(now), type="notification.logged", occurred_at=sent_at, precision=new.precision, recorded_at=now,
        actor=actor, claimed_by="sender", assurance="S", payload=payload, idempotency_key=key, **about,
    )  # fmt: skip
    row = {
        "ref": ref, "workspace_id": workspace_id, "incident_id": incident.id if incident else None,
        "team_id": team.id, "parent_id": parent.id if parent else None, "channel_kind": kind,
        "channel_value": value, "kind": new.kind, "sent_at": sent_at, "precision": new.precision,
        "subject": new.subject, "body": new.body, "body_digest": digest, "language": language,
        "tlp": label, "assets": [dict(asset) for asset in new.assets], "answer_asked": new.answer_asked,
        "rules_not_met": missing, "created_at": now, "created_by": actor,
    }  # fmt: skip
    expects = [_expected(each, start=sent_at, now=now, actor=actor, about=about) for each in asked]
    return WorkedOut(row, [logged, *expects])


def _join_thread(session: Session, kind: str, parent: Notification | None, *, now: dt.datetime) -> None:
    """What was answered after it was sent answers a follow-up that is written down late."""
    if parent is not None and kind == FOLLOW_UP:
        keep_thread(session, parent.id, now=now)


def _label(new: NewNotification, incident: Incident | None, parent: Notification | None) -> str:
    """Never less strict than what it belongs to: lowering is an act of the source, recorded where it is done."""
    floors = [
        each.tlp for each in (incident, parent, parent.incident if parent else None) if each is not None
    ]
    if not floors:
        return tlp_labels.parse(new.tlp or tlp_labels.AMBER)
    floor = tlp_labels.strictest(*floors)
    label = tlp_labels.parse(new.tlp or floor)
    if tlp_labels.is_at_least(label, floor):
        return label
    if incident is not None and incident.tlp == floor:
        message = f"its incident bears {floor}: lower that label first, which is recorded, or keep it here"
    else:
        message = f"what it follows bears {floor}: keep that label, or write a report of its own"
    raise Invalid("tlp_lowered", message, where="tlp")


def _sent(
    new: NewNotification, first_channel: tuple[str, str] | None, team: str, now: dt.datetime
) -> tuple[tuple[str, str], dt.datetime]:
    """Over which channel (kind, value) and when; raises Invalid `no_channel`, `sent_in_future`."""
    channel, sent_at = new.channel or first_channel, new.sent_at or now
    if channel is None:
        raise Invalid("no_channel", f"{team} has no live channel for incidents; name one", where="channel")
    if sent_at > now + CLOCK_SKEW:
        message = "log it when it was sent (at most five minutes ahead)"
        raise Invalid("sent_in_future", message, where="sent_at")
    return channel, sent_at


def _logged_payload(new: NewNotification, team: Line, language: str, *, is_red: bool) -> dict[str, Any]:
    """What the event says of it. RED never enters the ledger, not even as a commitment beside its value."""
    return {
        "kind": new.kind, "answer_asked": new.answer_asked, "language": language, "assets": len(new.assets),
        "subject": None if is_red else new.subject,
        "opted_out": new.kind in team.profile.get("opt_outs", ()) or None,
        "note": None if is_red else new.note,
    }  # fmt: skip


def _rules_not_met(
    new: NewNotification, team: Line, *, channel: tuple[str, str], language: str, now: dt.datetime
) -> list[str]:
    """Which of the team's rules for reports this one does not meet, as they stand now.

    What nobody could meet is no rule: encrypted mail where no key is pinned for its address, a web form where the
    directory has none of the team.
    """
    asked, encrypted = set(reception(team.profile).intake), new.encrypted
    if "encryption" in asked:
        key, reasons = key_for(team.slug, channel[1], now=now)
        asked -= set() if key else {"encryption"}
        encrypted = encrypted and not reasons
    if "web-form-only" in asked and not has_web_form(team.slug):
        asked -= {"web-form-only"}
    report = Report(
        kind=new.kind, channel=channel[0], language=language, assets=new.assets, rows=new.rows, body=new.body,
        is_kept=new.body_digest is not None, answer_asked=new.answer_asked, encrypted=encrypted,
    )  # fmt: skip
    return not_met(asked, report, languages=team.languages)


def log_as_given(
    session: Session,
    given: Mapping[str, Any],
    *,
    routed: Routed,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    key: str | None = None,
) -> str:
    """Record a notification as NotificationSchema loads it; returns its reference.

    What is not named comes from `routed`: the team's first live channel, and the incident's own assets that
    concern the team, with the parcels that wait for it. `key` as log_notification takes it. Raises what
    `log_notification` raises, NotFound for an unknown incident, Invalid `parent_invalid` for an unknown parent,
    Conflict `people_at_risk` without a yes to this contact.
    """
    own = queries.Own(workspace_id)
    incident = (
        incident_queries.incident(str(given["incident"]), workspace_id=workspace_id, session=session)
        if given["incident"]
        else None
    )
    if incident is not None and incident.closed_at is not None:
        raise Conflict("incident_closed", "the incident is closed; reopen it first", where="incident")
    parent = parent_of(session, given["parent"], own)
    require_yes(incident, parent, given, now=now)
    assets = given["assets"]
    if assets is None:
        assets = routed.assets if incident else ()
    channel, expect = given["channel"], given["expect"]
    brings = incident is not None and given["assets"] is None
    waiting = held_for(session, incident, routed.slugs) if incident is not None and brings else ()
    new = NewNotification(
        rows=sum(each.rows for each in waiting),
        encrypted=given["send"] or None,
        channel=(channel["kind"], channel["value"]) if channel else None,
        expect=None if expect is None else tuple(Expected(each["of"], each["within"]) for each in expect),
        assets=assets,
        **{name: given[name] for name in _AS_GIVEN},
    )
    ref = log_notification(
        session, new, workspace_id=workspace_id, now=now, actor=actor, incident=incident, parent=parent,
        first_channel=routed.channel, key=key,
    )  # fmt: skip
    if incident is not None and brings:
        hand_over(session, incident, dict.fromkeys(routed.slugs, ref), now=now, actor=actor)
    return ref


def body_digest(body: str) -> str:
    """The digest of a text, as a sender gives it who keeps the text; the ledger keeps it keyed."""
    return "sha256:" + hashlib.sha256(body.encode()).hexdigest()


def record_event(
    session: Session,
    notification: Notification | Locked,
    *,
    type: str,
    payload: Mapping[str, Any],
    now: dt.datetime,
    actor: str,
    claimed_by: str,
    assurance: str | None,
    occurred_at: dt.datetime | None = None,
    precision: str = "exact",
    evidence_digest: str | None = None,
    scope: str | None = None,
    key: str | None = None,
    keeps_thread: bool = True,
) -> Event:
    """Add a fact to a notification and bring its state up to date; the same key gives the event that stands.

    Without `keeps_thread` the caller settles the thread, once for all that it records.

    The event is appended before contradictions are looked for: a refusal leaves it to the rollback of the caller's
    transaction, or savepoint, to take it away again.

    Raises Invalid `event_unknown`, `payload_invalid`, `event_before_sending`, `event_in_future`; what
    contradictions.check raises; Gone `withdrawn` for the recipient's word on what was taken back.
    """
    if notification.withdrawn_at is not None:
        _check_withdrawn(type, claimed_by)
    at = occurred(occurred_at or now, precision, sent_at=notification.sent_at)
    about = notification.about if isinstance(notification, Locked) else queries.about(notification, session)
    events = events_of_notification(notification.ref, session, sealed=False)
    event = append(
        session, type=type, occurred_at=at, precision=precision, now=now, actor=actor, claimed_by=claimed_by,
        assurance=assurance, payload=payload, evidence_digest=evidence_digest, scope=scope, idempotency_key=key,
        **about,
    )  # fmt: skip
    if event is None:
        standing = event_by_key(scope or "", key or "", session)
        assert standing is not None  # noqa: S101 - the key that stopped us stands
        return standing
    contradictions.check(event, events)
    if event.type == "notification.withdrawn":
        withdraw_waiting(
            session, notification=notification.ref, kind=MAIL, now=now, actor=actor,
            reason="the notification was withdrawn",
        )  # fmt: skip
    events.append(event)
    project(session, notification, events)
    alone = isinstance(notification, Locked) and not notification.in_thread
    if keeps_thread and event.type in SPEAKING and not alone:
        keep_thread(session, notification.id, now=now)
    return event


def _check_withdrawn(type_: str, claimed_by: str) -> None:
    """The sender may still record what it learns; nothing is asked of the recipient any more."""
    if type_ == "notification.withdrawn":
        raise Invalid("event_final", "it is withdrawn already", where="type")
    if claimed_by == "recipient" and type_ != "event.corrected":
        raise Gone("withdrawn", "the sender has taken this report back; there is nothing to answer")


def _expected(
    each: Expected, *, start: dt.datetime, now: dt.datetime, actor: str, about: dict[str, Any]
) -> Event:
    due = expectations.due_at(start, each.within)
    payload = {
        "of": each.of, "within": each.within, "due_at": isoformat(due), "level": 1, "policy_version": POLICY,
    }  # fmt: skip
    return Event(
        id=new_ref(now), type="expectation.set", occurred_at=start, recorded_at=now, actor=actor,
        claimed_by="sender", assurance="S", payload=payload, **about,
    )  # fmt: skip
