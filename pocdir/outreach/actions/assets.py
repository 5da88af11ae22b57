"""Adding assets to an incident whose contacts may have been told already."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict
from pocdir.incidents import actions as incidents
from pocdir.incidents.models import Incident
from pocdir.incidents.queries import lock_assets
from pocdir.incidents.rules.assets import AssetValue
from pocdir.outreach.queries.controls import told_of


def add_assets(
    session: Session, incident: Incident, assets: Sequence[AssetValue], *, now: dt.datetime
) -> int:
    """Add what is not there yet; returns how many were new.

    Raises what incidents.actions.add_assets raises, Conflict `asset_told` for a control that a team was told of.
    """
    lock_assets(incident, session, to_add=True)
    controls = [each for each in assets if each.control]
    told = told_of(session, incident) if controls else {}
    for each in controls:
        ports = told.get(each.value, set())
        if ports and (not each.port or ports & {0, each.port}):
            message = (
                f"{each.value[:60]} was told to a team already and shows nothing of what happens without notice: "
                "watch others that no notification names"
            )
            raise Conflict("asset_told", message, where="control")
    return incidents.add_assets(session, incident, assets, now=now)
