"""Incidents in the browser: the list, and the forms that open and change one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, g, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from pocdir.accounts.guards import guard
from pocdir.core import clock, rsit, tlp
from pocdir.core.errors import Refusal, Stale
from pocdir.core.refs import new_ref
from pocdir.db import transaction
from pocdir.incidents import actions, queries, schemas
from pocdir.incidents.models import Incident
from pocdir.incidents.rules.assets import AssetValue, assets_from_lines
from pocdir.incidents.rules.record import FIELDS
from pocdir.web.errors import sentence
from pocdir.web.forms import Form, differing, form, press, utc_moments
from pocdir.web.idempotency import once

blueprint = Blueprint("incidents", __name__)
MOMENTS = ("detected_from", "detected_to")
BOXES = tuple(FIELDS)


@blueprint.get("/incidents/new")
@guard("incident.write")
def new() -> str:
    return _edit(None, Form())


@blueprint.post("/incidents/new")
@guard("incident.write")
def open_new() -> Any:
    typed = form(schemas.IncidentOpening(), _without_assets(request.form))
    typed.values = {**typed.values, "assets": request.form.get("assets", "")}
    assets = typed_assets(typed)
    if typed.valid:
        try:
            with transaction() as session:
                ref = once(
                    session,
                    scope=f"form:{g.principal.workspace_id}",
                    now=clock.now(),
                    act=lambda: _open(session, typed.data, assets),
                    body=b"",
                    key=press(request.form),
                )
            return redirect(url_for("outreach.incident", ref=ref))
        except Refusal as refusal:
            typed.refuse(refusal)
    return _edit(None, typed), 422


def _open(session: Session, given: Mapping[str, Any], assets: list[AssetValue]) -> str:
    principal, now = g.principal, clock.now()
    incident = actions.open_incident(
        session, workspace_id=principal.workspace_id, now=now, actor=principal.actor, given=given,
        opened_at=given["opened_at"],
    )  # fmt: skip
    actions.add_assets(session, incident, assets, now=now)
    return incident.ref


@blueprint.get("/incidents/<ref>/edit")
@guard("incident.write")
def edit(ref: str) -> str:
    incident = queries.incident(ref, workspace_id=g.principal.workspace_id)
    return _edit(incident, Form(values=_standing(incident)))


@blueprint.post("/incidents/<ref>/edit")
@guard("incident.write")
def change(ref: str) -> Any:
    """Change it, if it still is what the form showed; else the form shows what stands now, and what was typed."""
    typed = form(schemas.IncidentForm(), utc_moments(request.form, MOMENTS))
    if typed.valid:
        revision = typed.data.pop("revision")
        try:
            with transaction() as session:
                incident = _mine(ref, session)
                actions.change_incident(
                    session,
                    incident,
                    now=clock.now(),
                    actor=g.principal.actor,
                    given=_given(typed, _standing(incident)),
                    revision=revision,
                )
            return redirect(url_for("outreach.incident", ref=ref))
        except Stale:
            incident = queries.incident(ref, workspace_id=g.principal.workspace_id)
            standing = _standing(incident)
            return _edit(incident, Form(values=standing), differing(request.form, standing, BOXES)), 409
        except Refusal as refusal:
            if refusal.where is None:
                raise
            typed.refuse(refusal)
    return _edit(queries.incident(ref, workspace_id=g.principal.workspace_id), typed), 422


@blueprint.post("/incidents/<ref>/close")
@guard("incident.write")
def close(ref: str) -> Any:
    return _set_closed(ref, True)


@blueprint.post("/incidents/<ref>/reopen")
@guard("incident.write")
def reopen(ref: str) -> Any:
    return _set_closed(ref, False)


def _set_closed(ref: str, closed: bool) -> Any:
    with transaction() as session:
        incident = _mine(ref, session)
        actions.change_incident(
            session, incident, now=clock.now(), actor=g.principal.actor, given={"closed": closed}
        )
    return redirect(url_for("outreach.incident", ref=ref))


def _mine(ref: str, session: Session) -> Incident:
    return queries.incident(ref, workspace_id=g.principal.workspace_id, session=session, lock=True)


def _edit(incident: Incident | None, typed: Form, yours: Mapping[str, str] | None = None) -> str:
    """`yours`: what was typed over an older state of the incident than the form now shows."""
    return render_template(
        "incidents/edit.html",
        incident=incident,
        form=typed,
        once=typed.values.get("once") or new_ref(clock.now()),
        yours=yours,
        classes=rsit.CLASSES,
        labels=tlp.LABELS,
    )


def _standing(incident: Incident) -> dict[str, Any]:
    """What stands now, as the form's boxes hold it."""
    values = {name: getattr(incident, column) for name, column in FIELDS.items()}
    shown = {
        name: f"{value:%Y-%m-%dT%H:%M}" if name in MOMENTS and value else value
        for name, value in values.items()
        if value is not None
    }
    return shown | {"revision": incident.revision}


def _given(typed: Form, standing: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed; a time that nobody touched keeps the seconds that its box does not show."""
    touched = differing(request.form, standing, MOMENTS)
    return {name: value for name, value in typed.data.items() if name not in MOMENTS or name in touched}


def _without_assets(typed: Mapping[str, str]) -> MultiDict[str, str]:
    kept = utc_moments(typed, (*MOMENTS, "opened_at"))
    kept.poplist("assets")
    return kept


def typed_assets(typed: Form) -> list[AssetValue]:
    """The assets of a text box, one on each line; what is wrong stands beside the box."""
    try:
        return assets_from_lines(str(typed.values.get("assets", "")))
    except Refusal as refusal:
        typed.errors.setdefault("assets", []).append(sentence(str(refusal)))
        return []
