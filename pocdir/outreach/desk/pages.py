"""A team's own desk in the browser: one answer to many reports, and the whole list as a file."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Iterable
from typing import Any, BinaryIO, cast

from flask import Blueprint, Response, g, render_template, request
from flask_babel import gettext as _

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.db import transaction
from pocdir.outreach.desk import presentation, queries, rules, schemas
from pocdir.outreach.desk.actions import answer_many
from pocdir.outreach.pages.recipient import filled_in
from pocdir.outreach.queries.snapshots import addressed
from pocdir.outreach.rules.bulk import MOST
from pocdir.outreach.rules.recipient import ACTIONS
from pocdir.web.files import sent
from pocdir.web.forms import Form

blueprint = Blueprint("desk", __name__)
FILES = {"csv": "text/csv", "json": "application/json"}
IN_MEMORY = 1 << 20
_item = schemas.ToldAnswer()


@blueprint.get("/desk/file")
@guard("desk.read")
def told_file() -> Response:
    """All of one of the lists (or all) as a file: written whole before its first byte is sent."""
    form, state = request.args.get("format", "csv"), request.args.get("state")
    form, state = form if form in FILES else "csv", state if state in schemas.STATES else None
    told = presentation.in_parts(queries.all_told(g.principal.team_id, state=state))
    file = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115 - closed with the answer
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    if form == "csv":
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
    return sent(file, f"told.{form}", FILES[form], size)


def _document(items: Iterable[str]) -> Iterable[str]:
    yield '{"items": ['
    for number, item in enumerate(items):
        yield f",\n{item}" if number else f"\n{item}"
    yield "\n]}\n"


@blueprint.post("/desk/answers")
@guard("notification.answer")
def answer_selected() -> Any:
    """Ask once more with the reports that were ticked, then record the answer to each; a refused one says why."""
    refs, choice = list(dict.fromkeys(request.form.getlist("choose"))), request.form.get("action", "")
    if choice not in ACTIONS or not 1 <= len(refs) <= MOST:
        said = _("Choose at least one report, at most %(most)s, and what to say.", most=MOST)
        raise Invalid("selection_invalid", said, where="choose")
    principal, chosen, results = g.principal, ACTIONS[choice], None
    typed = Form(values=request.form)
    if request.form.get("confirmed") == "yes":
        try:
            given = filled_in(chosen.asks)
            with transaction() as session:
                done = answer_many(
                    session, refs, principal, choice=choice, filled_in=given, now=clock.now(),
                    actor=principal.actor,
                )  # fmt: skip
            results = {each.ref: each for each in done}
        except Invalid as refusal:
            typed.errors = {(refusal.where or "form").removeprefix("payload."): [_(refusal.message)]}
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
