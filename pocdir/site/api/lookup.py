"""Whom do I tell? Over HTTP: no token needed, nothing kept, no SQL for whoever is anonymous."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from flask import Response, g, request

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid, Unauthenticated
from pocdir.core.json_text import json_text
from pocdir.directory.rules.record import HOST_KINDS, PURPOSES
from pocdir.routing.queries import index, index_as_of, question
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import answered
from pocdir.routing.rules.resolver import Answer, answer_json, answer_text
from pocdir.site import schemas
from pocdir.site.queries.responsiveness import with_responsiveness
from pocdir.web.api import Blueprint, documented

blueprint = Blueprint(
    "lookup_api", __name__, url_prefix="/api/v1", description="From an indicator to contacts"
)

PARAMETERS = {
    "q": "An address, prefix, range, AS number, domain, URL, e-mail address, country or team; defanged too.",
    "sector": "The sector concerned, such as energy.",
    "kind_of_report": "CLASS/TYPE of the incident taxonomy; it changes the published order.",
    "exclude_team": "The short name of a team not to write to; may be repeated.",
    "exclude_country": "The code of a country to which not to write; may be repeated.",
    "exclude_host": f"A kind of host not to write to: {', '.join(HOST_KINDS)}; may be repeated.",
    "as_of": "A day: the directory as it stood at its end. Needs a token.",
    "purpose": f"Which of their addresses: {', '.join(PURPOSES)}. Absent: as the kind of report says.",
}
ONCE = ("q", "sector", "kind_of_report", "purpose", "as_of")
_ABSENT = [""]
_REFUSED = {str(HTTPStatus.UNPROCESSABLE_ENTITY.value): HTTPStatus.UNPROCESSABLE_ENTITY.name}


def _parameter(name: str, description: str) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string"}
    repeated = {"type": "array", "items": text}
    return {
        "in": "query",
        "name": name,
        "description": description,
        "required": name == "q",
        "schema": text if name in ONCE else repeated,
    }


# Not through smorest's arguments and response: checking and dumping five texts costs more than the lookup.
@blueprint.route("/lookup")
@guard("lookup.ask")
@documented(
    blueprint,
    schemas.LookupAnswer,
    parameters=[_parameter(*each) for each in PARAMETERS.items()],
    responses=_REFUSED,
)
def lookup() -> Response:
    """Whom to tell about one indicator, with reasons, from local data.

    Needs no token. With one of a workspace, `responsiveness` is filled from that workspace's own record.
    """
    query = request.query_string.decode()  # not request.args: that is made to be read by other means
    given = parse_qs(query, keep_blank_values=True, errors="werkzeug.url_quote")
    for name, values in given.items():
        if name not in PARAMETERS:
            raise Invalid("invalid", f"one of {', '.join(PARAMETERS)} is right", where=name[:100])
        if name in ONCE and len(values) > 1:
            raise Invalid("invalid", "given more than once; POST takes many indicators", where=name)
    known, on = _known(given["as_of"][0]) if "as_of" in given else (index(), clock.now().date())
    asked = question(
        known,
        on=on,
        sector=given.get("sector", _ABSENT)[0],
        kind_of_report=given.get("kind_of_report", _ABSENT)[0],
        exclude_team=given.get("exclude_team", ()),
        exclude_country=given.get("exclude_country", ()),
        exclude_host=given.get("exclude_host", ()),
        purpose=given.get("purpose", _ABSENT)[0],
    )
    return _response(_texts([answered(known, given.get("q", _ABSENT)[0], asked)])[0])


@blueprint.route("/lookup", methods=["POST"])
@guard("lookup.ask")
@blueprint.arguments(schemas.LookupMany())
@documented(blueprint, schemas.LookupAnswers)
def lookup_many(given: dict[str, Any]) -> Response:
    """The same for up to 1000 indicators, in the order asked; one wrong indicator refuses them all."""
    known, on = _known(given.pop("as_of"))
    texts = given.pop("q")
    asked = question(known, on=on, **given)
    answers, wrong = [], {}
    for position, text in enumerate(texts):
        try:
            answers.append(answered(known, text, asked))
        except Invalid as error:
            wrong[f"q.{position}"] = [error.message]
    if wrong:
        where, messages = next(iter(wrong.items()))
        raise Invalid("indicator_invalid", f"{where}: {messages[0]}", errors=wrong)
    return _response(f'{{"items":[{",".join(_texts(answers))}],"next":null}}')


def _known(as_of: str | None) -> tuple[Index, dt.date]:
    """What is asked, and for which day; only the newest version lies in memory, an older one is not for everybody."""
    if as_of and g.principal.kind == "anonymous":
        raise Unauthenticated("unauthenticated", "send a token to ask what stood on a day: as_of")
    return index_as_of(as_of, now=clock.now())


def _texts(answers: list[Answer]) -> list[str]:
    """Each answer as JSON, with what the asker's workspace knows of the teams."""
    if g.principal.workspace_id is None:
        return [answer_text(answer) for answer in answers]
    shapes = with_responsiveness(map(answer_json, answers), g.principal, now=clock.now())
    return [json_text(shape) for shape in shapes]


def _response(text: str) -> Response:
    return Response(text, content_type="application/json")
