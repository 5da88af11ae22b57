"""What lets letters go out by themselves, made anew from its events."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from pocdir.outreach.desk.models import Consent
from pocdir.outreach.escalation.models import OtherChannel
from pocdir.outreach.queries.granted import ALLOWED, Unlike, decided, unlike


def rebuild(session: Session, found: Unlike) -> None:
    """Bring one row in line with the last event that speaks of it; without one it goes. No fact is recorded.

    What was decided since it was found unlike stands.
    """
    kept: Any = session.get(found.table, found.key, with_for_update=True)
    again = (each for each in unlike() if (each.table, each.key) == (found.table, found.key))
    found_again = next(again, None)
    if found_again is None:
        return
    event = found_again.event
    if event is None:
        if kept is not None:
            session.delete(kept)
            session.flush()
        return
    if found.table is OtherChannel:
        kept = kept or OtherChannel(notification_id=found.key)
        kept.led_to, kept.reason = decided(event)
        kept.decided_at = event.recorded_at
    elif found.table is Consent:
        kept = kept or Consent(team_id=found.key)
        kept.takes, kept.chosen_at, kept.chosen_by = event.payload["takes"], event.recorded_at, event.actor
    else:
        kept = kept or found.table(workspace_id=found.key)
        kept.allowed, kept.decided_at, kept.decided_by = event.type == ALLOWED, event.recorded_at, event.actor
    session.add(kept)
    session.flush()
