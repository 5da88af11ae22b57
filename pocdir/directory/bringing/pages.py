"""A steward brings a list in the browser: first what it would change, then the import itself."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any, NamedTuple

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from marshmallow import fields, validate

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid, Refusal
from pocdir.db import db, transaction
from pocdir.directory.actions import imports as directory_imports
from pocdir.directory.actions.imports import Given, ImportResult
from pocdir.directory.formats import values
from pocdir.directory.formats.records import Parsed, Provenance, with_team
from pocdir.directory.formats.table import FORMATS
from pocdir.directory.presentation import difference
from pocdir.directory.rules import held
from pocdir.web.files import brought, posted, posted_back, takes_files
from pocdir.web.forms import Form, form
from pocdir.web.schemas import Schema, Text

blueprint = Blueprint("bringing", __name__)
MOST_BYTES = 4 * 1024**2  # nobody else can write while a list comes in; the command line takes larger ones
MOST_POSTED = 3 * 1024**2 // 2  # of it, packed: a form holds 2 MB in all
MOST_CHANGES, MOST_LINES = 200, 50


class ImportForm(Schema):
    """A list, how it is written, and whose it is; `kept` and `name` are the file once it was looked at."""

    what = fields.String(load_default="look", validate=validate.OneOf(("look", "bring")))
    format = fields.String(required=True, validate=validate.OneOf(tuple(FORMATS)))
    source = Text(max=200, load_default=None)
    team = Text(max=100, load_default=None)
    kept = Text(max=MOST_POSTED, load_default=None)
    name = Text(max=200, load_default=None)


class Brought(NamedTuple):
    """The file of a request."""

    data: bytes
    name: str


@blueprint.get("/directory/import")
@guard("directory.import")
def imports() -> str:
    """The form that takes a list."""
    return _page(Form())


@blueprint.post("/directory/import")
@guard("directory.import")
@takes_files(lambda: MOST_BYTES)
def bring() -> Any:
    """Show what a list would change; or bring it in, once that was seen."""
    typed = form(ImportForm(), request.form)
    if not typed.valid:
        return _page(typed), 422
    try:
        file = _file(typed.data)
        parsed = _parsed(file, typed.data)
        if typed.data["what"] == "look":
            result = directory_imports.import_records(
                db.session(), apply=False, **_given(file, parsed, typed.data)
            )
            return _page(typed, _preview(file, parsed, result))
        with transaction() as session:
            result = directory_imports.import_records(session, **_given(file, parsed, typed.data))
    except Refusal as refusal:
        where = {"--source": "source", "--team": "team", "source": "source"}.get(refusal.where or "", "file")
        at = f"{refusal.where}: " if refusal.where and where == "file" != refusal.where else ""
        typed.errors.setdefault(where, []).append(at + refusal.message)
        return _page(typed), 422
    _flash(result)
    return redirect(url_for("quarantine.quarantine" if result.held else "site.steward"))


def _file(said: dict[str, Any]) -> Brought:
    if said["kept"] is not None:
        return Brought(posted_back(said["kept"], MOST_BYTES), said["name"] or "")
    stream, name = brought()
    with stream:
        data = stream.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise Invalid("file_too_large", _("over 4 MB: the command line takes larger ones"), where="file")
    return Brought(data, name or "")


def _parsed(file: Brought, said: dict[str, Any]) -> Parsed:
    parsed = FORMATS[said["format"]](file.data, clock.now())
    return with_team(parsed, values.slug(said["team"])) if said["team"] else parsed


def _given(file: Brought, parsed: Parsed, said: dict[str, Any]) -> dict[str, Any]:
    told = parsed.source or Provenance("")
    return {
        "records": iter(parsed.teams),
        "source": replace(told, source=said["source"] or told.source or file.name),
        "origin": parsed.origin,
        "now": clock.now(),
        "actor": g.principal.actor,
        "given": Given(said["format"], "sha256:" + hashlib.sha256(file.data).hexdigest(), len(file.data)),
        "named": said["source"] is not None,
    }


def _preview(file: Brought, parsed: Parsed, result: ImportResult) -> dict[str, Any]:
    waits = held.together(part for team, part in held.by_team(result.diff).items() if team in result.held)
    applied, waiting = difference.changes(result.applied), difference.changes(waits)
    kept = posted(file.data)
    return {
        "source": result.source,
        "teams": len(parsed.teams),
        "applied": [it.as_dict() for it in applied[:MOST_CHANGES]],
        "waiting": [it.as_dict() for it in waiting[:MOST_CHANGES]],
        "counts": {"applied": len(applied), "waiting": len(waiting), "held": len(result.held)},
        "redated": len(result.applied.redated),
        "refused": list(result.refused.items())[:MOST_LINES],
        "reasons": result.reasons[:MOST_LINES],
        "notes": parsed.notes[:MOST_LINES],
        "more_notes": max(0, len(parsed.notes) - MOST_LINES),
        "kept": kept if len(kept) <= MOST_POSTED else None,
        "name": file.name[:200],
    }


def _flash(result: ImportResult) -> None:
    told = result.as_dict()
    flash(
        _(
            "%(source)s: %(added)s rows added, %(changed)s changed, %(removed)s removed.",
            source=result.source,
            **{name: told[name] for name in ("added", "changed", "removed")},
        ),
        "success",
    )
    if result.held:
        flash(ngettext("%(num)s team waits here.", "%(num)s teams wait here.", len(result.held)), "warning")


def _page(typed: Form, preview: dict[str, Any] | None = None) -> str:
    return render_template(
        "directory/import.html", form=typed, formats=tuple(FORMATS), preview=preview, most=MOST_BYTES
    )
