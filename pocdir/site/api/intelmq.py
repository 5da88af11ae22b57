"""The door for IntelMQ: the same answers in the shape that its bots for tuency and contacts.cert.at read."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.core.json_text import json_text
from pocdir.routing.queries import index, question
from pocdir.routing.rules.destinations import Destinations, destinations
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import Question
from pocdir.site import schemas
from pocdir.site.rules import intelmq
from pocdir.web.api import Blueprint, documented

blueprint = Blueprint(
    "intelmq", __name__, url_prefix="/intelmq", description="The shape that IntelMQ's bots read"
)
PARAMETERS = {
    "ip": "An address.",
    "domain": "A domain; at least one of the two is given.",
    "classification_taxonomy": "The class of the incident taxonomy.",
    "classification_type": "Its type; an unknown one does not narrow.",
    "feed_provider": "Read by tuency's rules; it changes nothing here, and so do the next three.",
    "feed_name": "As above.",
    "feed_code": "As above.",
    "feed_status": "As above.",
    "sep": "Answer in a line of text with this between its columns: TAB, comma, semicolon, pipe.",
}


@blueprint.route("/lookup")
@guard("lookup.ask")
@documented(
    blueprint,
    schemas.IntelmqAnswer,
    parameters=[
        {"in": "query", "name": name, "description": said, "schema": {"type": "string"}}
        for name, said in PARAMETERS.items()
    ],
    responses={"422": "UNPROCESSABLE_ENTITY"},
)
def lookup() -> Response:
    """Whom to tell about an address, a domain, or both, as tuency answers IntelMQ.

    Names of later versions are passed over: the bots do not look at a refusal, and would take it for an empty
    answer. Raises Invalid `indicator_invalid` where nothing that is given can be looked up.
    """
    given = {name: request.args.get(name, "").strip() for name in PARAMETERS}
    known = index()
    kind = intelmq.kind_of_report(given["classification_taxonomy"], given["classification_type"])
    asked = question(known, on=clock.now().date(), kind_of_report=kind)
    found = _destinations(known, asked, given["ip"], given["domain"])
    if given["sep"]:
        return Response(_line(given, found, asked), content_type="text/plain; charset=utf-8")
    answer: dict[str, Any] = {}
    for name, each in (("ip", found.host), ("domain", found.owner)):
        if each:
            answer[name] = intelmq.destinations_json(each, asked.wish.purpose)
        elif given[name]:
            answer[name] = {"destinations": []}
    return Response(
        json_text(answer | {"suppress": False, "interval": intelmq.AT_ONCE}), content_type="application/json"
    )


def _destinations(known: Index, asked: Question, ip: str, domain: str) -> Destinations:
    """Of both; what cannot be looked up does not keep back the other."""
    if not (ip or domain):
        raise Invalid("indicator_invalid", "ip or domain is needed", where="ip")
    try:
        return destinations(known, asked, ip=ip, domain=domain)
    except Invalid as error:
        other = {"ip": None, "domain": domain} if error.where == "ip" else {"ip": ip, "domain": None}
        if not any(other.values()):
            raise
        return destinations(known, asked, **other)


def _line(given: dict[str, str], found: Destinations, asked: Question) -> str:
    separator = intelmq.SEPARATORS.get(given["sep"].lower())
    if separator is None:
        raise Invalid("invalid", f"one of {', '.join(intelmq.SEPARATORS)} is right", where="sep")
    answer = found.host or found.owner
    return intelmq.line(given["ip"] or given["domain"], answer, asked.wish.purpose, separator)
