"""A steward's pages of duplicates: the pairs that look alike, and two entries side by side."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from marshmallow import fields, validate

from pocdir.accounts import queries as accounts
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Conflict
from pocdir.db import db, transaction
from pocdir.directory.merging import actions, queries
from pocdir.directory.merging.actions import MergeResult
from pocdir.directory.merging.queries import Said
from pocdir.directory.office import office
from pocdir.directory.queries import parts, versions
from pocdir.directory.rules.duplicates import SHOWN, SIGNS
from pocdir.web.forms import Form, form
from pocdir.web.schemas import Schema, Text

blueprint = Blueprint("merging", __name__)
MOST_PAIRS = 200


class PairForm(Schema):
    """What a steward says of two entries, and how they know."""

    what = fields.String(required=True, validate=validate.OneOf(("merge", "apart")))
    keep = Text(max=100, load_default="")
    reason = Text(min=1, max=2000, lines=True, required=True)


class SplitForm(Schema):
    """How a steward knows that they are two."""

    reason = Text(min=1, max=2000, lines=True, required=True)


@blueprint.get("/directory/duplicates")
@guard("directory.merge")
def duplicates() -> str:
    """Pairs that look like one team, what waits for somebody, and what was merged."""
    names = {it.slug: it.name for it in versions.snapshot().teams}
    found = queries.suggested()
    stewards = accounts.steward_refs(db.session())
    merged = queries.pairings(state="applied", what="merge")
    return render_template(
        "directory/duplicates.html",
        pairs=found[:MOST_PAIRS],
        more=max(0, len(found) - MOST_PAIRS),
        names=names,
        waiting=[_waits(it, stewards) for it in queries.pairings(state="open")],
        merged=list(reversed(merged)),
        apart=list(reversed(queries.pairings(state="applied", what="apart"))),
        signs=SIGNS,
        shown=SHOWN,
    )


@blueprint.get("/directory/duplicates/<one>/<other>")
@guard("directory.merge")
def pair(one: str, other: str) -> Any:
    """Two entries side by side: what each source says of each."""
    return _pair(one, other, Form())


@blueprint.post("/directory/duplicates/<one>/<other>")
@guard("directory.merge")
def decide_pair(one: str, other: str) -> Any:
    """Say of two entries that they are one team, under the slug that stays; or that they are two."""
    typed = form(PairForm(), request.form)
    if typed.valid and typed.data["what"] == "merge" and typed.data["keep"] not in (one, other):
        typed.errors["keep"] = [_("Choose which of the two stays.")]
    if not typed.valid:
        return _pair(one, other, typed), 422
    said = {"reason": typed.data["reason"], "now": clock.now(), "actor": g.principal.actor}
    with transaction() as session:
        if typed.data["what"] == "apart":
            actions.say_apart(session, one=one, other=other, **said)
            flash(_("Noted: they are two teams."), "success")
            return redirect(url_for("merging.duplicates"))
        into = typed.data["keep"]
        done = actions.merge(session, slug=other if into == one else one, into=into, office=office(), **said)
    _flash(done, _("They are one team now."))
    return redirect(
        url_for("site.team", slug=into) if done.became == "applied" else url_for("merging.duplicates")
    )


@blueprint.get("/directory/duplicates/<slug>/split")
@guard("directory.merge")
def ask_split(slug: str) -> str:
    """The question before an entry stands by itself again."""
    return _split(slug, Form())


@blueprint.post("/directory/duplicates/<slug>/split")
@guard("directory.merge")
def split(slug: str) -> Any:
    """The entry stands by itself again."""
    typed = form(SplitForm(), request.form)
    if not typed.valid:
        return _split(slug, typed), 422
    with transaction() as session:
        done = actions.split(
            session,
            slug=slug,
            office=office(),
            now=clock.now(),
            actor=g.principal.actor,
            **typed.data,
        )
    _flash(done, _("They are two teams again."))
    return redirect(url_for("merging.duplicates"))


@blueprint.post("/directory/duplicates/waiting/<ref>/refuse")
@guard("directory.merge")
def refuse(ref: str) -> Any:
    """What waits is not done."""
    with transaction() as session:
        actions.refuse(session, ref=ref, now=clock.now(), actor=g.principal.actor)
    flash(_("Refused: the directory stays as it is."), "success")
    return redirect(url_for("merging.duplicates"))


def _pair(one: str, other: str, typed: Form) -> Any:
    sides = [queries.beside(one), queries.beside(other)]
    slugs = [str(side["team"]["slug"]) for side in sides]
    if slugs[0] == slugs[1]:
        return redirect(url_for("site.team", slug=slugs[0]))
    if slugs != [one, other]:
        return redirect(url_for("merging.pair", one=slugs[0], other=slugs[1]))
    return render_template("directory/pair.html", sides=sides, pair=queries.pair(slugs), form=typed)


def _split(slug: str, typed: Form) -> str:
    whole = parts.standing_slug(slug)
    if whole == slug:
        raise Conflict("not_merged", f"{slug} is part of no other team", where="slug")
    return render_template("directory/split.html", slug=slug, whole=whole, form=typed)


def _waits(it: Said, stewards: frozenset[str]) -> dict[str, Any]:
    decision = it.decision(stewards)
    mine = str(g.principal.user_ref) in it.row.approvals
    until = None if decision.missing else decision.effective_at or decision.not_before
    return {"row": it.row, "part": it.part, "whole": it.whole, "mine": mine, "until": until}


def _flash(done: MergeResult, applied: str) -> None:
    if done.became == "applied":
        flash(applied, "success")
    elif done.missing:
        flash(_("Noted. It takes effect when another steward agrees; the teams were told."), "warning")
    else:
        words = _(
            "Noted. It takes effect on %(time)s UTC; the teams were told, and until then it can be refused.",
            time=f"{done.until:%Y-%m-%d %H:%M}",
        )
        flash(words, "warning")
