"""Who may send from here, for stewards and admins; and trying a letter again, for its workspace."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.accounts.queries import workspace_by_slug
from pocdir.core import clock
from pocdir.core.errors import Refusal
from pocdir.db import transaction
from pocdir.outreach.sending import actions, queries, schemas
from pocdir.outreach.sending.means import means
from pocdir.outreach.sending.rules import AGAIN_FLAGS
from pocdir.outreach.sending.telling import try_again
from pocdir.web.forms import Form, form

blueprint = Blueprint("sending", __name__)


@blueprint.get("/sending")
@guard("sending.allow")
def workspaces() -> str:
    """Every workspace, and whether it may send."""
    return _workspaces(Form())


@blueprint.post("/sending")
@guard("sending.allow")
def decide() -> Any:
    """Let a workspace send, or stop it."""
    typed = form(schemas.PermissionForm(), request.form)
    action = request.form.get("action")
    if action not in ("allow", "stop"):
        typed.errors = {"form": [_("Choose what to do.")]}
    if not typed.valid:
        return _workspaces(typed), 422
    with transaction() as session:
        allowed = action == "allow"
        actions.allow(
            session, workspace_by_slug(session, typed.data["workspace"]), allowed=allowed,
            now=clock.now(), actor=g.principal.actor, note=typed.data["note"],
        )  # fmt: skip
    said = _("It may send from here now.") if allowed else _("It sends no more from here.")
    flash(said, "success")
    return redirect(url_for("sending.workspaces"))


def _workspaces(typed: Form) -> str:
    given = means()
    return render_template(
        "outreach/sending.html",
        workspaces=queries.workspaces(),
        can_send=given.can_send,
        a_day=given.a_day,
        form=typed,
    )


@blueprint.post("/notifications/<ref>/send")
@guard("notification.log")
def again(ref: str) -> Any:
    """Make the letter anew that was not sent, with the key as it is now."""
    given = {name: bool(request.form.get(name)) for name in AGAIN_FLAGS}
    try:
        with transaction() as session:
            queued = try_again(session, g.principal, ref, given, now=clock.now())
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        flash(refusal.message[:1].upper() + refusal.message[1:] + ".", "error")
    else:
        flash(_("It is in our outbox again.") if queued else _("It was not sent; why stands below."), "info")
    return redirect(url_for("outreach.notification", ref=ref))
