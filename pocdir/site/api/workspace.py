"""A workspace's whole record as a file, for whoever owns it."""

from __future__ import annotations

import io
import tempfile
from typing import Any, BinaryIO, cast

import structlog
from flask import Response, g

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.site import schemas
from pocdir.site.queries.export import write_export
from pocdir.site.rules.export import FORMATS, SUFFIXES
from pocdir.web.api import Blueprint, documented
from pocdir.web.files import sent

blueprint = Blueprint(
    "workspace_api", __name__, url_prefix="/api/v1", description="A workspace's whole record"
)
IN_MEMORY = 1024**2  # bytes; a longer one lies in the service's own folder until it is sent
FILES = {
    "description": "The record",
    "content": {
        "application/json": {"schema": {"type": "object"}},
        "application/zip": {"schema": {"type": "string", "format": "binary"}},
    },
}
_log = structlog.get_logger("pocdir.site")


@blueprint.route("/workspace/export")
@guard("workspace.export")
@blueprint.arguments(schemas.ExportQuery(), location="query")
@documented(blueprint, {"type": "object"}, responses={"200": FILES})
def export(given: dict[str, Any]) -> Response:
    """All incidents, assets, notifications, expectations, letters and events: one JSON document, or a ZIP of CSV.

    The same bytes as long as nothing changes. No token and no link is in it.
    """
    return exported(given["format"])


def exported(form: str) -> Response:
    """The file of the caller's workspace: written whole before its first byte is sent."""
    principal = g.principal
    settings = running.settings()
    file = cast(BinaryIO, tempfile.TemporaryFile(dir=settings.data))  # noqa: SIM115
    write_export(file, workspace_id=principal.workspace_id, form=form)
    size = file.tell()
    file.seek(0)
    if size <= IN_MEMORY:
        with file:
            file = io.BytesIO(file.read())
    _log.info("workspace exported", workspace=principal.workspace, form=form, actor=principal.actor)
    return sent(file, f"{principal.workspace}{SUFFIXES[form]}", FORMATS[form], size)
