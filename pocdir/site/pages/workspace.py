"""A workspace's whole record in the browser: two links for its owner."""

from __future__ import annotations

from flask import Response

from pocdir.accounts.guards import guard
from pocdir.site.api.workspace import exported
from pocdir.site.pages.lookup import blueprint
from pocdir.site.rules.export import FORMATS
from pocdir.web import filters


@blueprint.get("/workspace/export")
@guard("workspace.export", fresh_from="accounts.workspace")
def export() -> Response:
    filters.only("format")
    return exported(filters.chosen("format", FORMATS, "json"))
