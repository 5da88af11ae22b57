"""Events as API, pages and commands show them: one by one, in time, and as far as their reader may read them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from pocdir.ledger.rules.events import Event
from pocdir.outreach.queries.snapshots import Snapshot
from pocdir.outreach.rules import corrections
from pocdir.outreach.rules.posting import POSTED_BY

_OF_MAIL = ("reply.", "disposition.", "delivery.", "message.copied")


def shown_event(event: Event, *, as_contact: bool = False) -> dict[str, Any]:
    """An event as interface and pages show it: plain and not erased values together.

    A contact of the notified team does not read what the sender noted for its own workspace, nor who acted for it, nor
    from whom and about what mail came in: that its workspace alone reads.
    """
    hidden = set(event.sealed) if as_contact and event.type.startswith(_OF_MAIL) else set()
    if as_contact and event.claimed_by == "sender":
        hidden = {"note"} if event.type == "notification.logged" else set(event.sealed)
    return {
        "id": event.id,
        "type": event.type,
        "v": event.v,
        "occurred_at": event.occurred_at,
        "precision": event.precision,
        "recorded_at": event.recorded_at,
        "payload": {
            **event.payload,
            **{name: value for name, value in event.sealed.items() if name not in hidden},
        },
        "evidence_digest": event.evidence_digest,
        "claimed_by": event.claimed_by,
        "assurance": event.assurance,
        "actor": None if as_contact and event.claimed_by != "recipient" else event.actor,
        "log_index": event.log_index,
    }


def for_contact(events: Iterable[Event]) -> list[Event]:
    """The events without the sender's path: whom else it turns to is not for the notified team."""
    return [event for event in events if not event.type.startswith("escalation.")]


_FINAL = ("event.corrected", "classification.corrected", "ack.retracted", "expectation.set")
CORRECTABLE = {
    poster: frozenset(
        type_ for type_, posters in POSTED_BY.items() if poster in posters and type_ not in _FINAL
    )
    for poster in ("member", "contact")
}


def timeline_of(
    events: Sequence[Event], snapshots: Sequence[Snapshot], *, as_contact: bool = False
) -> list[dict[str, Any]]:
    """Events oldest first, each with its notification, and whether it was taken back or may be by who reads.

    `answered`, of a lapse: an answer was known when it was written down, if not all that was asked for.
    """
    own = "recipient" if as_contact else "sender"
    may_take_back = CORRECTABLE["contact" if as_contact else "member"]
    by_ref = {
        each.row.ref: {"ref": each.row.ref, "team": {"slug": each.row.team_slug, "name": each.row.team_name}}
        for each in snapshots
    }
    counting = corrections.counting(events)
    kept, answered = {event.id for event in counting}, _answered(counting)
    told, steps = [], _steps(events, snapshots)
    for event in sorted(for_contact(events) if as_contact else events, key=_in_time):
        about = by_ref.get(event.notification or "")
        told.append(
            shown_event(event, as_contact=as_contact)
            | {
                "corrected": event.id not in kept,
                "may_correct": event.id in kept and event.claimed_by == own and event.type in may_take_back,
                "notification": about,
                "step": steps.get(event.id),
                "answered": event.type == "expectation.lapsed"
                and answered.get(event.notification or "", event.recorded_at) < event.recorded_at,
            }
        )
    return told


def _answered(counting: Iterable[Event]) -> dict[str, dt.datetime]:
    """Since when it is known of each notification that somebody answered."""
    since: dict[str, dt.datetime] = {}
    for event in counting:
        if event.type.startswith(_ANSWERS):
            ref = event.notification or ""
            since[ref] = min(event.recorded_at, since.get(ref, event.recorded_at))
    return since


_ANSWERS = ("ack.given", "response.", "reply.human", "outcome.remediation_claimed")


_OF_STEP = tuple(
    f"escalation.{word}"
    for word in (
        "step_due", "step_approved", "no_working_contact", "step_skipped", "step_held", "step_taken", "exhausted",
    )
)  # fmt: skip  # of one step in the order of the path


def led_to(events: Iterable[Event]) -> list[str]:
    """The notifications that steps, or other addresses of the team, led to."""
    return [
        str(event.payload["notification"])
        for event in events
        if event.type in ("escalation.step_taken", "escalation.other_channel")
        and "notification" in event.payload
    ]


def _steps(events: Sequence[Event], snapshots: Sequence[Snapshot]) -> dict[str, dict[str, Any]]:
    """What an event says of a step, by its id: which one, whether it went out by itself, whether the next followed at
    once, and the notification that it led to."""
    rows = {each.row.ref: each.row for each in snapshots}
    of_steps = [event for event in events if event.type.startswith("escalation.")]
    due = {_step(event): event.occurred_at for event in of_steps if event.type == "escalation.step_due"}
    alone = {
        _step(event)
        for event in of_steps
        if event.type == "escalation.step_taken" and event.claimed_by == "clock"
    }
    found = {}
    for event in of_steps:
        notification, policy, level = _step(event)
        row = rows.get(str(event.payload.get("notification")))
        found[event.id] = {
            "level": level,
            "by_itself": _step(event) in alone or event.type == "escalation.other_channel",
            "followed": bool(level) and due.get((notification, policy, level + 1)) == event.occurred_at,
            "led_to": row
            and {
                "ref": row.ref,
                "kind": row.kind,
                "team": row.team_name,
                "address": row.channel_value,
            },
        }
    return found


def _step(event: Event) -> tuple[str | None, Any, int]:
    return event.notification, event.payload.get("policy"), event.payload.get("level") or 0


def _in_time(event: Event) -> tuple[Any, ...]:
    """By when it happened; of what happened at once, first what all the rest is about."""
    begins = {"incident.opened": 0, "notification.logged": 1}
    step = (event.payload.get("level", 0), _OF_STEP.index(event.type)) if event.type in _OF_STEP else (0, 0)
    return event.occurred_at, begins.get(event.type, 2), event.recorded_at, step, event.id
