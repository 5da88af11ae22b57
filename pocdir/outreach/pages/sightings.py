"""Sightings in the browser: bring a file or paste the rows, see what would be kept, then keep it."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import ngettext

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid, Refusal
from pocdir.db import transaction
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.models import Incident
from pocdir.incidents.rules.sightings import Read, Window, read, rows_of_csv, window
from pocdir.incidents.sightings import queries
from pocdir.ledger.rules.vocabulary import METHODS
from pocdir.outreach.outcome.actions import bring_sightings
from pocdir.outreach.outcome.schemas import WindowSchema
from pocdir.outreach.pages.blueprint import blueprint
from pocdir.web.files import posted, posted_back
from pocdir.web.forms import Form, form, utc_moments

LARGEST_BROUGHT = 3_000_000  # bytes; the page posts it back packed, the command line takes more
MOMENTS = ("window_from", "window_to")
_NOT_WINDOW = ("text", "upload", "file")


@blueprint.get("/incidents/<ref>/sightings")
@guard("incident.write")
def sightings(ref: str) -> str:
    return _page(incident_queries.incident(ref, workspace_id=g.principal.workspace_id), Form())


@blueprint.post("/incidents/<ref>/sightings")
@guard("incident.write")
def bring(ref: str) -> Any:
    """Show what a window would bring, with every row that is wrong; keep it once that was seen."""
    principal, now = g.principal, clock.now()
    incident = incident_queries.incident(ref, workspace_id=principal.workspace_id)
    typed = _typed()
    if not typed.valid:
        return _page(incident, typed), 422
    apply = request.form.get("action") == "apply"
    try:
        measured = window(typed.data["method"], *(typed.data[name] for name in MOMENTS), now=now)
        data = posted_back(request.form.get("upload", ""), LARGEST_BROUGHT) if apply else _brought()
        found = read(rows_of_csv(io.BytesIO(data)), measured, queries.asset_ids(incident), zone=dt.UTC)
        if not apply or found.refused:
            return _page(incident, typed, _preview(measured, found, data)), 422 if found.refused else 200
        with transaction() as session:
            incident = incident_queries.incident(
                ref, workspace_id=principal.workspace_id, session=session, lock=True
            )
            bring_sightings(session, incident, measured, found, now=now, actor=principal.actor)
    except Refusal as refusal:
        if refusal.where in ("method", *MOMENTS):
            typed.refuse(refusal)
        else:
            typed.errors.setdefault("file", []).append(str(refusal))
        return _page(incident, typed), 422
    number = len(found.assets)
    flash(ngettext("%(num)s sighting kept.", "%(num)s sightings kept.", number), "success")
    return redirect(url_for("outreach.incident", ref=ref))


def _typed() -> Form:
    given = utc_moments(request.form, MOMENTS)
    for name in _NOT_WINDOW:
        given.poplist(name)
    typed = form(WindowSchema(), given)
    typed.values = {**request.form.to_dict()}
    return typed


def _brought() -> bytes:
    upload = request.files.get("file")
    data = upload.read() if upload and upload.filename else request.form.get("text", "").encode()
    if not data.strip():
        raise Invalid(
            "csv_invalid", "choose a file, or paste the rows; value,seen_at alone: nothing was seen"
        )
    if len(data) > LARGEST_BROUGHT:
        raise Invalid("csv_invalid", "over 3 MB: `pocdir incident sightings` takes more")
    return data


def _preview(measured: Window, found: Read, data: bytes) -> dict[str, Any]:
    return {
        "method": measured.method, "begin": measured.begin, "end": measured.end, "rows": found.rows,
        "sightings": len(found.assets), "seen": len(set(found.assets)), "without_zone": found.without_zone,
        "strangers": found.strangers,
        "named": list(found.named), "refused": found.refused,
        "errors": [(where, reasons[0]) for where, reasons in found.errors.items()],
        "upload": "" if found.refused else posted(data),
    }  # fmt: skip


def _page(incident: Incident, typed: Form, preview: dict[str, Any] | None = None) -> str:
    return render_template(
        "incidents/sightings.html", incident=incident, form=typed, preview=preview, methods=METHODS
    )
