"""What stands between a notification and its record, at whichever door it comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from pocdir.incidents.models import Incident
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.controls import controls_of, incident_of
from pocdir.outreach.rules.controls import require_untold


def require_no_control(
    session: Session,
    assets: Sequence[Mapping[str, Any]],
    *,
    incident: Incident | None,
    parent: Notification | None = None,
) -> None:
    """A control is told to nobody, but what the notification that is followed named already is told.

    Raises Conflict `control_told`.
    """
    followed = incident_of(parent)
    about = incident or followed
    if about is None or not assets:
        return
    told = parent.told if parent is not None and followed is about else ()
    require_untold(controls_of(session, about, {each["value"] for each in assets}), assets, told=told)
