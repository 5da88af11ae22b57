"""A file in, a ZIP archive of parcels out: routed beside this process, and nothing of it kept."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.routing.uploads import actions
from pocdir.routing.uploads.child import route_now
from pocdir.site import schemas
from pocdir.site.queries.files import checked, count_file, holds_bytes, most_bytes, refused
from pocdir.web.api import Blueprint, documented
from pocdir.web.files import brought, sent, takes_files

blueprint = Blueprint("route_api", __name__, url_prefix="/api/v1", description="From a file to parcels")
_BINARY = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"file": _BINARY}, "required": ["file"]}
BODY = {
    "required": True,
    "content": {
        "text/csv": {"schema": _BINARY},
        "application/octet-stream": {"schema": _BINARY},
        "multipart/form-data": {"schema": _FORM},
    },
}


@blueprint.route("/route", methods=["POST"])
@guard("file.route")
@takes_files(most_bytes)
@blueprint.arguments(schemas.RouteQuery(exclude=("as_of",)), location="query")
@documented(blueprint, _BINARY, "application/zip", requestBody=BODY)
def route(given: dict[str, Any]) -> Response:
    """Split a file into parcels: a ZIP archive with a CSV for each contact, `unrouted.csv` and `manifest.json`.

    The body is the file (a table or a report of a known format), or a form with one file. Needs no token for up to
    16 MB. One file is routed at a time: 503 `route_busy` says when to come back. Nothing is kept here.
    """
    principal, now = g.principal, clock.now()
    settings = running.settings()
    count_file(principal, request.remote_addr, now)
    raw = given.pop("raw")
    checked(given, on=now.date())
    stream, name = brought()
    _, upload = actions.take_in(
        stream,
        data=settings.data,
        most=most_bytes(),
        holds=holds_bytes(),
        name=name,
        question=given,
        raw=raw,
        workspace=principal.workspace_id,
        waits=False,
        now=now,
    )
    try:
        route_now(upload, settings)
        if upload.state == "refused":
            raise refused(upload)
        # What is open can be read although nothing of it is left in its folder.
        archive = upload.packed.open("rb")
        size = upload.packed.stat().st_size
    finally:
        actions.forget(upload)
    return sent(archive, "parcels.zip", "application/zip", size)
