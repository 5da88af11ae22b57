"""A team's own desk over HTTP: what was told to it, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Response, g, request, url_for

from pocdir.accounts.guards import guard
from pocdir.outreach.desk import presentation, queries, rules, schemas
from pocdir.web.api import Blueprint
from pocdir.web.paging import page

blueprint = Blueprint("desk_api", __name__, url_prefix="/api/v1", description="A team's own desk")
JSON, CSV = "application/json", "text/csv"


@blueprint.route("/told")
@guard("desk.read")
@blueprint.arguments(schemas.ToldQuery(), location="query")
@blueprint.response(200, schemas.ToldPage)
@blueprint.alt_response(200, schema={"type": "string"}, content_type=CSV, success=True)
def told(query: dict[str, Any]) -> Any:
    """What was told to the team, oldest recorded first; with `Accept: text/csv` a row for each asset.

    The CSV has IntelMQ's names and a `Link` to its next page; the last reference seen is a cursor for another day.
    """
    found = queries.told(
        g.principal.team_id, state=query["state"], limit=query["limit"], cursor=query["cursor"]
    )
    listed = page(found, query["limit"], lambda each: each.row.ref)
    listed = listed | {"items": presentation.told(listed["items"])}
    if request.accept_mimetypes.best_match([JSON, CSV]) != CSV:
        return listed
    text = io.StringIO()
    csv.writer(text).writerows([rules.COLUMNS, *rules.rows(listed["items"])])
    response = Response(text.getvalue(), content_type=f"{CSV}; charset=utf-8")
    if listed["next"]:
        asked = {"state": query["state"], "limit": query["limit"], "cursor": listed["next"]}
        response.headers["Link"] = f'<{url_for("desk_api.told", **asked)}>; rel="next"'
    return response
