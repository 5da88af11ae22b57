"""The old spreadsheet in the browser: see what would happen, then let it happen."""

from __future__ import annotations

from typing import Any

from flask import g, render_template, request
from sqlalchemy.orm import Session

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid, Refusal
from pocdir.db import db, transaction
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.models import Incident
from pocdir.outreach.actions.spreadsheet import LineResult, expected, import_spreadsheet, tally
from pocdir.outreach.pages.blueprint import blueprint
from pocdir.outreach.queries.spreadsheet import matched
from pocdir.outreach.rules.spreadsheet import Spreadsheet, read_spreadsheet
from pocdir.web.files import posted, posted_back
from pocdir.web.forms import Form

SHOWN = 500
LARGEST_BROUGHT = 1_000_000  # bytes; the page posts it back, the command line takes more
MOST_BROUGHT = 1_000  # rows; they are written in one transaction, which others wait for
DAY_FIRST = {"true": True, "false": False}


@blueprint.get("/notify/spreadsheet")
@guard("notification.log")
def spreadsheet() -> str:
    return _page(Form())


@blueprint.post("/notify/spreadsheet")
@guard("notification.log")
def bring_spreadsheet() -> Any:
    typed = Form(values=request.form)
    now, principal = clock.now(), g.principal
    apply = request.form.get("action") == "apply"
    try:
        data = posted_back(request.form.get("upload", ""), LARGEST_BROUGHT) if apply else _brought()
        sheet = read_spreadsheet(data, now=now, day_first=DAY_FIRST.get(request.form.get("day_first", "")))
        if len(sheet.rows) > MOST_BROUGHT:
            raise Invalid(
                "spreadsheet_too_large",
                f"the page reads {MOST_BROUGHT:,} rows at once; the command line takes more",
                where="file",
            )
        lines = matched(sheet, workspace_id=principal.workspace_id, now=now)
        if not apply:
            results = expected(lines, incident=_incident(db.session()))
        else:
            with transaction() as session:
                results = import_spreadsheet(
                    session, lines, workspace_id=principal.workspace_id, now=now, actor=principal.actor,
                    incident=_incident(session),
                )  # fmt: skip
    except Refusal as refusal:
        typed.errors.setdefault("file", []).append(refusal.message)
        return _page(typed), 422
    if apply:
        return _page(typed, done=tally(results) | {"not_logged": _refused(results)})
    return _page(typed, preview=_preview(sheet, results, data))


def _page(typed: Form, **more: Any) -> str:
    incidents = incident_queries.incidents(workspace_id=g.principal.workspace_id, limit=100, is_open=True)
    return render_template(
        "outreach/spreadsheet.html",
        form=typed,
        incidents=[(incident.ref, incident.title) for incident in incidents],
        preview=more.get("preview"),
        done=more.get("done"),
    )


def _incident(session: Session) -> Incident | None:
    named = request.form.get("incident") or None
    if named is None:
        return None
    return incident_queries.incident(named, workspace_id=g.principal.workspace_id, session=session)


def _brought() -> bytes:
    upload = request.files.get("file")
    data = upload.read() if upload and upload.filename else request.form.get("text", "").encode()
    if not data.strip():
        raise Invalid("spreadsheet_invalid", "choose a file, or paste the rows", where="file")
    if len(data) > LARGEST_BROUGHT:
        raise Invalid(
            "spreadsheet_too_large", "over 1 MB: cut it in two, or use `pocdir notify --csv`", where="file"
        )
    return data


def _preview(sheet: Spreadsheet, results: list[LineResult], data: bytes) -> dict[str, Any]:
    others = [each for each in results if each.result != "refused"]
    return tally(results) | {
        "columns": sheet.columns,
        "unread": sheet.unread,
        "day_first": sheet.day_first,
        "not_logged": _refused(results),
        "rows": others[:SHOWN],
        "more": max(0, len(others) - SHOWN),
        "upload": posted(data),
    }


def _refused(results: list[LineResult]) -> list[LineResult]:
    return [each for each in results if each.result == "refused"][:SHOWN]
