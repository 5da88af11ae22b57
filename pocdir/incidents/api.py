"""Incidents over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response, g, request, url_for

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.db import transaction
from pocdir.incidents import actions, queries, schemas
from pocdir.incidents.models import Incident
from pocdir.incidents.presentation import shown_asset, shown_incident
from pocdir.incidents.rules.assets import AssetValue, asset, assets_from_csv, require_all
from pocdir.web.api import Blueprint, json_body
from pocdir.web.etags import require_match, tagged
from pocdir.web.idempotency import once
from pocdir.web.paging import page
from pocdir.web.schemas import PageQuery

blueprint = Blueprint("incidents_api", __name__, url_prefix="/api/v1", description="The researcher's cases")
_answer = schemas.IncidentAnswer()


@blueprint.route("/incidents")
@guard("incident.read")
@blueprint.arguments(schemas.IncidentQuery(), location="query")
@blueprint.response(200, schemas.IncidentPage)
def incidents(query: dict[str, Any]) -> Any:
    """The workspace's incidents."""
    found = queries.incidents(
        workspace_id=g.principal.workspace_id,
        limit=query["limit"],
        cursor=query["cursor"],
        is_open=query["open"],
    )
    listed = page(found, query["limit"], lambda incident: incident.ref)
    return listed | {
        "items": [shown_incident(incident, g.principal.workspace) for incident in listed["items"]]
    }


@blueprint.route("/incidents", methods=["POST"])
@guard("incident.write")
@blueprint.arguments(schemas.IncidentOpening())
@blueprint.response(201, schemas.IncidentAnswer)
def open_incident(given: dict[str, Any]) -> Any:
    """Open an incident."""
    principal, now = g.principal, clock.now()
    with transaction() as session:

        def act() -> str:
            return actions.open_incident(
                session, workspace_id=principal.workspace_id, now=now, actor=principal.actor, given=given,
                opened_at=given["opened_at"],
            ).ref  # fmt: skip

        ref = once(session, scope=f"workspace:{principal.workspace_id}", now=now, act=act)
        incident = queries.incident(ref, workspace_id=principal.workspace_id, session=session)
    return shown_incident(incident, g.principal.workspace), {
        "Location": url_for("incidents_api.incident", ref=ref)
    }


@blueprint.route("/incidents/<ref>")
@guard("incident.read")
@blueprint.response(200, schemas.IncidentAnswer)
def incident(ref: str) -> Any:
    """One incident."""
    return answered(queries.incident(ref, workspace_id=g.principal.workspace_id))


@blueprint.route("/incidents/<ref>", methods=["PATCH"])
@guard("incident.write")
@blueprint.arguments(schemas.IncidentChange())
@blueprint.response(200, schemas.IncidentAnswer)
def change_incident(given: dict[str, Any], ref: str) -> Any:
    """Change an incident, close or reopen it."""
    with transaction() as session:
        incident = queries.incident(ref, workspace_id=g.principal.workspace_id, session=session, lock=True)
        require_match(incident.revision)
        actions.change_incident(session, incident, now=clock.now(), actor=g.principal.actor, given=given)
    return answered(incident)


@blueprint.route("/incidents/<ref>/assets")
@guard("incident.read")
@blueprint.arguments(PageQuery(), location="query")
@blueprint.response(200, schemas.AssetPage)
def assets(query: dict[str, Any], ref: str) -> Any:
    """The assets of an incident."""
    incident = queries.incident(ref, workspace_id=g.principal.workspace_id)
    found = queries.assets(incident, limit=query["limit"], cursor=query["cursor"])
    listed = page(found, query["limit"], lambda asset: f"{asset.kind}:{asset.value}:{asset.port}")
    return listed | {"items": [shown_asset(asset) for asset in listed["items"]]}


def given_assets() -> list[AssetValue]:
    """The assets of the request's body, by its content type; raises Invalid."""
    if request.mimetype in ("text/csv", "application/csv"):
        return assets_from_csv(request.get_data())
    body = json_body()
    if body is None:
        raise Invalid("body_invalid", 'JSON {"items": [...]} or text/csv is right')
    items = schemas.AssetsSchema().load(body)["items"]
    found, wrong = [], {}
    for number, item in enumerate(items):
        try:
            found.append(asset(**item))
        except Invalid as error:
            wrong[f"items.{number}.{error.where}"] = f"{item['value'][:60]!r}: {error.message}"
    require_all(wrong)
    return found


def answered(incident: Incident) -> Response:
    """The answer with its ETag."""
    return tagged(
        Response(
            _answer.dumps(shown_incident(incident, g.principal.workspace)), content_type="application/json"
        ),
        incident.revision,
    )
