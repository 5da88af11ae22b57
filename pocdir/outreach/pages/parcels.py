"""From a file that was split to an incident with its parcels, and a parcel's bytes for sender and recipient."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, g, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Refusal
from pocdir.db import transaction
from pocdir.incidents import actions as incident_actions
from pocdir.incidents import queries as incident_queries
from pocdir.outreach.actions import parcels as actions
from pocdir.outreach.actions import recipient
from pocdir.outreach.pages.blueprint import blueprint
from pocdir.outreach.presentation.notification import parcel_file
from pocdir.outreach.queries import parcels as queries
from pocdir.outreach.queries.snapshots import snapshot
from pocdir.routing.uploads.queries import upload

LONGEST_TITLE = 200


@blueprint.post("/incidents/from-file")
@guard("incident.write")
def incident_from_file() -> Any:
    """Keep the parcels of a split file with a new incident, or with one that is named; then the plan."""
    principal, now = g.principal, clock.now()
    settings = running.settings()
    token = request.form.get("file", "")
    found = upload(settings.data, token, workspace=principal.workspace_id)
    try:
        brought = queries.in_folder(found.result)
        with transaction() as session:
            if ref := request.form.get("incident", ""):
                incident = incident_queries.incident(
                    ref, workspace_id=principal.workspace_id, session=session, lock=True
                )
            else:
                kind = found.asked.question.get("kind_of_report") or ""
                class_, _slash, type_ = kind.partition("/")
                incident = incident_actions.open_incident(
                    session,
                    workspace_id=principal.workspace_id,
                    now=now,
                    actor=principal.actor,
                    given={
                        "title": _title(found.asked.name),
                        "rsit_class": class_ or None,
                        "rsit_type": type_ or None,
                    },
                )
            ref = incident.ref
            fresh = actions.keep(session, incident, brought, now=now, actor=principal.actor)
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        flash(_(refusal.message), "error")
        return redirect(url_for("site.file", token=token))
    flash(ngettext("%(num)s parcel attached.", "%(num)s parcels attached.", fresh), "success")
    return redirect(url_for("outreach.plan", ref=ref))


@blueprint.get("/notifications/<ref>/parcels/<parcel>")
@guard("notification.read")
def parcel(ref: str, parcel: str) -> Response:
    """A file that went with a notification, byte for byte."""
    snapshot(ref, g.principal)
    return parcel_file(queries.handed_over(parcel, ref))


@blueprint.get("/r/<token>/parcels/<parcel>")
@guard("recipient.answer")
def recipient_parcel(token: str, parcel: str) -> Response:
    """A file that went with a notification, for whoever holds the recipient's link."""
    secret = running.secret()
    row = recipient.addressed(None, token, secret=secret, now=clock.now())
    return parcel_file(queries.handed_over(parcel, row.ref))


def _title(name: str) -> str:
    typed = " ".join(request.form.get("title", "").split())
    plain = "".join(sign for sign in typed if sign.isprintable())
    return (plain or name)[:LONGEST_TITLE]
