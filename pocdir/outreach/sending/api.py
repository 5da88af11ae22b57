"""Trying a letter again over HTTP."""

from __future__ import annotations

from typing import Any

from flask import g

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.outreach.presentation.notification import shown_notification
from pocdir.outreach.queries.snapshots import snapshot
from pocdir.outreach.schemas import NotificationAnswer
from pocdir.outreach.sending import schemas
from pocdir.outreach.sending.telling import try_again
from pocdir.web.api import Blueprint

blueprint = Blueprint("sending_api", __name__, url_prefix="/api/v1", description="Sent by this service")


@blueprint.route("/notifications/<ref>/send", methods=["POST"])
@guard("notification.log")
@blueprint.arguments(schemas.SendAgain())
@blueprint.response(200, NotificationAnswer)
def send_again(given: dict[str, Any], ref: str) -> Any:
    """Make the letter anew that was not sent, with the key as it is now."""
    with transaction() as session:
        try_again(session, g.principal, ref, given, now=clock.now())
        return shown_notification(snapshot(ref, g.principal, session))
