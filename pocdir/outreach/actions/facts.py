"""A fact as a person says it, at every door: page, many rows, API and command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from pocdir.ledger.queries import event_by_key, events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.actions.notifications import record_event
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import Locked
from pocdir.outreach.rules import met


def record_fact(
    session: Session,
    notification: Notification | Locked,
    *,
    type: str,
    payload: Mapping[str, Any],
    scope: str | None = None,
    key: str | None = None,
    **given: Any,
) -> Event:
    """What record_event does. That something was `met`, without saying what, ends every sample that is still asked for,
    each by an event of its own; the first has the key and is returned.

    `given` as record_event takes it. Raises what record_event raises, Conflict `no_sample_asked`.
    """
    said, *more = [payload]
    if met.is_unnamed(type, payload):
        if scope and key and (standing := event_by_key(scope, key, session)) is not None:
            return standing
        said, *more = met.named(payload, events_of_notification(notification.ref, session, sealed=False))
    event = record_event(session, notification, type=type, payload=said, scope=scope, key=key, **given)
    for each in more:
        record_event(session, notification, type=type, payload=each, **given)
    return event
