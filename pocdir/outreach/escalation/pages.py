"""Policies and next steps in the browser."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Conflict, Refusal
from pocdir.core.refs import is_ref
from pocdir.db import db, transaction
from pocdir.incidents import queries as incident_queries
from pocdir.outreach.actions.threads import is_full
from pocdir.outreach.escalation import presentation, queries, schemas
from pocdir.outreach.escalation.actions import policies as actions
from pocdir.outreach.escalation.actions.steps import Prepared
from pocdir.outreach.escalation.deciding import (
    approve_or_stop,
    choose_policy,
    decide,
    decide_many,
    own,
    shown_with_outlook,
)
from pocdir.outreach.escalation.deciding import suggested as suggested_steps
from pocdir.outreach.escalation.rules.policy import policy as rules_from
from pocdir.outreach.presentation.notification import described
from pocdir.outreach.queries.snapshots import snapshot, some
from pocdir.outreach.sending.rules import SEND_FLAGS
from pocdir.outreach.sending.telling import is_offered
from pocdir.routing.queries import index
from pocdir.web import filters
from pocdir.web.errors import sentence
from pocdir.web.forms import Form, form, utc_moments
from pocdir.web.paging import page

blueprint = Blueprint("escalation", __name__)
blueprint.add_app_template_global(presentation.why_held)

MOST_VERSIONS = 1_000_000  # no number beyond is looked up
MOST_INCIDENTS = 100  # of the newest, to choose from
ROWS, SHOWN = 6, 3  # of the form, and of them at first; a file may have more steps


@blueprint.get("/policies")
@guard("policy.read")
def policies() -> str:
    return _policies(Form())


@blueprint.post("/policies")
@guard("policy.manage")
def add_policy() -> Any:
    """Keep what was typed, or show when its steps would fall due."""
    typed = form(schemas.PolicyForm(), utc_moments(request.form, ["example_start"]))
    if not typed.valid:
        return _policies(typed), 422
    principal, now = g.principal, clock.now()
    try:
        if request.form.get("action") == "try":
            rules = rules_from(typed.data)
            there = presentation.place(index(), typed.data["example_team"], rules)
            start = typed.data["example_start"] or now
            return _policies(typed, presentation.timetable(rules, start, there))
        with transaction() as session:
            kept = actions.add(
                session, typed.data, workspace_id=principal.workspace_id, now=now, actor=principal.actor
            )
            slug = kept.slug
    except Refusal as refusal:
        if refusal.where == "team":
            refusal.where = "example_team"
        typed.refuse(refusal)
        if refusal.where == "example_team":  # far down: said at the top too
            typed.errors["form"] = typed.errors["example_team"]
        return _policies(typed), 422
    flash(_("Kept. What was kept before stays as it was, for what follows it."), "success")
    return redirect(url_for("escalation.policy", slug=slug))


def _policies(typed: Form, timetable: dict[str, Any] | None = None) -> str:
    if "steps" in typed.errors:  # of all together: said beside the first
        typed.errors.setdefault("steps.0.target", []).extend(typed.errors.pop("steps"))
    workspace_id = g.principal.workspace_id
    default = queries.default_of(workspace_id)
    found = queries.policies(workspace_id)
    incidents = incident_queries.incidents(workspace_id=workspace_id, limit=MOST_INCIDENTS, is_open=True)
    return render_template(
        "outreach/policies.html",
        policies=[presentation.shown_policy(each, default=default) for each in found],
        incidents=[(incident.ref, incident.title) for incident in incidents],
        may_manage=g.principal.may("policy.manage"),
        form=typed,
        timetable=timetable,
        rows=ROWS,
        shown=SHOWN,
    )


@blueprint.get("/policies/<slug>")
@guard("policy.read")
def policy(slug: str) -> str:
    """One policy with an example of its times; a team or start that cannot be read is left out."""
    workspace_id = g.principal.workspace_id
    row = queries.policy(slug, workspace_id=workspace_id, version=_version())
    asked = form(schemas.TimetableQuery(), utc_moments(request.args, ["start"]))
    rules = queries.rules_of(row)
    team, start = asked.data.get("team"), asked.data.get("start") or clock.now()
    try:
        there = presentation.place(index(), team, rules)
    except Refusal as refusal:
        asked.refuse(refusal)
        there = presentation.place(index(), None, rules)
    return render_template(
        "outreach/policy.html",
        policy=presentation.shown_policy(row, default=queries.default_of(workspace_id)),
        versions=[each.version for each in queries.versions(slug, workspace_id=workspace_id)],
        timetable=presentation.timetable(rules, start, there),
        may_manage=g.principal.may("policy.manage"),
        form=asked,
    )


@blueprint.post("/policies/<slug>/by-itself")
@guard("notification.log")
def by_itself(slug: str) -> Any:
    """Approve a version beforehand, or stop what goes out by itself."""
    wanted, version = request.form.get("by_itself") == "yes", request.form.get("version", type=int)
    if version is not None and not 0 < version < MOST_VERSIONS:
        version = None
    with transaction() as session:
        given = {"by_itself": wanted, "version": version}
        approve_or_stop(session, g.principal, slug, given, now=clock.now())
    if wanted:
        flash(_("Approved for what falls due from now on."), "success")
    else:
        flash(_("Stopped. Every step waits for a person again."), "success")
    return redirect(url_for("escalation.policy", slug=slug, version=version))


@blueprint.post("/policies/default")
@guard("policy.manage")
def choose_default() -> Any:
    given = {
        "policy": request.form.get("policy") or None, "incident": request.form.get("incident") or None,
        "notification": None, "not_before": None,
    }  # fmt: skip
    with transaction() as session:
        choose_policy(session, g.principal, given, now=clock.now())
    flash(_("Chosen for what is logged from now on."), "success")
    return redirect(url_for("escalation.policies"))


@blueprint.get("/steps")
@guard("notification.log")
def suggested() -> str:
    """What is suggested for all notifications of the workspace."""
    return _suggested(Form())


def _suggested(typed: Form) -> str:
    filters.only("after", "waiting", "ahead")
    now, cursor = clock.now(), request.args.get("after", "")
    waiting, ahead = request.args.get("waiting") == "owner" or None, request.args.get("ahead") == "yes"
    found, shown = suggested_steps(
        db.session(), g.principal, known=index(), now=now, limit=schemas.MOST_AT_ONCE,
        cursor=cursor if is_ref(cursor) else None, waiting=waiting, ahead=ahead,
    )  # fmt: skip
    listed = page(found, schemas.MOST_AT_ONCE, lambda each: each.ref)
    return render_template(
        "outreach/suggested.html",
        steps=shown,
        ahead=ahead,
        next=listed["next"],
        waiting=waiting,
        by_owner=g.principal.role == "owner",
        may_send=is_offered(g.principal.workspace_id),
        form=typed,
    )


@blueprint.post("/steps")
@guard("notification.log")
def act_on_many() -> Any:
    """Take (or leave out) the one whose button was pressed, else those that were ticked."""
    action, note = request.form.get("action", ""), request.form.get("note", "").strip()
    only = request.form.get("only")
    chosen = [
        (ref, int(level))
        for ref, _colon, level in (
            it.partition(":") for it in ([only] if only else request.form.getlist("choose"))
        )
        if is_ref(ref) and level.isascii() and level.isdigit() and len(level) < 4
    ]
    action = "take" if only else action
    if action not in schemas.OF_MANY or not 1 <= len(chosen) <= schemas.MOST_AT_ONCE:
        said = _("Choose at least one step, at most %(most)s, and what to do.", most=schemas.MOST_AT_ONCE)
        return _suggested(Form(values=request.form, errors={"form": [said]})), 422
    known = index()
    with transaction() as session:
        given: dict[str, Any] = {"action": action, "note": note or None}
        given |= {name: bool(request.form.get(name)) for name in SEND_FLAGS}
        done = decide_many(session, g.principal, chosen, given, known=known, now=clock.now())
    told = {each.row.ref: each.row.team_name for each in some(g.principal, [it.ref for it in done])}
    sent = [name for name in SEND_FLAGS if given[name]]
    return render_template(
        "outreach/suggested_done.html", done=done, told=told, action=action, given=sent, form=Form()
    )


@blueprint.get("/notifications/<ref>/steps")
@guard("notification.log")
def steps(ref: str) -> str:
    return _steps(ref, Form())


@blueprint.post("/notifications/<ref>/steps")
@guard("notification.log")
def act(ref: str) -> Any:
    """Take the step, leave it out, pause, go on, or choose another policy."""
    action, now = request.form.get("action", ""), clock.now()
    if action == "follow":
        return _follow(ref)
    typed = form(schemas.StepForm(), request.form)
    if action not in schemas.ACTIONS:
        typed.errors = {"form": [_("Choose what to do.")]}
    if not typed.valid:
        return _steps(ref, typed), 422
    known = index()
    try:
        with transaction() as session:
            led_to = decide(session, g.principal, ref, typed.data | {"action": action}, known=known, now=now)
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        if refusal.where in schemas.StepForm().fields and refusal.where != "level":
            typed.refuse(refusal)
        else:  # it has no box of its own
            typed.errors.setdefault("form", []).append(sentence(_(refusal.message)))
        return _steps(ref, typed), refusal.status
    if led_to:
        said = _("Recorded. How its letter stands is below.") if typed.data["send"] else None
        flash(said or _("Logged. The letter to copy is below."), "success")
        return redirect(url_for("outreach.notification", ref=led_to))
    flash(_done(action), "success")
    return redirect(url_for("outreach.notification", ref=ref))


def _done(action: str) -> str:
    return {
        "skip": _("Left out. The next step follows."),
        "approve": _("Agreed. Whoever is in the workspace may take it now."),
        "pause": _("Paused."),
        "resume": _("It goes on."),
    }[action]


def _follow(ref: str) -> Any:
    typed = form(schemas.FollowForm(), utc_moments(request.form, ["not_before"]))
    if not typed.valid:
        return _steps(ref, typed), 422
    given = typed.data | {"incident": None, "notification": ref}
    try:
        with transaction() as session:
            choose_policy(session, g.principal, given, now=clock.now())
    except Refusal as refusal:
        if refusal.code == "notification_unknown":
            raise
        typed.refuse(refusal)
        return _steps(ref, typed), refusal.status
    flash(
        _("Chosen. Each step is suggested here, unless this version was approved to go out by itself."),
        "success",
    )
    return redirect(url_for("escalation.steps", ref=ref))


def _steps(ref: str, typed: Form) -> str:
    known, now, session = index(), clock.now(), db.session()
    found = own(session, g.principal, ref, lock=False)
    looked = queries.look(found, now, session)
    message: Prepared | None = None
    if looked is not None and looked.path.next is not None:
        try:
            message = presentation.prepared(
                looked, found, looked.path.next.level, known=known, now=now, session=session
            )
        except Conflict:
            message = None
    shown = described(snapshot(ref, g.principal))
    return render_template(
        "outreach/steps.html",
        notification=shown,
        path=shown_with_outlook(session, found, looked, known=known, now=now),
        message=message,
        full=message is not None and message.target.team == shown["team"]["slug"] and is_full(session, found),
        may_send=is_offered(g.principal.workspace_id),
        people_at_risk=found.people_at_risk,
        by_owner=g.principal.role == "owner",
        policies=[each.slug for each in queries.policies(g.principal.workspace_id)],
        form=typed,
    )


def _version() -> int | None:
    """The one that is asked for; none where the address names none that could be."""
    number = request.args.get("version", type=int)
    return number if number and 0 < number < MOST_VERSIONS else None
