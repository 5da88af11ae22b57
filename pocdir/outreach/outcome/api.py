"""Sightings and what became of an incident, over HTTP."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO, cast

from flask import Response, g, request, url_for

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.db import transaction
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.models import Incident, MeasuringWindow
from pocdir.incidents.rules.sightings import SHOWN, Read, Row, Window, read, rows_of_csv, window
from pocdir.incidents.sightings import queries
from pocdir.outreach.outcome import schemas
from pocdir.outreach.outcome.actions import bring_sightings
from pocdir.outreach.outcome.presentation import entries_of
from pocdir.outreach.outcome.queries import outcome
from pocdir.web.api import Blueprint, json_body
from pocdir.web.files import brought, sent, takes_files
from pocdir.web.idempotency import once
from pocdir.web.paging import page
from pocdir.web.schemas import PageQuery

blueprint = Blueprint("outcome_api", __name__, url_prefix="/api/v1", description="Sightings and outcomes")
CSV = ("text/csv", "application/csv")
_BODY = {
    "required": True,
    "content": {
        "application/json": {"schema": schemas.SightingsSchema},
        "text/csv": {"schema": {"type": "string"}},
    },
}
_IN_QUERY = [
    {"in": "query", "name": name, "required": False, "schema": {"type": "string"}}
    for name in ("method", "window_from", "window_to")
]


def most_bytes() -> int:
    """How large a file of sightings may be."""
    settings = running.settings()
    return settings.upload_mb * 1024**2


@blueprint.route("/incidents/<ref>/sightings", methods=["POST"])
@guard("incident.write")
@takes_files(most_bytes)
@blueprint.doc(requestBody=_BODY, parameters=_IN_QUERY)
@blueprint.response(201, schemas.WindowAdded)
def add_sightings(ref: str) -> Any:
    """Bring what a sensor saw in a window, as JSON or as CSV with the window in the query: all of it, or nothing."""
    principal, now = g.principal, clock.now()
    incident = incident_queries.incident(ref, workspace_id=principal.workspace_id)
    measured, found, body = _given(incident, now)
    found.check()
    with transaction() as session:
        incident = incident_queries.incident(
            ref, workspace_id=principal.workspace_id, session=session, lock=True
        )

        def act() -> str:
            return bring_sightings(session, incident, measured, found, now=now, actor=principal.actor)

        scope = f"workspace:{principal.workspace_id}"
        kept = queries.window(
            once(session, scope=scope, now=now, act=act, body=body), incident, session
        )  # fmt: skip
        answer = added(kept, found)
    return answer, {"Location": url_for("outcome_api.sightings", ref=ref)}


def _given(incident: Incident, now: dt.datetime) -> tuple[Window, Read, bytes | None]:
    """The window and its sightings from the request, and the digest of a body that was read as a stream."""
    if request.mimetype in CSV:
        given = schemas.WindowSchema().load(request.args.to_dict())
        measured = _window(given, now)
        stream, _name = brought()
        with tempfile.TemporaryFile() as file:
            digest = _copied(stream, cast(BinaryIO, file))
            rows = rows_of_csv(cast(BinaryIO, file))
            return measured, read(rows, measured, queries.asset_ids(incident), zone=dt.UTC), digest
    body = json_body()
    if body is None:
        raise Invalid(
            "body_invalid", 'JSON {"method", "window_from", "window_to", "items"} or text/csv is right'
        )
    given = schemas.SightingsSchema().load(body)
    measured = _window(given, now)
    return measured, read(_rows(given["items"]), measured, queries.asset_ids(incident)), None


def _window(given: dict[str, Any], now: dt.datetime) -> Window:
    return window(given["method"], given["window_from"], given["window_to"], now=now)


def _copied(stream: BinaryIO, file: BinaryIO) -> bytes:
    digest = hashlib.sha256()
    while part := stream.read(1 << 20):
        digest.update(part)
        file.write(part)
    file.seek(0)
    return digest.digest()


def _rows(items: Sequence[dict[str, str]]) -> Iterator[Row]:
    for number, item in enumerate(items):
        yield Row(f"items.{number}", item["value"], item["seen_at"])


def shown(kept: MeasuringWindow) -> dict[str, Any]:
    """The values of a window's answer."""
    return {
        "ref": kept.ref, "method": kept.method, "window_from": kept.begins_at, "window_to": kept.ends_at,
        "sightings": kept.sightings, "seen": kept.seen, "strangers": kept.strangers, "posted_at": kept.posted_at,
    }  # fmt: skip


