"""Steps: written down when they fall due, taken or skipped by a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict, Forbidden, Invalid
from pocdir.core.times import duration, isoformat
from pocdir.ledger.actions import append
from pocdir.ledger.rules.events import Event
from pocdir.outreach.actions.gates import yes_needed
from pocdir.outreach.actions.notifications import NewNotification, log_notification
from pocdir.outreach.actions.projection import project
from pocdir.outreach.actions.threads import is_full
from pocdir.outreach.escalation import queries
from pocdir.outreach.escalation.queries import Looked
from pocdir.outreach.escalation.rules.path import Path, Rung
from pocdir.outreach.escalation.rules.targets import Target
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import about, slug_of_team
from pocdir.outreach.rules.posting import occurred
from pocdir.routing.rules.index import Index

FULL = (
    "its thread has no room for this follow-up: leave the step out and say why, or write a report of its own"
)
_ANSWERED = ("acknowledged", "engaged")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A step's message as a person has seen it: whom it goes to, and in which words."""

    level: int
    target: Target
    body: str
    language: str
    assets: Sequence[Mapping[str, Any]]


def record_due(session: Session, notification: Notification, *, known: Index, now: dt.datetime) -> int:
    """Write down each step that fell due by now, once, dated when it did; returns how many facts were written.

    A step for which nobody is found is skipped with its reason, and the next one falls due at once.
    """
    looked = queries.look(notification, now, session)
    if looked is None:
        return 0
    record = _Record(session, notification, looked, now)
    _write_down(record, known, until=now)
    _end_by_follow_up(record)
    _remind(record)
    if record.written:
        project(session, notification, looked.events)
    looked.again(now)
    _keep(looked)
    session.flush()
    return record.written


def _write_down(record: _Record, known: Index, *, until: dt.datetime) -> None:
    """What fell due by then, each once and in its order."""
    looked = record.looked
    looked.again(until)
    while looked.path.look_at is not None and looked.path.look_at <= until:
        before = record.written
        rung = next((r for r in looked.path.rungs if r.state in ("ahead", "due") and not r.recorded), None)
        if rung is None:
            assert looked.path.ends_at is not None  # noqa: S101 - what else would there be to look at
            record.add("escalation.exhausted", looked.path.ends_at, looked.path.rungs[-1])
        else:
            _fall_due(record, rung, known)
        looked.again(until)
        if record.written == before:  # it stands already: a clock that goes nowhere holds up no other
            break


class _Record:
    """What the clock writes about one notification; the same fact is written once, whoever works."""

    def __init__(
        self, session: Session, notification: Notification, looked: Looked, now: dt.datetime
    ) -> None:
        self.session, self.notification, self.looked, self.now = session, notification, looked, now
        self.written = 0
        self.about = about(notification, session)

    def add(self, type_: str, at: dt.datetime, rung: Rung, **more: Any) -> None:
        policy = self.looked.row.policy.ref
        payload = {"policy": policy, "step": rung.step.number, "level": rung.level, **more}
        self.append(
            type_, at, payload, f"{type_}:{self.notification.ref}:{policy}:{rung.level}:{isoformat(at)}"
        )

    def append(
        self, type_: str, at: dt.datetime, payload: Mapping[str, Any], key: str, claimed_by: str = "clock"
    ) -> None:
        event = append(
            self.session, type=type_, occurred_at=at, now=self.now, actor="service", claimed_by=claimed_by,
            payload=payload, scope="clock", idempotency_key=key, **self.about,
        )  # fmt: skip
        if event is not None:
            self.looked.events.append(event)
            self.written += 1


def _fall_due(record: _Record, rung: Rung, known: Index) -> None:
    found = queries.target(record.notification, rung.step.target, known, record.now.date(), record.session)
    to = found.team if isinstance(found, Target) else None
    record.add("escalation.step_due", rung.due_at, rung, target=rung.step.target, to=to)
    if isinstance(found, str):
        if found == "no_contact":
            record.add("escalation.no_working_contact", rung.due_at, rung)
        record.add("escalation.step_skipped", rung.due_at, rung, reason=found)


def _end_by_follow_up(record: _Record) -> None:
    """Somebody whom a step wrote to has answered: that ends the path, and the record says so."""
    looked, answered_at = record.looked, record.looked.followed.answered_at
    if answered_at is None or looked.state.acknowledgements:
        return
    rung = next((r for r in looked.path.rungs if r.state in ("ahead", "due")), None)
    if rung is not None:
        at = max(answered_at, record.notification.sent_at)
        record.add("escalation.step_skipped", at, rung, reason="answered")


