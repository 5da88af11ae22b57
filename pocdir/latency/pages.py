"""The page of answer times: curves, tables, matrix and downloads of one's own record; and the methods."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, g, jsonify, render_template, request, url_for
from flask_babel import gettext as _
from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from pocdir.accounts.guards import guard
from pocdir.core.times import isoformat
from pocdir.latency import api, drawing, queries, rules, tables
from pocdir.latency.queries import Case
from pocdir.latency.schemas import BY, PageQuery
from pocdir.web import filters
from pocdir.web.forms import form

blueprint = Blueprint("latency", __name__)

HOUR, DAY = 3600, rules.DAY
TABLE_AT = (0, HOUR, 6 * HOUR, DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY)


@blueprint.get("/responsiveness")
@guard("latency.read")
def responsiveness() -> str:
    query, known_at = asked()
    found, left_out = cases(query, known_at)
    overall = queries.curve(found)
    return render_template(
        "latency/responsiveness.html",
        **_chosen(query),
        levels=queries.LEVELS,
        groupings=BY,
        teams=queries.teams_told(g.principal),
        overall=api.figures(found, {**query, "by": None})[0],
        groups=api.figures(found, query) if query["by"] else [],
        chart=drawing.chart(found, query["by"], query["level"]) if found else None,
        points=rules.still_open_at(overall, TABLE_AT),
        became=rules.became_by(queries.incidence(found), rules.WINDOWS.values()),
        matrix=rules.verdict_matrix(each.verdict for each in found),
        may_be_automatic=queries.may_be_automatic(found),
        left_out=left_out,
        answered_later=_answered_later(query, found),
        downloads=_downloads(known_at),
        known_at=known_at,
        not_shown=not_shown(),
    )


@blueprint.get("/responsiveness.csv")
@guard("latency.read")
def as_csv() -> Response:
    query, known_at = asked()
    groups = api.figures(cases(query, known_at).cases, query)
    about = {name: query[name] or "" for name in ("level", "by", "sent_level", "rules")}
    text = tables.csv_text(groups, about | {"as_known_at": isoformat(known_at)}, notes=not_shown())
    return _attached(Response(text, content_type="text/csv; charset=utf-8"), "csv")


@blueprint.get("/responsiveness.json")
@guard("latency.read")
def as_json() -> Response:
    query, known_at = asked()
    found, left_out = cases(query, known_at)
    answer = {
        "level": query["level"],
        "by": query["by"],
        "sent_level": query["sent_level"],
        "rules": query["rules"],
        "left_out": left_out,
        "as_known_at": isoformat(known_at),
        "groups": [rules.as_json(each) for each in api.figures(found, query)],
        "curve": [point._asdict() for point in queries.curve(found).points],
        "became": [
            asdict(each) for each in rules.became_by(queries.incidence(found), rules.WINDOWS.values())
        ],
        "matrix": rules.verdict_matrix(each.verdict for each in found),
        "may_be_automatic": queries.may_be_automatic(found),
        "answered_later": _answered_later(query, found),
        "not_shown": not_shown(),
    }
    return _attached(jsonify(answer), "json")


@blueprint.get("/methods")
@guard("page.read")
def methods() -> str:
    return render_template("latency/methods.html")


def asked() -> tuple[dict[str, Any], dt.datetime]:
    """What the address asks for, and as known when; raises ValidationError (422) on what it cannot mean."""
    filters.only(*PageQuery().fields)
    typed = form(PageQuery(), MultiDict(_arguments()))
    if not typed.valid:
        raise ValidationError(typed.errors)
    level = typed.data["sent_level"] or queries.lowest_level(g.principal)
    return {**typed.data, "sent_level": level}, api.known(typed.data)


def cases(query: Mapping[str, Any], known_at: dt.datetime) -> queries.Counted:
    """The reader's own; the day named in `until` counts as a whole."""
    until = query["until"]
    if until is not None and until.time() == dt.time():
        until += dt.timedelta(days=1)
    return api.asked({**query, "until": until}, known_at)


def not_shown() -> list[str]:
    """What these figures do not show: on the page, and inside every file that leaves it."""
    return [
        _("Whether a team acted: no answer recorded here is not no action."),
        _("Whether an answer went elsewhere, by phone or to somebody else, and was not written down."),
        _(
            "How a team treats others: these are your workspace’s notifications only, "
            "and nobody else sees them."
        ),
        _(
            "What could not be delivered is the directory’s fault, not the team’s: it is counted apart, and is "
            "followed only until it bounced. Answers that may be automatic are left out of the times."
        ),
    ]


def _answered_later(query: Mapping[str, Any], found: Sequence[Case]) -> int:
    """Where the matrix and the times above it ask for the same, the figure by which they differ."""
    return queries.answered_later(found) if query["level"] == "acknowledgement" else 0


def _chosen(query: Mapping[str, Any]) -> dict[str, str]:
    days = {name: query[name].date().isoformat() if query[name] else "" for name in ("since", "until")}
    return {name: query[name] or "" for name in ("level", "by", "team", "sent_level", "rules")} | days


def _downloads(known_at: dt.datetime) -> Sequence[tuple[str, str]]:
    """Files of these figures, and the address under which they stay as they are known now."""
    frozen = {**_arguments(), "as_known_at": isoformat(known_at)}
    return [
        ("CSV", url_for("latency.as_csv", **frozen)),
        ("JSON", url_for("latency.as_json", **frozen)),
        (_("Permanent link"), url_for("latency.responsiveness", **frozen)),
    ]


def _arguments() -> dict[str, Any]:
    """The address's arguments that are ours (others, such as the language, say nothing about figures)."""
    known = PageQuery().fields
    return {name: value for name, value in request.args.items() if name in known and value.strip()}


def _attached(response: Response, ending: str) -> Response:
    response.headers["Content-Disposition"] = f'attachment; filename="responsiveness.{ending}"'
    return response
