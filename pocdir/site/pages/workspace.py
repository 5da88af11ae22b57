"""A workspace's whole record in the browser: two links for its owner."""

from __future__ import annotations

from flask import Response, request

from pocdir.accounts.guards import guard
from pocdir.site.api.workspace import exported
from pocdir.site.pages.lookup import blueprint
from pocdir.site.rules.export import FORMATS


@blueprint.get("/workspace/export")
@guard("workspace.export", fresh_from="accounts.workspace")
def export() -> Response:
    form = request.args.get("format", "json")
    return exported(form if form in FORMATS else "json")
