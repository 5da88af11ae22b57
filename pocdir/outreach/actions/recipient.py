"""What the recipient says: whoever holds the link, who may take it back within a day, or a contact of the team."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core.canonical import canonical_json, sha256
from pocdir.core.errors import Conflict, Gone, NotFound
from pocdir.directory.proposals import queries as proposals
from pocdir.directory.proposals.actions import propose
from pocdir.directory.proposals.rules import TEAM
from pocdir.directory.rules.office import Office
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.actions.notifications import record_event
from pocdir.outreach.models import Notification
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.redirects import Basis, responsibilities
from pocdir.outreach.rules.corrections import UNDONE, counting
from pocdir.outreach.rules.fold import state_of
from pocdir.outreach.rules.recipient import (
    ACTIONS,
    action,
    claimed_ref,
    may_be_automatic,
    may_undo,
    read_recipient_token,
)
from pocdir.routing.queries import index

ACTOR = "recipient"
ANSWERS = frozenset(each.event for each in ACTIONS.values())


def addressed(session: Session | None, token: str, *, secret: bytes, now: dt.datetime) -> Notification:
    """The notification of a recipient's link, locked in the session that is to change it; None: only to read.

    Raises NotFound `link_unknown`, Gone `link_expired`, `withdrawn`.
    """
    ref = claimed_ref(token)
    row = queries.notification_to_change(ref, session) if session else queries.notification_by_ref(ref)
    if row is None:
        raise NotFound("link_unknown", "this link is not one of ours, or its contact has changed since")
    version = queries.address_version(row.channel_kind, row.channel_value, session)
    read_recipient_token(
        secret,
        token,
        channel_kind=row.channel_kind,
        channel_value=row.channel_value,
        channel_version=version,
        now=now,
    )
    if row.withdrawn_at is not None:
        raise Gone("withdrawn", "the sender has taken this report back; there is nothing to answer")
    return row


def answer(
    session: Session,
    notification: Notification,
    *,
    choice: str,
    filled_in: Mapping[str, Any],
    now: dt.datetime,
    actor: str = ACTOR,
    assurance: str = "A2",
    via: str = "page",
    **about: Any,
) -> Event:
    """Record what the recipient chose; from the same `actor` a repeat is the same event, whichever way it came.

    Without one it is whoever holds the link (A2), where a mail scanner may have pressed the button; or by mail (`via`
    email) whoever has read the letter. `about`: when it was written, and the digest of what says so.

    Raises Invalid `action_unknown`, `payload_invalid`.
    """
    chosen = action(choice)
    events = events_of_notification(notification.ref, session)
    handed_over = state_of(events).first.handed_over
    payload = dict(chosen.payload) | {
        name: value for name, value in filled_in.items() if name in chosen.asks and value not in (None, "")
    }
    is_by_page = actor == ACTOR and via == "page"
    if is_by_page and may_be_automatic(now, handed_over.at if handed_over else notification.sent_at):
        payload["may_be_automatic"] = True
    return record_event(
        session,
        notification,
        type=chosen.event,
        payload=payload | {"via": via},
        now=now,
        actor=actor,
        claimed_by="recipient",
        assurance=assurance,
        scope=f"{actor}:{notification.ref}",
        key=f"{choice}:{_said(payload)}:{_taken_back(events, choice, actor)}",
        **about,
    )


def undo(session: Session, notification: Notification, *, event: str, now: dt.datetime) -> Event:
    """Take back what was said through the link. Raises NotFound `event_unknown`, Conflict `undo_too_late`."""
    said = answers_given(events_of_notification(notification.ref, session))
    named = next((each for each in said if each.id == event), None)
    if named is None:
        raise NotFound("event_unknown", "there is nothing of this to take back")
    if not may_undo(named.recorded_at, now):
        raise Conflict("undo_too_late", "it can be taken back for a day; now a reply to the mail corrects it")
    return record_event(
        session,
        notification,
        type="event.corrected",
        payload={"event": event, "why": UNDONE},
        now=now,
        actor=ACTOR,
        claimed_by="recipient",
        assurance="A2",
        scope=f"recipient:{notification.ref}",
        key=f"undo:{event}",
    )


def propose_correction(
    session: Session,
    notification: Notification,
    bases: Sequence[Basis],
    *,
    note: str | None,
    office: Office,
    now: dt.datetime,
) -> bool:
    """Ask the stewards to take these responsibilities out of the team's entry; nothing of the report goes with it.

    Whoever holds the link asks, so one steward at least looks at it. False when it is asked for already, or stands no
    more. Raises Conflict `proposals_open`.
    """
    team = queries.teams_by_id([notification.team_id], session)[notification.team_id]
    waiting = {of for each in proposals.open_of(team.id, session) for of in map(_named, each.changes)}
    asked = [of for of in responsibilities(notification, bases) if of not in waiting]
    if not asked:
        return False
    propose(
        session, slug=index().merged.get(team.slug, team.slug), wanted=dict.fromkeys(asked), by=TEAM, actor=ACTOR,
        person=None, note=note, office=office, now=now,
    )  # fmt: skip
    return True


def _named(change: Mapping[str, Any]) -> tuple[str, ...]:
    return (change["field"], *change["of"]) if change["after"] is None else ()


def answers_given(events: list[Event], actor: str = ACTOR) -> list[Event]:
    """What they have said (through the link, else this contact) and not taken back, oldest first."""
    return [each for each in counting(events) if each.actor == actor and each.type in ANSWERS]


def _said(payload: Mapping[str, Any]) -> str:
    """The same words once, other words again: a second question is not the first one repeated."""
    words = {name: value for name, value in payload.items() if name != "may_be_automatic"}
    return sha256(canonical_json(words)).hex()[:32]


def _taken_back(events: list[Event], choice: str, actor: str) -> int:
    """How often this choice was made and taken back: only then is choosing it again another event."""
    kept = {each.id for each in answers_given(events, actor)}
    of_type = ACTIONS[choice].event
    return sum(each.actor == actor and each.type == of_type and each.id not in kept for each in events)