def added(kept: MeasuringWindow, found: Read) -> dict[str, Any]:
    """The values of a window's answer to who has brought it: with what of it is none of this incident."""
    return shown(kept) | {
        "rows": found.rows,
        "without_zone": found.without_zone,
        "not_assets": list(found.named)[:SHOWN],
    }


@blueprint.route("/incidents/<ref>/sightings")
@guard("incident.read")
@blueprint.arguments(PageQuery(), location="query")
@blueprint.response(200, schemas.SightingPage)
@blueprint.alt_response(200, schema={"type": "string"}, content_type="text/csv", success=True)
def sightings(query: dict[str, Any], ref: str) -> Any:
    """When its assets were seen, by window; with `Accept: text/csv` all of it as a file."""
    incident = incident_queries.incident(ref, workspace_id=g.principal.workspace_id)
    if request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv":
        return _file(queries.sightings_csv(incident))
    found = queries.sightings(incident, limit=query["limit"], cursor=query["cursor"])
    listed = page(found, query["limit"], lambda each: str(each["cursor"]))
    return listed | {
        "items": [{name: it[name] for name in it if name != "cursor"} for it in listed["items"]]
    }  # fmt: skip


def _file(rows: Iterable[Sequence[Any]]) -> Response:
    """Written whole before it is sent: a slow reader holds no transaction open."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the answer
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    csv.writer(text).writerows(rows)
    text.detach()
    size = file.tell()
    file.seek(0)
    return sent(cast(BinaryIO, file), "sightings.csv", "text/csv", size)


@blueprint.route("/incidents/<ref>/windows")
@guard("incident.read")
@blueprint.arguments(PageQuery(), location="query")
@blueprint.response(200, schemas.WindowPage)
def windows(query: dict[str, Any], ref: str) -> Any:
    """When it was measured, by which method, and how many were seen."""
    incident = incident_queries.incident(ref, workspace_id=g.principal.workspace_id)
    found = queries.windows(incident, limit=query["limit"], cursor=query["cursor"])
    listed = page(found, query["limit"], lambda each: each.ref)
    return listed | {"items": [shown(each) for each in listed["items"]]}


@blueprint.route("/incidents/<ref>/outcome")
@guard("incident.read")
@blueprint.response(200, schemas.OutcomeAnswer)
def incident_outcome(ref: str) -> Any:
    """What became of it: assets and controls by state, and notifications by answer and outcome."""
    return outcome(incident_queries.incident(ref, workspace_id=g.principal.workspace_id)).as_json()


@blueprint.route("/incidents/<ref>/timeline")
@guard("incident.read")
@blueprint.arguments(PageQuery(), location="query")
@blueprint.response(200, schemas.TimelinePage)
def timeline(query: dict[str, Any], ref: str) -> Any:
    """Answers and sightings side by side, in the order in which they happened, as the incident's page has them."""
    found = entries_of(incident_queries.incident(ref, workspace_id=g.principal.workspace_id))
    if query["cursor"] is not None:
        seen = next((at for at, each in enumerate(found) if each["cursor"] == query["cursor"]), None)
        if seen is None:
            raise Invalid("cursor_unknown", "this cursor is not one of this list", where="cursor")
        found = found[seen + 1 :]
    return page(found[: query["limit"] + 1], query["limit"], lambda each: str(each["cursor"]))
