"""The directory in the shapes of others and as a signed dump, for whoever mirrors it; no account is needed."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, request

from pocdir.accounts.guards import guard
from pocdir.config import Settings
from pocdir.core.codes import alpha2
from pocdir.core.errors import Invalid
from pocdir.directory.formats import first, pocdir_json
from pocdir.directory.presentation import published
from pocdir.web.api import Blueprint, documented
from pocdir.web.headers import MIRRORED

blueprint = Blueprint("downloads", __name__, description="The directory in the shapes of others")
JSON, TEXT = "application/json", "text/plain; charset=utf-8"
MOST_TEXT = 200
# Shapes of others, described where they are at home.
AS_JSON = documented(blueprint, {"type": "object"})
AS_LIST = documented(blueprint, {"type": "array", "items": {"type": "object"}})
AS_TEXT = documented(blueprint, {"type": "string"}, "text/plain")


@blueprint.route("/first/v1/teams")
@guard("directory.read")
@AS_JSON
def first_teams() -> Response:
    """The teams as FIRST's API v1 answers: `country q fields limit offset sort`."""
    held = published.published()
    asked = first.Asked(
        country=_country(_text("country")),
        q=_text("q"),
        fields=_list("fields"),
        limit=min(_whole("limit", first.LIMIT), first.MOST),
        offset=_whole("offset", 0),
        sort=_list("sort"),
    )

    def answer() -> bytes:
        shapes, as_of = published.first_shapes(held)
        return pocdir_json.text_of(first.answer(shapes, asked, as_of))

    return _answer(held, answer, JSON)


@blueprint.route("/ti/teams.json")
@guard("directory.read")
@AS_LIST
def ti_teams() -> Response:
    """The teams as the Trusted Introducer lists them."""
    held = published.published()
    return _answer(held, lambda: published.ti_bytes(held), JSON)


@blueprint.route("/directory/certbund.txt")
@guard("directory.read")
@AS_TEXT
def certbund_list() -> Response:
    """The national teams as CERT-Bund lists them."""
    held = published.published()
    return _answer(held, lambda: published.certbund_bytes(held), TEXT)


@blueprint.route("/directory/dump.json")
@guard("directory.read")
@AS_JSON
def dump() -> Response:
    """The whole directory for the public in pocdir-json, with a signed manifest."""
    held = published.published()
    return _answer(held, lambda: published.dump_bytes(held), JSON)


@blueprint.route("/directory/key")
@guard("directory.read")
@AS_TEXT
def key() -> Response:
    """The key that the dump is signed with, as one line."""
    settings: Settings = current_app.extensions["pocdir"]
    return _answer(published.published(), lambda: f"{published.verifier_key(settings)}\n".encode(), TEXT)


def _answer(held: published.Published, make: Any, kind: str) -> Response:
    """304 for whoever has this version; caches may keep it, and ask again."""
    response = Response(content_type=kind)
    response.set_etag(held.version)
    response.headers["Cache-Control"] = MIRRORED
    if request.if_none_match.contains(held.version):
        response.status_code = 304
        return response
    response.set_data(make())
    return response


def _text(name: str) -> str:
    given = request.args.get(name, "")
    if len(given) > MOST_TEXT or not given.isprintable():
        raise Invalid("invalid", f"at most {MOST_TEXT} printable characters are right", where=name)
    return given.strip()


def _list(name: str) -> list[str]:
    return [word for word in (each.strip() for each in _text(name).split(",")) if word]


def _whole(name: str, otherwise: int) -> int:
    given = request.args.get(name, "")
    if not given:
        return otherwise
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise Invalid("invalid", "a whole number, zero or more, is right", where=name)
    return int(given)


def _country(given: str) -> str | None:
    if given and alpha2(given) is None:
        raise Invalid("country_invalid", "a country code is right, such as AT", where="country")
    return alpha2(given) if given else None
