"""A team's own desk in the browser: one answer to many reports, and the whole list as a file."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any, BinaryIO, cast

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.accounts.queries import person_behind, team_id_of
from pocdir.core import clock
from pocdir.core.errors import Invalid, Refusal
from pocdir.db import db, transaction
from pocdir.directory.office import office
from pocdir.directory.rules.record import INTAKE, PROMISES
from pocdir.outreach.desk import presentation, queries, rules, schemas
from pocdir.outreach.desk.actions import answer_many, choose_automatic, say_of_itself
from pocdir.outreach.desk.digests import choose_digest
from pocdir.outreach.pages.recipient import filled_in
from pocdir.outreach.pages.told import told_list
from pocdir.outreach.queries.snapshots import addressed
from pocdir.outreach.rules.bulk import MOST
from pocdir.outreach.rules.recipient import ACTIONS
from pocdir.web import filters
from pocdir.web.errors import sentence
from pocdir.web.files import sent
from pocdir.web.forms import Form, form
from pocdir.web.paging import belongs_at

blueprint = Blueprint("desk", __name__)
NAMES = {"opt_outs": "classes"}  # of facts, as the boxes call them
FILES = {"csv": "text/csv", "json": "application/json"}
IN_MEMORY = 1 << 20
_item = schemas.ToldAnswer()


@blueprint.get("/desk/file")
@guard("desk.read")
def told_file() -> Response:
    """All of one of the lists (or all) as a file: written whole before its first byte is sent."""
    filters.only("format", "state")
    shape, state = filters.chosen("format", FILES, "csv"), filters.chosen("state", schemas.STATES) or None
    told = presentation.in_parts(queries.all_told(g.principal.team_id, state=state))
    file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - closed with the answer
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    if shape == "csv":
        writer = csv.writer(text)
        writer.writerow(rules.COLUMNS)
        writer.writerows(rules.rows(told))
    else:
        text.writelines(_document(_item.dumps(each) for each in told))
    text.detach()
    size = file.tell()
    file.seek(0)
    if size <= IN_MEMORY:
        with file:
            file = io.BytesIO(file.read())
    return sent(file, f"told.{shape}", FILES[shape], size)


def _document(items: Iterable[str]) -> Iterable[str]:
    yield '{"items": ['
    for number, item in enumerate(items):
        yield f",\n{item}" if number else f"\n{item}"
    yield "\n]}\n"


@blueprint.get("/desk")
@guard("desk.manage")
def desk() -> str:
    """What the team says of itself here, and what it gets from us."""
    return _desk(Form())


@blueprint.post("/desk")
@guard("desk.manage")
def say() -> Any:
    """Keep what the team publishes of itself: its own word, at once."""
    typed = form(schemas.OwnWordsForm(), request.form)
    if typed.valid:
        typed.errors = presentation.lengths_refused(typed.data["promise"])
    if typed.valid:
        principal = g.principal
        try:
            words = presentation.facts_of(typed.data)
            with transaction() as session:
                said = say_of_itself(
                    session, queries.slug_of(principal.team_id), words, actor=principal.actor,
                    person=person_behind(session, principal.actor), office=office(), now=clock.now(),
                )  # fmt: skip
            flash(_("Kept: it stands in your entry now.") if said else _("That stands already."), "success")
            return redirect(url_for("desk.desk"))
        except Refusal as refusal:
            typed.errors = {NAMES.get(name, name): words for name, words in refusal.errors.items()}
            typed.errors = typed.errors or {"form": [_(refusal.message)]}
    return _desk(typed), 422


@blueprint.post("/desk/takes")
@guard("desk.manage")
def takes() -> Any:
    """Choose what the team takes without a person's yes to each letter."""
    typed, principal = form(schemas.TakesSchema(), request.form), g.principal
    if not typed.valid:
        return _desk(typed), 422
    with transaction() as session:
        choose_automatic(
            session, principal.team_id, typed.data["takes"], now=clock.now(), actor=principal.actor
        )
    flash(_("Kept."), "success")
    return redirect(url_for("desk.desk"))


@blueprint.get("/teams/<slug>/takes")
@guard("directory.mark")
def takes_of_team(slug: str) -> str:
    """For a steward: what a team takes without a person's yes to each letter."""
    return _takes(slug, Form())