def _remind(record: _Record) -> None:
    """After an answer without an outcome one clock reminds the sender; it never climbs the path."""
    looked, within = record.looked, record.looked.policy.outcome_within
    state = looked.state
    if within is None or state.response not in _ANSWERED or state.outcome != "unknown":
        return
    if any(each.of == "remediation" for each in state.expectations):
        return
    at = max(state.acknowledgements[0].at, record.notification.sent_at)
    payload = {
        "of": "remediation", "within": within, "due_at": isoformat(at + duration(within)), "level": 1,
    }  # fmt: skip
    key = f"outcome:{record.notification.ref}:{looked.row.policy.ref}"
    record.append("expectation.set", at, payload, key, claimed_by="service")


def _keep(looked: Looked) -> None:
    """What lists show of the path, and when to look again."""
    row, path = looked.row, looked.path
    row.state, row.look_at, row.failing_since = path.state, path.look_at, None
    row.level = path.next.level if path.next else None
    row.due_at = path.next.due_at if path.next else None


def take(
    session: Session,
    notification: Notification,
    prepared: Prepared,
    *,
    now: dt.datetime,
    actor: str,
    by_owner: bool,
    people_at_risk: bool,
    known: Index | None = None,
    at: dt.datetime | None = None,
    by_clock: bool = False,
    is_sent: bool = False,
) -> str:
    """Log the message of a step, with the notification as its parent; returns the reference of the new one.

    `by_clock`: no person decides on it now, its policy was approved beforehand; `is_sent`: by this service.
    `people_at_risk`: it is known that the incident says so. A step that was taken already gives what it led to.
    One that was taken before it is recorded here says when (`at`): by the directory as `known`, what had fallen due
    until then is written down first.
    Raises Conflict `people_at_risk`, Forbidden `owner_needed`, Invalid `thread_full`, `sent_in_future`,
    `event_before_sending`, and what `to_decide` raises.
    """
    if at is not None:
        occurred(at, "exact", sent_at=notification.sent_at)
    looked, rung, standing = to_decide(session, notification, prepared.level, now)
    if standing is not None:
        return standing
    incident = notification.incident
    if rung.step.approval and not by_owner and not _agreed(looked, rung, prepared.target.team):
        raise Forbidden("owner_needed", "this step needs the yes of an owner of the workspace")
    if notification.people_at_risk and not people_at_risk:
        raise yes_needed()
    if at is not None and known is not None:
        _write_down(_Record(session, notification, looked, now), known, until=at)
    own = prepared.target.team == slug_of_team(notification.team_id, session)
    if own and is_full(session, notification):
        raise Invalid("thread_full", FULL, where="level")
    new = NewNotification(
        team=prepared.target.team, channel=(prepared.target.kind, prepared.target.value), sent_at=at,
        kind="follow_up" if own else "referral", subject=notification.subject, body=prepared.body,
        language=prepared.language, tlp=notification.label, assets=prepared.assets, is_step=True,
        encrypted=is_sent or None,
    )  # fmt: skip
    ref = log_notification(
        session, new, workspace_id=notification.workspace_id, now=now, actor=actor, incident=incident,
        parent=notification,
    )  # fmt: skip
    _decide(
        session, notification, looked, rung, "escalation.step_taken", now=now, actor=actor, at=at,
        payload={
            "target": rung.step.target, "content": rung.step.content, "notification": ref,
            "to": prepared.target.team,
        },
        by_clock=by_clock,
    )  # fmt: skip
    return ref


def hold(
    session: Session,
    notification: Notification,
    looked: Looked,
    rung: Rung,
    *,
    reason: str,
    to: str | None,
    now: dt.datetime,
) -> int:
    """Write down, once, why a step did not go out by itself: it stays a suggestion. Returns how many facts."""
    record = _Record(session, notification, looked, now)
    payload = {
        "policy": looked.row.policy.ref, "step": rung.step.number, "level": rung.level, "reason": reason, "to": to,
    }  # fmt: skip
    record.append(
        "escalation.step_held", now, payload, _once("escalation.step_held", notification, looked, rung)
    )
    return record.written


def approve(
    session: Session,
    notification: Notification,
    prepared: Prepared,
    *,
    now: dt.datetime,
    actor: str,
    by_owner: bool,
) -> None:
    """An owner's yes to a step and to whom it goes: whoever is in the workspace may take it then; twice is once.

    Raises Forbidden `owner_needed`, and what `to_decide` raises.
    """
    if not by_owner:
        raise Forbidden("owner_needed", "this step needs the yes of an owner of the workspace")
    looked, rung, standing = to_decide(session, notification, prepared.level, now)
    if standing is None and not _agreed(looked, rung, prepared.target.team):
        _decide(
            session, notification, looked, rung, "escalation.step_approved", now=now, actor=actor,
            payload={"to": prepared.target.team},
        )  # fmt: skip


