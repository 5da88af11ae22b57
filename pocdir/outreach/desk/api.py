"""A team's own desk over HTTP: what was told to it, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from flask import Response, g, request, url_for

from pocdir.accounts.guards import guard
from pocdir.accounts.queries import person_behind, team_id_of
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.directory.formats import records
from pocdir.directory.office import office
from pocdir.outreach.desk import presentation, queries, rules, schemas
from pocdir.outreach.desk.actions import choose_automatic, say_of_itself
from pocdir.outreach.desk.digests import choose_digest
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


@blueprint.route("/desk")
@guard("desk.manage")
@blueprint.response(200, schemas.DeskAnswer)
def desk() -> Any:
    """What the team says of itself, and the daily mail that it has asked for."""
    return presentation.desk(g.principal.team_id)


@blueprint.route("/desk", methods=["POST"])
@guard("desk.manage")
@blueprint.arguments(schemas.OwnWordsChange())
@blueprint.response(200, schemas.DeskAnswer)
def say(given: dict[str, Any]) -> Any:
    """Say what the team does not take, its rules for reports, its promise: what is named, at once."""
    principal = g.principal
    words = records.facts(given)
    with transaction() as session:
        say_of_itself(
            session, queries.slug_of(principal.team_id), words, actor=principal.actor,
            person=person_behind(session, principal.actor), office=office(), now=clock.now(),
        )  # fmt: skip
    return presentation.desk(principal.team_id)


@blueprint.route("/desk/takes", methods=["POST"])
@guard("desk.manage")
@blueprint.arguments(schemas.TakesSchema())
@blueprint.response(200, schemas.DeskAnswer)
def takes(given: dict[str, Any]) -> Any:
    """What the team takes without a person's yes to each letter: `follow_up`, `referral`, or nothing."""
    principal = g.principal
    with transaction() as session:
        choose_automatic(session, principal.team_id, given["takes"], now=clock.now(), actor=principal.actor)
    return presentation.desk(principal.team_id)


@blueprint.route("/teams/<slug>/takes", methods=["POST"])
@guard("directory.mark")
@blueprint.arguments(schemas.TakesByWord())
@blueprint.response(200, schemas.TakesAnswer)
def takes_by_word(given: dict[str, Any], slug: str) -> Any:
    """The same for a team, by a steward with the team's word: `note` says whose word it was, and when."""
    with transaction() as session:
        team_id = team_id_of(session, slug)
        choose_automatic(
            session, team_id, given["takes"], now=clock.now(), actor=g.principal.actor, by="steward",
            note=given["note"],
        )  # fmt: skip
    return {"team": queries.slug_of(team_id), "takes": queries.takes_of(team_id)}


@blueprint.route("/desk/digest", methods=["POST"])
@guard("desk.manage")
@blueprint.arguments(schemas.DigestChoice())
@blueprint.response(200, schemas.DeskAnswer)
def digest(given: dict[str, Any]) -> Any:
    """One mail a day at most about what stands open, at this hour of the team's own day; `hour` null: none."""
    principal = g.principal
    with transaction() as session:
        choose_digest(session, principal.team_id, **given, now=clock.now(), actor=principal.actor)
    return presentation.desk(principal.team_id)
