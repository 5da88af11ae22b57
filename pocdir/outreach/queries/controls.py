"""The controls of an incident, beside its other assets of the same address."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, aliased

from pocdir.db import table_of
from pocdir.incidents.models import Asset, Incident
from pocdir.ledger.rules.vocabulary import SENT_LEVELS
from pocdir.outreach.models import Notification
from pocdir.outreach.rules.controls import Controls

_N = table_of(Notification).c
FEW = 500  # addresses named in one statement


def controls_of(session: Session, incident: Incident, values: Collection[str] | None = None) -> Controls:
    """The incident's controls, only those among `values` where these are given."""
    control = aliased(Asset)
    of_controls = select(control.value).where(control.incident_id == incident.id, control.control)
    if values is not None and len(values) <= FEW:
        of_controls = of_controls.where(control.value.in_(values))
    statement = select(Asset.value, Asset.port, Asset.control).where(
        Asset.incident_id == incident.id, Asset.value.in_(of_controls)
    )
    found: dict[str, dict[int, bool]] = {}
    for row in session.execute(statement):
        found.setdefault(row.value, {})[row.port] = row.control
    return Controls(found)


def told_of(session: Session, incident: Incident) -> dict[str, set[int]]:
    """What the incident's notifications name, and those that follow them: by value the ports (0: none).

    Without what was taken back and was never proven to be sent.
    """
    found: dict[str, set[int]] = {}
    theirs = select(_N.id).where(_N.incident_id == incident.id).cte("theirs", recursive=True)
    theirs = theirs.union(
        select(_N.id).join(theirs, _N.parent_id == theirs.c.id).where(_N.incident_id.is_(None))
    )
    statement = select(Notification).where(
        _N.id.in_(select(theirs.c.id)), or_(_N.withdrawn_at.is_(None), _N.sent_level != SENT_LEVELS[0])
    )
    for notification in session.scalars(statement):
        for value, port in notification.told:
            found.setdefault(value, set()).add(port or 0)
    return found
