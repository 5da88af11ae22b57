"""Proposals in the browser: the team's own form, the steward's decision, and the link in a notice."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.accounts.queries import person_behind
from pocdir.core import clock
from pocdir.core.errors import Refusal
from pocdir.db import transaction
from pocdir.directory.actions.objections import call_off
from pocdir.directory.formats import records
from pocdir.directory.office import office
from pocdir.directory.pages import boxes
from pocdir.directory.pages.entry_form import check_facts, edit_page, refuse, rows_of
from pocdir.directory.proposals import actions, presentation, queries, schemas
from pocdir.directory.proposals.api import by, own_team, scope
from pocdir.directory.queries import entries, objections
from pocdir.directory.rules.record import audiences
from pocdir.web import filters
from pocdir.web.forms import Form, form

blueprint = Blueprint("proposals", __name__)
ON_A_PAGE = 200


@blueprint.get("/teams/<slug>/propose")
@guard("proposal.make")
def new(slug: str) -> str:
    """The form with what is in force, for the team's own staff and for stewards."""
    own_team(g.principal, slug)
    entry = entries.entry(slug, audiences=audiences(g.principal.roles))
    values = Form(values=boxes.typed(entry))
    return edit_page(entry, values, len(entry.channels), len(entry.responsibilities), proposing=True)


@blueprint.post("/teams/<slug>/propose")
@guard("proposal.make")
def propose(slug: str) -> Any:
    """What the form says is asked for, where it differs from what stands."""
    principal = g.principal
    own_team(principal, slug)
    entry = entries.entry(slug, audiences=audiences(principal.roles))
    typed = form(schemas.ProposalForm(), request.form)
    channels = rows_of(typed, "channels", entry.channels, records.channel)
    answers_for = rows_of(typed, "responsibilities", entry.responsibilities, records.responsibility)
    check_facts(typed)
    if typed.valid:
        try:
            facts = boxes.changed(entry, records.facts(boxes.facts(typed.data, request.form)))
            wanted = queries.wanted(
                entry, facts, map(records.channel, channels), map(records.responsibility, answers_for)
            )
            with transaction() as session:
                kept = actions.propose(
                    session,
                    slug=slug,
                    wanted=wanted,
                    by=by(principal),
                    actor=principal.actor,
                    person=person_behind(session, principal.actor),
                    note=typed.data["evidence"],
                    office=office(),
                    now=clock.now(),
                )
            return redirect(url_for("proposals.proposal", ref=kept.ref))
        except Refusal as refusal:
            refuse(typed, refusal)
    shown = len(entry.channels), len(entry.responsibilities)
    return edit_page(entry, typed, *shown, proposing=True), 422


@blueprint.get("/proposals")
@guard("proposal.read")
def proposals() -> str:
    """What waits: for a steward of every team, for a team's contact of its own."""
    filters.only("all")
    team_id = scope(g.principal)
    found = queries.proposals(team_id=team_id, is_open=request.args.get("all") != "1", limit=ON_A_PAGE)
    slug = queries.team_slugs([team_id]).get(team_id) if team_id is not None else None
    return render_template(
        "directory/proposals.html",
        proposals=[_shown(it) for it in found],
        own=slug,
        all=request.args.get("all") == "1",
    )


@blueprint.get("/proposals/<ref>")
@guard("proposal.read")
def proposal(ref: str) -> str:
    """One proposal: before and after, who says so, what it waits for."""
    return _page(ref, Form())


@blueprint.post("/proposals/<ref>/approve")
@guard("proposal.decide")
def approve(ref: str) -> Any:
    """Agree with what the page has shown."""
    principal, read = g.principal, request.form.get("revision", "")
    revision = int(read) if read.isascii() and read.isdigit() and len(read) < 9 else 0
    with transaction() as session:
        was = queries.proposal(ref, session=session).changes
        kept = actions.approve(
            session,
            ref=ref,
            revision=revision,
            actor=principal.actor,
            person=person_behind(session, principal.actor),
            office=office(),
            now=clock.now(),
        )
    if kept.revision != revision and kept.changes == was:
        words = _(
            "Nothing was approved yet: only you are left to approve it, so every address on record was told, and the 72"
            " hours begin now. Approve it here."
        )
        flash(words, "warning")
    elif kept.revision != revision:
        flash(
            _("Nothing was approved: the entry was changed meanwhile. This is the proposal now."), "warning"
        )
    else:
        flash(_("Approved, and entered.") if kept.state == "applied" else _("Approved."), "success")
    return redirect(url_for("proposals.proposal", ref=ref))


