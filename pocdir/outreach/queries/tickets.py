"""Which notifications a team keeps under one of its ticket numbers."""

from __future__ import annotations

from sqlalchemy import literal, select

from pocdir.accounts.queries import team_id_of
from pocdir.db import db
from pocdir.directory.models import Team
from pocdir.directory.queries.reading import whole_of
from pocdir.ledger.models import EventValue, LedgerEvent
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import Viewer, seen_by

NAME = "ticket"


def with_ticket(viewer: Viewer, ticket: str, *, team: str) -> list[str]:
    """References of the viewer's notifications to this team of which a fact names the number, oldest first.

    Two teams may have the same number: it says something only beside the team. Raises NotFound `team_unknown`.
    """
    team_id_of(db.session(), team)
    statement = (
        select(Notification.ref, Notification.id)
        .join(LedgerEvent, LedgerEvent.notification == Notification.ref)
        .join(EventValue, EventValue.event == LedgerEvent.id)
        .join(Team, Team.id == whole_of(Notification.team_id))
        .where(
            seen_by(viewer), Team.slug == team, Notification.withdrawn_at.is_(None),
            EventValue.name == NAME, EventValue.value == literal(ticket, EventValue.value.type),
        )
        .distinct()
        .order_by(Notification.id)
    )  # fmt: skip
    return [row.ref for row in db.session.execute(statement)]
