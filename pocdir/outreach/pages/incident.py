"""One incident with who was told, and the plan of whom to tell."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy.orm import Session

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Conflict, Refusal
from pocdir.core.refs import new_ref
from pocdir.db import transaction
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.models import Incident
from pocdir.incidents.pages import typed_assets
from pocdir.ledger import queries as ledger_queries
from pocdir.outreach import campaigns, schemas
from pocdir.outreach.actions import assets as asset_actions
from pocdir.outreach.outcome import presentation as measuring
from pocdir.outreach.outcome.queries import outcome
from pocdir.outreach.pages.blueprint import blueprint
from pocdir.outreach.presentation.contests import contested_of
from pocdir.outreach.presentation.lists import counted, incident_rows
from pocdir.outreach.presentation.notification import described
from pocdir.outreach.presentation.plan import shown_plan
from pocdir.outreach.queries.plans import plan_of
from pocdir.outreach.queries.snapshots import of_incidents
from pocdir.outreach.rules.plan import Choices, Plan
from pocdir.outreach.sending.queries import keys_for
from pocdir.outreach.sending.telling import is_offered
from pocdir.web import filters
from pocdir.web.forms import Form, form, utc_moments
from pocdir.web.paging import numbered

SHOWN_ASSETS = 200
PAGE = 50


@blueprint.get("/incidents/<ref>")
@guard("incident.read")
def incident(ref: str) -> str:
    return _incident(ref, Form())


@blueprint.post("/incidents/<ref>/assets")
@guard("incident.write")
def add_assets(ref: str) -> Any:
    typed = Form(values=request.form)
    assets = [replace(each, control=bool(request.form.get("control"))) for each in typed_assets(typed)]
    if not typed.valid:
        return _incident(ref, typed), 422
    try:
        with transaction() as session:
            found = incident_queries.incident(ref, workspace_id=g.principal.workspace_id, session=session)
            added = asset_actions.add_assets(session, found, assets, now=clock.now())
    except Conflict as refusal:
        if refusal.where is None:
            raise
        typed.refuse(refusal)
        return _incident(ref, typed), refusal.status
    flash(_("%(count)s added.", count=added), "success")
    return redirect(url_for("outreach.incident", ref=ref))


def _incident(ref: str, asset_form: Form) -> str:
    found = incident_queries.incident(ref, workspace_id=g.principal.workspace_id)
    told = of_incidents([found.id])
    assets = incident_queries.assets(found, limit=SHOWN_ASSETS)[:SHOWN_ASSETS]
    became = outcome(found, told)
    sent = [each.row.sent_at for each in told if each.row.withdrawn_at is None]
    by_ref = ledger_queries.events_of_notifications([each.row.ref for each in told])
    shown = _asked_page(told, "told")
    contested = contested_of(shown["rows"])
    return render_template(
        "incidents/incident.html",
        incident=found,
        assets=measuring.with_states(assets, became),
        asset_count=len(became.measured.ids),
        outcome=became.as_json(),
        measured=measuring.measured(became, sent),
        told=shown
        | {
            "rows": [
                measuring.with_outcome(described(each, sent={}, contested=contested), became)
                for each in shown["rows"]
            ]
        },
        happened=_asked_page(measuring.happened(ref, told, by_ref, became), "happened"),
        counts=counted(told),
        asset_form=asset_form,
        may_reopen=True,
    )


def _asked_page(rows: Sequence[Any], name: str) -> dict[str, Any]:
    return numbered(rows, request.args.get(name, 0, type=int), PAGE)


@blueprint.get("/incidents/<ref>/plan")
@guard("incident.read")
def plan(ref: str) -> str:
    return _plan(ref, None)


@blueprint.post("/incidents/<ref>/plan")
@guard("notification.log")
def log_plan(ref: str) -> Any:
    """Show the letters of the chosen contacts, or log a notification for each of them: all, or none."""
    typed = form(schemas.PlanForm(), utc_moments(request.form, ["sent_at"]))
    typed.values = {**typed.values, "choose": request.form.getlist("choose")}
    if not typed.valid:
        return _plan(ref, typed), 422
    now, principal = clock.now(), g.principal
    shown: list[dict[str, Any]] = []
    logged: list[str] = []
    try:
        found = incident_queries.incident(ref, workspace_id=principal.workspace_id)
        planned, chosen = plan_of(found, on=now.date()), Choices(**typed.data)
        with transaction() as session:
            incident = incident_queries.incident(ref, workspace_id=principal.workspace_id, session=session)
            if request.form.get("action") == "preview":
                shown = campaigns.letters(
                    session, incident, chosen, plan=planned, principal=principal, now=now
                )
            else:
                logged = _log(session, incident, chosen, planned, now)
    except Refusal as refusal:
        if refusal.where is None:
            raise
        typed.refuse(refusal)
        return _plan(ref, typed), 422
    if shown:
        return _plan(ref, typed, shown)
    flash(ngettext("%(num)s notification logged.", "%(num)s notifications logged.", len(logged)), "success")
    return redirect(url_for("outreach.incident", ref=ref))


def _log(session: Session, incident: Incident, chosen: Choices, planned: Plan, now: dt.datetime) -> list[str]:
    return campaigns.tell(
        session, incident, chosen, plan=planned, workspace_id=g.principal.workspace_id, now=now,
        actor=g.principal.actor, once=request.form.get("once", "")[:36],
    )  # fmt: skip


def _plan(ref: str, typed: Form | None, letters: Sequence[Mapping[str, Any]] = ()) -> str:
    incident = incident_queries.incident(ref, workspace_id=g.principal.workspace_id)
    found, told = plan_of(incident, on=clock.now().date()), campaigns.told_already(incident)
    by_team = {each["team"]: each for each in letters}
    shown = shown_plan(found)
    may_send = is_offered(g.principal.workspace_id)
    by_mail = [
        (it.slug, it.channel.value) for it in found.contacts if it.channel and it.channel.kind == "email"
    ]
    pinned = keys_for(by_mail, clock.now()) if may_send else {}
    keys = {slug: key for (slug, _address), key in pinned.items()}
    shown["contacts"] = [
        contact
        | {"told": told.get(each.slug), "letter": by_team.get(each.slug), "by_mail": each.slug in keys}
        | {"key": keys.get(each.slug)}
        for each, contact in zip(found.contacts, shown["contacts"], strict=True)
    ]
    once = (typed and typed.values.get("once")) or new_ref(clock.now())
    if typed is None:
        typed = Form(values={"choose": campaigns.suggested(found, told)})
    elif incident.people_at_risk and "people_at_risk" not in typed.values:  # chosen before that was known
        typed.values = {**typed.values, "choose": []}
    return render_template(
        "outreach/plan.html", incident=incident, plan=shown, form=typed, action="log", once=once,
        letters=len(by_team), may_send=may_send,
        only_here=running.settings().is_only_here,
    )  # fmt: skip


@blueprint.get("/incidents")
@guard("incident.read")
def incidents() -> str:
    """The workspace's incidents with what became of them."""
    filters.only("state")
    state = filters.chosen("state", ("open", "closed"))
    rows = incident_queries.newest_incidents(
        workspace_id=g.principal.workspace_id, is_open={"open": True, "closed": False}.get(state)
    )
    listed = incident_rows(rows)
    return render_template(
        "incidents/list.html",
        state=state,
        page={"rows": listed, "first": 1, "last": len(listed), "total": None, "previous": None, "next": None},
    )