def _agreed(looked: Looked, rung: Rung, to: str) -> bool:
    """Whether an owner has agreed that this step goes to this team; where the directory now says another, not."""
    return rung.approved and any(
        event.type == "escalation.step_approved" and event.payload.get("level") == rung.level
        and event.payload.get("policy") == looked.row.policy.ref and event.sealed.get("to") == to
        for event in looked.events
    )  # fmt: skip


def skip(
    session: Session,
    notification: Notification,
    level: int,
    *,
    note: str,
    now: dt.datetime,
    actor: str,
    at: dt.datetime | None = None,
) -> None:
    """Leave a step out, and say why. Raises as `to_decide` and `occurred`; skipping twice is once."""
    if at is not None:
        occurred(at, "exact", sent_at=notification.sent_at)
    looked, rung, _ = to_decide(session, notification, level, now, skipping=True)
    if rung.state == "skipped":
        return
    _decide(
        session, notification, looked, rung, "escalation.step_skipped", now=now, actor=actor, at=at,
        payload={"reason": "other", "note": note},
    )  # fmt: skip


def to_decide(
    session: Session, notification: Notification, level: int, now: dt.datetime, *, skipping: bool = False
) -> tuple[Looked, Rung, str | None]:
    """The level as a person may decide on it, and the notification it led to if it was taken.

    Raises Conflict `no_policy`, `step_not_open`, `embargo`, `answered_already`, `withdrawn_already`,
    `steps_paused`.
    """
    looked = queries.look(notification, now, session)
    if looked is None:
        raise Conflict("no_policy", "no policy was chosen for this notification", where="level")
    rung = next((each for each in looked.path.rungs if each.level == level), None)
    if rung is not None and rung.state == "taken" and not skipping:
        return looked, rung, _led_to(looked.events, looked.row.policy.ref, level)
    if rung is not None and rung.state == "skipped" and skipping:
        return looked, rung, None
    _require_walking(looked.path, notification)
    if rung is None or rung not in looked.path.open:
        raise not_open()
    not_before = looked.row.not_before
    if not skipping and not_before is not None and now < not_before:
        message = f"no step before {isoformat(not_before)}, as was chosen for this notification"
        raise Conflict("embargo", message, where="level")
    return looked, rung, None


def not_open() -> Conflict:
    """Why nothing is decided about a step: it was, or its turn has not come."""
    return Conflict("step_not_open", "this step is decided already, or is not the next one", where="level")


def _require_walking(path: Path, notification: Notification) -> None:
    if path.state == "answered":
        raise Conflict("answered_already", "a person has answered: there is no next step", where="level")
    if notification.withdrawn_at is not None:
        raise Conflict("withdrawn_already", "it was withdrawn: there is no next step", where="level")
    if path.state == "paused":
        raise Conflict("steps_paused", "the clock is paused; resume it first", where="level")


def _led_to(events: Sequence[Event], policy: str, level: int) -> str:
    for event in events:
        payload = event.payload
        if event.type == "escalation.step_taken" and (payload.get("policy"), payload.get("level")) == (
            policy,
            level,
        ):
            return str(payload["notification"])
    raise LookupError("a step was taken by an event that is not there")


def _decide(
    session: Session,
    notification: Notification,
    looked: Looked,
    rung: Rung,
    type_: str,
    *,
    now: dt.datetime,
    actor: str,
    payload: Mapping[str, Any],
    at: dt.datetime | None = None,
    by_clock: bool = False,
) -> None:
    whose: dict[str, Any] = {"claimed_by": "sender", "assurance": "S"}
    if by_clock:
        key = _once(type_, notification, looked, rung)
        whose = {"claimed_by": "clock", "scope": "clock", "idempotency_key": key}
    event = append(
        session, type=type_, occurred_at=at, now=now, actor=actor, **whose, **about(notification, session),
        payload={"policy": looked.row.policy.ref, "step": rung.step.number, "level": rung.level, **payload},
    )  # fmt: skip
    if event is None:  # another worker was faster
        raise not_open()
    looked.events.append(event)
    project(session, notification, looked.events)
    looked.again(now)
    _keep(looked)
    session.flush()


def _once(type_: str, notification: Notification, looked: Looked, rung: Rung) -> str:
    """What the clock decides about a level it decides once, whoever works."""
    return f"{type_}:{notification.ref}:{looked.row.policy.ref}:{rung.level}:{isoformat(rung.due_at)}"
