"""Latency figures over HTTP: of the caller's workspace, or of the caller's team."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from flask import g

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.latency import queries, schemas
from pocdir.latency.promises import promised
from pocdir.latency.rules import Group, as_json
from pocdir.latency.standing import with_states
from pocdir.routing.queries import index
from pocdir.web.api import Blueprint

blueprint = Blueprint("latency_api", __name__, url_prefix="/api/v1", description="How long answers take")


@blueprint.route("/latency")
@guard("latency.read")
@blueprint.arguments(schemas.LatencyQuery(), location="query")
@blueprint.response(200, schemas.LatencyAnswer)
def latency(query: dict[str, Any]) -> Any:
    """Kaplan-Meier figures by group; everything that was asked for counts, answered or not."""
    known_at = known(query)
    found = asked(query, known_at)
    return {
        "level": query["level"],
        "by": query["by"],
        "sent_level": query["sent_level"] or queries.lowest_level(g.principal),
        "rules": query["rules"],
        "left_out": found.left_out,
        "as_known_at": known_at,
        "groups": [as_json(each) for each in figures(found.cases, query)],
    }


@blueprint.route("/latency/curve")
@guard("latency.read")
@blueprint.arguments(schemas.CurveQuery(), location="query")
@blueprint.response(200, schemas.CurveAnswer)
def latency_curve(query: dict[str, Any]) -> Any:
    """The survival curve: share still open by seconds since it was sent, with band and numbers at risk."""
    points = queries.curve(asked(query, known(query)).cases).points
    return {"items": [point._asdict() for point in points]}


def known(query: dict[str, Any]) -> dt.datetime:
    """The moment as of which figures are known: as asked, but not later than now."""
    now = clock.now()
    return min(query["as_known_at"] or now, now)


def figures(found: list[queries.Case], query: Mapping[str, Any]) -> list[Group]:
    """The figures of the cases in the groups asked for, with what their teams had promised."""
    groups = queries.figures(found, query["by"], promised(found, query["level"]))
    return with_states(groups, found, index()) if query["by"] == "team" else groups


def asked(query: dict[str, Any], known_at: dt.datetime) -> queries.Counted:
    """The cases that a query asks for, of the one who asks."""
    every = queries.cases(
        g.principal,
        level=query["level"],
        now=known_at,
        since=query["since"],
        until=query["until"],
        team=query["team"],
        sent_level=query["sent_level"],
    )
    return queries.counted(every, query["rules"])
