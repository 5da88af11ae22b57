"""One incident with who was told, and the plan of whom to tell."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from flask import flash, g, redirect, render_template, request, url_for
from flask_babel import ngettext

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Refusal
from pocdir.core.refs import new_ref
from pocdir.db import transaction
from pocdir.incidents import queries as incident_queries
from pocdir.ledger import queries as ledger_queries
from pocdir.outreach import presentation, schemas
from pocdir.outreach.actions import notifications as actions
from pocdir.outreach.outcome import presentation as measuring
from pocdir.outreach.outcome.queries import outcome
from pocdir.outreach.pages.blueprint import blueprint
from pocdir.outreach.queries import plans
from pocdir.outreach.queries.snapshots import of_incidents
from pocdir.web.forms import Form, form, utc_moments
from pocdir.web.paging import numbered

SHOWN_ASSETS = 200
PAGE = 50


@blueprint.get("/incidents/<ref>")
@guard("incident.read")
def incident(ref: str) -> str:
    found = incident_queries.incident(ref, workspace_id=g.principal.workspace_id)
    told = of_incidents([found.id])
    assets = incident_queries.assets(found, limit=SHOWN_ASSETS)[:SHOWN_ASSETS]
    became = outcome(found, told)
    sent = [each.row.sent_at for each in told if each.row.withdrawn_at is None]
    events = ledger_queries.events_of_incident(ref)
    by_ref = ledger_queries.events_of_notifications([each.row.ref for each in told])
    events += chain(*by_ref.values())
    shown = _asked_page(told, "told")
    return render_template(
        "incidents/incident.html",
        incident=found,
        assets=measuring.with_states(assets, became),
        asset_count=len(became.measured.ids),
        outcome=became.as_json(),
        measured=measuring.measured(became, sent),
        told=shown
        | {"rows": [measuring.with_outcome(presentation.described(each), became) for each in shown["rows"]]},
        happened=_asked_page(measuring.timeline(presentation.timeline(events, told), became), "happened"),
        counts=presentation.counted(told),
        contested=presentation.contests(by_ref),
        asset_form=Form(),
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
    """Log one notification for each chosen contact, each with its own parcel: all of them, or none."""
    typed = form(schemas.PlanForm(), utc_moments(request.form, ["sent_at"]))
    typed.values = {**typed.values, "choose": request.form.getlist("choose")}
    if not typed.valid:
        return _plan(ref, typed), 422
    now, principal = clock.now(), g.principal
    try:
        found = incident_queries.incident(ref, workspace_id=principal.workspace_id)
        planned = plans.plan_of(found, on=now.date())
        with transaction() as session:
            incident = incident_queries.incident(ref, workspace_id=principal.workspace_id, session=session)
            logged = actions.log_chosen(
                session,
                incident,
                typed.data,
                plan=planned,
                workspace_id=principal.workspace_id,
                now=now,
                actor=principal.actor,
                once=request.form.get("once", "")[:36],
            )
    except Refusal as refusal:
        if refusal.where is None:
            raise
        typed.refuse(refusal)
        return _plan(ref, typed), 422
    flash(ngettext("%(num)s notification logged.", "%(num)s notifications logged.", len(logged)), "success")
    return redirect(url_for("outreach.incident", ref=ref))


def _plan(ref: str, typed: Form | None) -> str:
    incident = incident_queries.incident(ref, workspace_id=g.principal.workspace_id)
    shown = plans.plan_of(incident, on=clock.now().date())
    told = {each.row.team_slug: each.row for each in of_incidents([incident.id]) if not each.row.withdrawn_at}
    for contact in shown["contacts"]:
        contact["told"] = told.get(contact["team"]["slug"])
    once = (typed and typed.values.get("once")) or new_ref(clock.now())
    if typed is None:
        typed = Form(values={"choose": _suggested(shown)})
    elif incident.people_at_risk and "people_at_risk" not in typed.values:  # chosen before that was known
        typed.values = {**typed.values, "choose": []}
    return render_template(
        "outreach/plan.html", incident=incident, plan=shown, form=typed, action="log", once=once
    )


def _suggested(plan: dict[str, Any]) -> list[str]:
    """Those to write to: nobody where people may be at risk, nor who was told, takes no reports, or gets a copy."""
    return [
        it["team"]["slug"]
        for it in plan["contacts"]
        if it["role"] == "to" and not it["held"] and not it["told"] and "report" not in it["declines"]
    ]


@blueprint.get("/incidents")
@guard("incident.read")
def incidents() -> str:
    """The workspace's incidents with what became of them."""
    state = request.args.get("state", "")
    rows = incident_queries.newest_incidents(
        workspace_id=g.principal.workspace_id, is_open={"open": True, "closed": False}.get(state)
    )
    listed = presentation.incident_rows(rows)
    return render_template(
        "incidents/list.html",
        state=state,
        page={"rows": listed, "first": 1, "last": len(listed), "total": None, "previous": None, "next": None},
    )
