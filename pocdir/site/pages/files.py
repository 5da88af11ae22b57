"""Many at once: a file is brought, split beside this process, and looked at by whoever has its link."""

from __future__ import annotations

from typing import Any

from flask import Response, flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid, Refusal
from pocdir.incidents.queries import newest_incidents
from pocdir.routing.queries import index
from pocdir.routing.uploads import actions, child, queries, rules
from pocdir.routing.uploads.queries import Upload
from pocdir.site import schemas
from pocdir.site.pages.lookup import blueprint, choices
from pocdir.site.queries.files import checked, count_file, holds_bytes, most_bytes
from pocdir.web.files import brought, sent, takes_files
from pocdir.web.forms import Form, form

RENEW = 3  # seconds


@blueprint.get("/route")
@guard("file.route")
def files() -> str:
    """The form that takes a file."""
    return _form(Form())


@blueprint.post("/route")
@guard("file.route")
@takes_files(most_bytes)
def bring_file() -> Any:
    """Take a file in and say what it is; the worker's process splits it."""
    principal, now = g.principal, clock.now()
    typed = form(schemas.RouteForm(), request.form)
    try:
        if not typed.valid:
            raise Invalid("invalid", _("Please look at what is marked."))
        count_file(principal, request.remote_addr, now)
        words = dict(typed.data)
        raw = words.pop("raw")
        checked(words, on=now.date())
        stream, name = brought()
        token, _upload = actions.take_in(
            stream,
            data=running.settings().data,
            most=most_bytes(),
            holds=holds_bytes(),
            name=name,
            question=words,
            raw=raw,
            workspace=principal.workspace_id,
            waits=True,
            now=now,
        )
    except Invalid as refusal:
        if typed.valid:
            typed.refuse(_beside_the_file(refusal))
        return _form(typed), 422
    child.go_on(running.settings())
    return redirect(url_for("site.file", token=token), 303)


@blueprint.get("/route/<token>")
@guard("file.route")
def file(token: str) -> Response:
    """How far it is; when it is done, the counts and the parcels."""
    found = _upload(token)
    known = index()
    page = make_response(
        render_template(
            "site/file.html",
            token=token,
            asked=found.asked,
            state=found.state,
            progress=found.progress,
            before=_before(found),
            refusal=found.refusal,
            manifest=found.manifest,
            no_form=Form(),
            still="still" in request.args,
            incidents=_incidents(),
            attributions=known.registry.attributions if known.registry else (),
        )
    )
    if found.state in ("waiting", "working") and "still" not in request.args:
        page.headers["Refresh"] = str(RENEW)
    return page


@blueprint.get("/route/<token>/parcels.zip")
@guard("file.route")
def parcels(token: str) -> Response:
    """All parcels; they stay here until their time is over."""
    return _all_parcels(_upload(token))


@blueprint.post("/route/<token>/parcels.zip")
@guard("file.route")
def take_parcels(token: str) -> Response:
    """All parcels, and nothing of them stays here."""
    found = _upload(token)
    answer = _all_parcels(found)
    actions.forget(found)  # what is open is sent all the same
    return answer


@blueprint.get("/route/<token>/parcels/<name>")
@guard("file.route")
def parcel(token: str, name: str) -> Response:
    """One parcel."""
    path = _upload(token).parcel(name)
    return sent(path.open("rb"), name, "text/csv", path.stat().st_size)


@blueprint.post("/route/<token>/delete")
@guard("file.route")
def delete_file(token: str) -> Any:
    """Delete what was brought and what came of it."""
    actions.forget(_upload(token))
    flash(_("Deleted: the file and all that came of it."), "success")
    return redirect(url_for("site.files"))


def _all_parcels(found: Upload) -> Response:
    path = found.packed if found.state == "done" else found.parcel("")
    return sent(path.open("rb"), "parcels.zip", "application/zip", path.stat().st_size)


def _upload(token: str) -> Upload:
    return queries.upload(running.settings().data, token, workspace=g.principal.workspace_id)


def _incidents() -> list[tuple[str, str]]:
    """The open ones of a member's workspace, to which the parcels may be added."""
    if not g.principal.may("incident.write"):
        return []
    found = newest_incidents(workspace_id=g.principal.workspace_id, is_open=True)
    return [(row.Incident.ref, row.Incident.title) for row in found]


def _before(found: Upload) -> int:
    """How many files are routed before this one."""
    folders = [each.folder for each in queries.waiting(running.settings().data)]
    return folders.index(found.folder) if found.folder in folders else 0


def _form(typed: Form) -> str:
    return render_template(
        "site/files.html",
        form=typed,
        most=most_bytes() // rules.MEGABYTE,
        account=max(running.settings().upload_mb, rules.STRANGERS_MB),
        hours=int(rules.KEPT_FOR.total_seconds() // 3600),
        **choices(index()),
    )


def _beside_the_file(refusal: Refusal) -> Refusal:
    """What is wrong with the file stands beside its box, with the line that it names."""
    if not refusal.code.startswith("report_"):
        return refusal
    return Invalid(
        refusal.code,
        f"{refusal.where}: {refusal.message}" if refusal.where else refusal.message,
        where="file",
    )
