"""What a member does with a mail that came in on a notification; it is shown on the notification's own page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, flash, g, redirect, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.outreach.queries import notifications
from pocdir.outreach.replies import actions, presentation

blueprint = Blueprint("replies", __name__)


@blueprint.get("/notifications/<ref>/mail/<mail>/raw")
@guard("notification.mail")
def raw(ref: str, mail: str) -> Response:
    presentation.require_member(ref, g.principal)
    return presentation.raw_file(mail, ref)


@blueprint.post("/notifications/<ref>/mail/<mail>/answer")
@guard("notification.log")
def take_as_answer(ref: str, mail: str) -> Any:
    with transaction() as session:
        found = notifications.members_notification_to_change(ref, g.principal, session)
        actions.take_as_answer(
            session, mail=mail, notification=found, now=clock.now(), actor=g.principal.actor
        )
    flash(_("Recorded as their answer, on your word."), "success")
    return redirect(url_for("outreach.notification", ref=ref))


@blueprint.post("/notifications/<ref>/mail/<mail>/seen")
@guard("notification.log")
def seen(ref: str, mail: str) -> Any:
    with transaction() as session:
        found = notifications.members_notification_to_change(ref, g.principal, session)
        actions.see(session, mail=mail, notification=found, now=clock.now(), actor=g.principal.actor)
    flash(_("Marked as read."), "success")
    return redirect(url_for("outreach.notification", ref=ref))