@blueprint.post("/teams/<slug>/takes")
@guard("directory.mark")
def keep_takes(slug: str) -> Any:
    """Enter it on the team's word; the note says whose, and when."""
    typed = form(schemas.TakesByWord(), request.form)
    if not typed.valid:
        return _takes(slug, typed), 422
    with transaction() as session:
        choose_automatic(
            session, team_id_of(session, slug), typed.data["takes"], now=clock.now(), actor=g.principal.actor,
            by="steward", note=typed.data["note"],
        )  # fmt: skip
    flash(_("Kept."), "success")
    return redirect(url_for("site.team", slug=slug))


def _takes(slug: str, typed: Form) -> str:
    stands = {"takes": queries.takes_of(team_id_of(db.session(), slug))}
    return render_template(
        "outreach/takes.html",
        slug=slug,
        form=Form(values=stands | _ticked(typed.values), errors=typed.errors),
        may_take=schemas.TAKES,
    )


@blueprint.post("/desk/digest")
@guard("desk.manage")
def digest() -> Any:
    """Choose the hour and the address of the daily mail, or end it."""
    typed, principal = form(schemas.DigestForm(), request.form), g.principal
    if typed.valid:
        try:
            with transaction() as session:
                choose_digest(
                    session, principal.team_id, **typed.data, now=clock.now(), actor=principal.actor
                )
            flash(_("Kept.") if typed.data["hour"] is not None else _("You get no daily mail."), "success")
            return redirect(url_for("desk.desk"))
        except Refusal as refusal:
            typed.refuse(refusal)
    return _desk(typed), 422


def _desk(typed: Form) -> str:
    shown = presentation.desk(g.principal.team_id)
    stands = presentation.own_words(shown) | (shown["digest"] or {"hour": ""}) | {"takes": shown["takes"]}
    return render_template(
        "outreach/desk.html",
        form=Form(values=stands | _ticked(typed.values) if typed.errors else stands, errors=typed.errors),
        team={"slug": shown["team"]},
        addresses=shown["addresses"],
        hours=[(hour, f"{hour:02}:00") for hour in range(24)],
        kinds=schemas.KINDS,
        may_take=schemas.TAKES,
        intake=INTAKE,
        promises=PROMISES,
        has_promise=any(stands.get(f"promise.{of}") for of in PROMISES),
    )


def _ticked(values: Mapping[str, Any]) -> dict[str, Any]:
    lists = {
        name: [it] for name in ("declines", "intake", "takes") if isinstance(it := values.get(name), str)
    }
    return {**values, **lists}


@blueprint.post("/desk/answers")
@guard("notification.answer")
def answer_selected() -> Any:
    """Ask once more with the reports that were ticked, then record the answer to each; a refused one says why."""
    refs, choice = list(dict.fromkeys(request.form.getlist("choose"))), request.form.get("action", "")
    if choice not in ACTIONS or not 1 <= len(refs) <= MOST:
        said = _("Choose at least one report, at most %(most)s, and what to say.", most=MOST)
        belongs_at(url_for("outreach.told"))
        return told_list(Form(values=request.form, errors={"form": [said]})), 422
    principal, chosen, results = g.principal, ACTIONS[choice], None
    typed = Form(values=request.form)
    if request.form.get("confirmed") == "yes":
        try:
            given = filled_in(chosen)
            with transaction() as session:
                done = answer_many(
                    session, refs, principal, choice=choice, filled_in=given, now=clock.now(),
                    actor=principal.actor,
                )  # fmt: skip
            results = {each.ref: each for each in done}
        except Invalid as refusal:
            typed.errors = {
                (refusal.where or "form").removeprefix("payload."): [sentence(_(refusal.message))]
            }
    found = presentation.told(addressed(principal.team_id, refs)) if principal.team_id else []
    by_ref = {each["ref"]: each for each in found}
    page = render_template(
        "outreach/told_selected.html",
        action=choice,
        asks=chosen.asks,
        refs=refs,
        rows=[by_ref.get(ref, {"ref": ref}) for ref in refs],
        results=results,
        form=typed,
    )
    return (page, 422) if typed.errors else page
