"""The OpenAPI side of the toolkit: flask-smorest with our own errors."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import marshmallow as ma
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask, Response, request
from flask_smorest import Api
from flask_smorest import Blueprint as SmorestBlueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import UnsupportedMediaType

from pocdir.core.errors import Invalid
from pocdir.core.version import VERSION
from pocdir.web.schemas import Problem

View = TypeVar("View", bound=Callable[..., Any])


class Parser(FlaskParser):
    """webargs, which drops names it does not know from a query: here they are said to be wrong, as in a body."""

    DEFAULT_UNKNOWN_BY_LOCATION = {**FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION, "query": ma.RAISE}

    def load_json(self, req: Any, schema: ma.Schema) -> Any:
        """The body; raises Invalid `body_invalid` where Python's reader gives up on JSON that is well formed, and for
        a name that stands there twice. A body that is no JSON is 415, not an empty object.
        """
        if not req.is_json and req.get_data(cache=True):
            raise UnsupportedMediaType("send the body as application/json")
        try:
            return super().load_json(req, schema)
        except (RecursionError, ValueError):  # nested too deep; a number of thousands of digits
            raise Invalid("body_invalid", "the JSON is nested too deep or has too long a number") from None

    def _raw_load_json(self, req: Any) -> Any:
        if not req.is_json:
            return ma.missing
        return _read(req.get_data(cache=True))


def json_body() -> Any:
    """The body of a door that takes other kinds too; None where it is no JSON. Raises Invalid `body_invalid`."""
    try:
        return _read(request.get_data(cache=True)) if request.is_json else None
    except (RecursionError, ValueError):
        return None


def _read(data: bytes) -> Any:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("body_invalid", "the body is not UTF-8, as JSON is") from None
    return _JSON.decode(text)


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, value in pairs:
        if name in named:
            raise Invalid("body_invalid", f"{name[:60]!r} stands there twice", where=name[:60])
        named[name] = value
    return named


_JSON = json.JSONDecoder(object_pairs_hook=_named_once)


class Blueprint(SmorestBlueprint):
    """A feature's room of the API. Give `arguments` an instance: a class is made anew for every request."""

    ARGUMENTS_PARSER = Parser()


class PocdirApi(Api):
    """flask-smorest whose errors are those of pocdir.web.errors, described as problem+json."""

    ERROR_SCHEMA = Problem

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self._undescribed: list[SmorestBlueprint] = []
        self._describing = threading.Lock()

    def register_blueprint(self, blp: SmorestBlueprint, **options: Any) -> None:
        """Its views. They are described when somebody asks for the document: half of every start would go into it."""
        self._app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        self._app.register_blueprint(blp, **options)
        self._undescribed.append(blp)

    def _openapi_json(self) -> Response:
        with self._describing:
            for blueprint in self._undescribed:
                blueprint.register_views_in_doc(
                    self, self._app, self.spec, name=blueprint.name, parameters=None
                )
                self.spec.tag({"name": blueprint.name, "description": blueprint.description})
            self._undescribed.clear()
            return super()._openapi_json()

    def _register_error_handlers(self) -> None:
        """None of its own: one handler maps every refusal, on pages and API alike."""

    def _register_responses(self) -> None:
        """Describe every error status as RFC 9457."""
        self.DEFAULT_RESPONSE_CONTENT_TYPE = "application/problem+json"
        super()._register_responses()
        self.DEFAULT_RESPONSE_CONTENT_TYPE = Api.DEFAULT_RESPONSE_CONTENT_TYPE


def init_app(app: Flask) -> PocdirApi:
    """The API's document at /api/v1/openapi.json; its views are registered by the application."""
    app.config.update(
        API_TITLE="pocdir",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/api/v1",
        OPENAPI_JSON_PATH="openapi.json",
        ETAG_DISABLED=True,
    )
    description = (
        "Directory of CERTs, CSIRTs and points of contact, and the record of who was told. "
        "Errors are RFC 9457 problem details with a stable `code`."
    )
    api = PocdirApi(spec_kwargs={"marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=_name)})
    api.init_app(app, spec_kwargs={"info": {"description": description, "license": {"name": "Apache-2.0"}}})
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    return api


def _name(schema: Any) -> str:
    name = schema if isinstance(schema, str) else getattr(schema, "__name__", type(schema).__name__)
    return name.removesuffix("Schema")


def documented(
    blueprint: Blueprint,
    schema: type[ma.Schema] | dict[str, Any],
    content_type: str = "application/json",
    **operation: Any,
) -> Callable[[View], View]:
    """Describe a view that reads its request and writes its answer by itself: nothing is wrapped around it."""

    def decorate(view: View) -> View:
        answers = blueprint.alt_response(200, schema=schema, content_type=content_type, success=True)
        described = answers(blueprint.doc(**operation)(view))
        view._apidoc = described._apidoc  # type: ignore[attr-defined]
        return view

    return decorate
