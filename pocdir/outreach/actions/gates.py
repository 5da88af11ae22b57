"""What stands between a notification and its record, at whichever door it comes in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict
from pocdir.incidents.models import Incident
from pocdir.incidents.queries import lock_assets
from pocdir.ledger.rules.events import CLOCK_SKEW
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.controls import controls_of
from pocdir.outreach.rules.controls import require_untold


def require_no_control(
    session: Session,
    assets: Sequence[Mapping[str, Any]],
    *,
    incident: Incident | None,
    parent: Notification | None = None,
) -> None:
    """A control is told to nobody, but what the notification that is followed named already is told.

    No control is added to the incident until the transaction ends. Raises Conflict `control_told`.
    """
    followed = parent.case if parent else None
    about = incident or followed
    if about is None or not assets:
        return
    lock_assets(about, session, to_add=False)
    told = parent.told if parent is not None and followed is about else ()
    require_untold(controls_of(session, about, {each["value"] for each in assets}), assets, told=told)


def require_yes(
    incident: Incident | None, parent: Notification | None, given: Mapping[str, Any], *, now: dt.datetime
) -> None:
    """Where people may be at risk nothing is logged, and no letter handed out, before a yes to this contact.

    What was told more than five minutes ago cannot be undone, and is logged without. `given` has `sent_at` and
    `people_at_risk`. Raises Conflict `people_at_risk`.
    """
    sent_at = given["sent_at"]
    if sent_at is not None and sent_at < now - CLOCK_SKEW:
        return
    about = incident or (parent.case if parent else None)
    if about is not None and about.people_at_risk and not given["people_at_risk"]:
        raise yes_needed()


def yes_needed() -> Conflict:
    """Why a contact is not told before a person has said yes to it."""
    message = "people may be at risk: say that you know, and that this contact shall be told"
    return Conflict("people_at_risk", message, where="people_at_risk")