@blueprint.post("/proposals/<ref>/refuse")
@guard("proposal.decide")
def refuse_proposal(ref: str) -> Any:
    """Refuse, with the reason that the proposer reads."""
    typed = form(schemas.Refusal(), request.form)
    if not typed.valid:
        return _page(ref, typed), 422
    with transaction() as session:
        actions.refuse(session, ref=ref, **typed.data, actor=g.principal.actor, now=clock.now())
    flash(_("Refused; whoever proposed it reads the reason."), "success")
    return redirect(url_for("proposals.proposal", ref=ref))


@blueprint.post("/proposals/<ref>/withdraw")
@guard("proposal.make")
def withdraw(ref: str) -> Any:
    """Take back what one has proposed."""
    principal = g.principal
    queries.proposal(ref, team_id=scope(principal))
    with transaction() as session:
        person = person_behind(session, principal.actor)
        actions.withdraw(
            session, ref=ref, team_id=principal.team_id, actor=principal.actor, person=person, now=clock.now()
        )
    flash(_("The proposal is withdrawn."), "success")
    return redirect(url_for("proposals.proposal", ref=ref))


@blueprint.get("/proposed/<token>")
@guard("entry.answer")
def proposed(token: str) -> str:
    """What a notice told of; opening it changes nothing."""
    other = objections.addressed(None, token, office=office(), now=clock.now())
    if other is not None:
        return render_template("directory/objection.html", token=token, it=other, asked=False, done=False)
    kept, _address = actions.addressed(None, token, office=office(), now=clock.now())
    return render_template("directory/proposed.html", **_told(kept, token))


@blueprint.post("/proposed/<token>")
@guard("entry.answer")
def cancel(token: str) -> Any:
    """Call the change off, once it was asked again."""
    other = objections.addressed(None, token, office=office(), now=clock.now())
    if other is not None:
        sure = request.form.get("confirmed") == "yes"
        if sure:
            with transaction() as session:
                other = call_off(session, token=token, office=office(), now=clock.now())
        return render_template("directory/objection.html", token=token, it=other, asked=not sure, done=sure)
    kept, _address = actions.addressed(None, token, office=office(), now=clock.now())
    if request.form.get("confirmed") != "yes":
        return render_template("directory/proposed.html", **(_told(kept, token) | {"asked": True}))
    with transaction() as session:
        kept = actions.cancel(session, token=token, office=office(), now=clock.now())
    return render_template("directory/proposed.html", **_told(queries.proposal(kept.ref), token))


def _told(kept: Any, token: str) -> dict[str, Any]:
    shown = presentation.shown(kept, entries.EVERYBODY)
    return {"token": token, "team": kept.team.name, "proposal": shown, "asked": False}


def _page(ref: str, typed: Form) -> str:
    principal = g.principal
    kept = queries.proposal(ref, team_id=scope(principal))
    own = principal.user_ref is not None and principal.user_ref == kept.person
    steward = principal.may("proposal.decide", "other")
    return render_template(
        "directory/proposal.html",
        form=typed,
        proposal=_shown(kept),
        stale=kept.state == "open" and presentation.is_stale(kept),
        at_once=presentation.is_at_once(kept),
        agreed=principal.user_ref in {each.person for each in kept.approvals},
        may_decide=steward and not own,
        may_refuse=steward,
        may_withdraw=own or (kept.by == "team" and principal.team_id == kept.team_id),
    )


def _shown(kept: Any) -> dict[str, Any]:
    told = presentation.shown(kept, audiences(g.principal.roles))
    return told | {"name": kept.team.name}
