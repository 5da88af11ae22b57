"""Policies and next steps over HTTP."""

from __future__ import annotations

from typing import Any

from flask import g, url_for

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.db import db, transaction
from pocdir.outreach.escalation import presentation, queries, schemas
from pocdir.outreach.escalation.actions import policies as actions
from pocdir.outreach.escalation.deciding import (
    approve_or_stop,
    choose_policy,
    decide,
    decide_many,
    path_shown,
)
from pocdir.outreach.escalation.deciding import suggested as suggested_steps
from pocdir.routing.queries import index
from pocdir.web.api import Blueprint
from pocdir.web.paging import page

blueprint = Blueprint(
    "escalation_api", __name__, url_prefix="/api/v1", description="Next steps where no answer is recorded"
)


@blueprint.route("/policies")
@guard("policy.read")
@blueprint.response(200, schemas.PolicyPage)
def policies() -> Any:
    """The newest version of each policy of the workspace."""
    default = queries.default_of(g.principal.workspace_id)
    found = queries.policies(g.principal.workspace_id)
    return {"items": [presentation.shown_policy(each, default=default) for each in found], "next": None}


@blueprint.route("/policies", methods=["POST"])
@guard("policy.manage")
@blueprint.arguments(schemas.PolicySchema())
@blueprint.response(201, schemas.PolicyAnswer)
def add_policy(given: dict[str, Any]) -> Any:
    """Keep a policy: another version where one of this name says something else."""
    principal, now = g.principal, clock.now()
    with transaction() as session:
        kept = actions.add(
            session, given, workspace_id=principal.workspace_id, now=now, actor=principal.actor
        )
        default = queries.chosen(session, workspace_id=principal.workspace_id, incident_id=None)
        shown = presentation.shown_policy(kept, default=default)
    return shown, {"Location": url_for("escalation_api.policy", slug=shown["slug"])}


@blueprint.route("/policies/<slug>")
@guard("policy.read")
@blueprint.arguments(schemas.PolicyQuery(), location="query")
@blueprint.response(200, schemas.PolicyAnswer)
def policy(query: dict[str, Any], slug: str) -> Any:
    """One version of a policy."""
    found = queries.policy(slug, workspace_id=g.principal.workspace_id, version=query["version"])
    return presentation.shown_policy(found, default=queries.default_of(g.principal.workspace_id))


@blueprint.route("/policies/<slug>/by-itself", methods=["POST"])
@guard("notification.log")
@blueprint.arguments(schemas.PolicyApprovalSchema())
@blueprint.response(200, schemas.PolicyAnswer)
def by_itself(given: dict[str, Any], slug: str) -> Any:
    """Approve beforehand (an owner) that the steps of a version go out by themselves, or stop it (any member)."""
    with transaction() as session:
        return approve_or_stop(session, g.principal, slug, given, now=clock.now())


@blueprint.route("/policies/<slug>/timetable")
@guard("policy.read")
@blueprint.arguments(schemas.TimetableQuery(), location="query")
@blueprint.response(200, schemas.TimetableAnswer)
def timetable(query: dict[str, Any], slug: str) -> Any:
    """When each step falls due, counted from the time for which an answer was asked for."""
    found = queries.policy(slug, workspace_id=g.principal.workspace_id, version=query["version"])
    rules = queries.rules_of(found)
    there = presentation.place(index(), query["team"], rules)
    table = presentation.timetable(
        rules, query["start"] or clock.now(), there, not_before=query["not_before"]
    )
    return table | {"policy": found.slug, "version": found.version}


@blueprint.route("/policy-choices", methods=["POST"])
@guard("notification.log")
@blueprint.arguments(schemas.PolicyChoiceSchema())
@blueprint.response(201, schemas.PolicyChosen)
def choose(given: dict[str, Any]) -> Any:
    """Choose a policy: for a notification, for an incident, or (an owner) for the workspace."""
    with transaction() as session:
        chosen = choose_policy(session, g.principal, given, now=clock.now())
    ref = chosen["notification"]
    place = url_for("escalation_api.path", ref=ref) if ref else url_for("escalation_api.policies")
    return chosen, {"Location": place}


@blueprint.route("/notifications/<ref>/steps")
@guard("notification.log")
@blueprint.response(200, schemas.PathAnswer)
def path(ref: str) -> Any:
    """Where a notification stands on its path."""
    return path_shown(db.session(), g.principal, ref, known=index(), now=clock.now())


@blueprint.route("/notifications/<ref>/steps", methods=["POST"])
@guard("notification.log")
@blueprint.arguments(schemas.StepAct())
@blueprint.response(201, schemas.StepDone)
def act(given: dict[str, Any], ref: str) -> Any:
    """Decide about a step: take it (its message is logged as a notification of its own), skip, approve, or pause."""
    known, now = index(), clock.now()
    with transaction() as session:
        led_to = decide(session, g.principal, ref, given, known=known, now=now)
        shown = path_shown(session, g.principal, ref, known=known, now=now)
    place = url_for("outreach_api.notification", ref=led_to or ref)
    return shown | {"notification": led_to}, {"Location": place}


@blueprint.route("/steps")
@guard("notification.log")
@blueprint.arguments(schemas.SuggestedQuery(), location="query")
@blueprint.response(200, schemas.SuggestedPage)
def suggested(query: dict[str, Any]) -> Any:
    """The steps that are due, of all notifications of the workspace, each for a person to take; or those to come."""
    found, shown = suggested_steps(db.session(), g.principal, known=index(), now=clock.now(), **query)
    return page(found, query["limit"], lambda each: each.ref) | {"items": shown}


@blueprint.route("/steps", methods=["POST"])
@guard("notification.log")
@blueprint.arguments(schemas.ManySteps())
@blueprint.response(200, schemas.DecidedSteps)
def act_on_many(given: dict[str, Any]) -> Any:
    """Take, leave out or agree to many steps with the words prepared for each; each is done or refused by itself."""
    known, chosen = index(), [(str(each["ref"]), each["level"]) for each in given["steps"]]
    with transaction() as session:
        done = decide_many(session, g.principal, chosen, given, known=known, now=clock.now())
    return {"items": [each.as_dict() for each in done]}
