"""One place where a refusal becomes an answer: problem+json (RFC 9457) under /api, a page elsewhere."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import structlog
from flask import Flask, Response, render_template, request
from flask_babel import gettext
from marshmallow import ValidationError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, TimeoutError
from werkzeug.exceptions import BadHost, HTTPException

from pocdir.core.errors import Refusal
from pocdir.db import is_busy

MACHINE_PATHS = (
    "/api/", "/log/", "/first/", "/ti/", "/directory/certbund.txt", "/directory/dump.json", "/directory/key",
    "/intelmq/", "/healthz", "/metrics",
)  # fmt: skip
CODES = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "timed_out",
    411: "length_required",
    413: "too_large",
    414: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_many",
    431: "too_large",
    500: "internal",
    503: "busy",
}

_log = structlog.get_logger("pocdir.web")


def init_app(app: Flask) -> None:
    """Register the handlers: our refusals, those of schemas and framework, and what nobody foresaw."""
    app.register_error_handler(Refusal, refused)
    app.register_error_handler(ValidationError, not_as_described)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unforeseen)


def refused(error: Refusal) -> Response:
    """The answer to one of our own refusals."""
    response = answer(error.status, error.code, error.message, error.errors)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def not_as_described(error: ValidationError) -> Response:
    """The answer to input that its schema refuses."""
    errors = flat_messages(error.messages)
    return answer(422, "invalid", in_words(errors), errors)


def http_error(error: HTTPException) -> Response:
    """The answer to an error of the framework (unknown path, wrong method, unreadable body)."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    if isinstance(error, BadHost) and not request.path.startswith(MACHINE_PATHS):
        said = "The Host header of this request is no name of a host.\n"
        return Response(said, 400, content_type="text/plain; charset=utf-8")  # a page could link to nothing
    status = error.code or 500
    data: Mapping[str, Any] = getattr(error, "data", None) or {}
    errors = flat_messages(data.get("messages") or {})
    detail = in_words(errors) or error.description or error.name
    response = answer(status, CODES.get(status, "refused"), detail, errors)
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def unforeseen(error: Exception) -> Response:
    """A fault of ours: logged with its trace, told without it; a database locked or out of reach is 503."""
    if isinstance(error, DBAPIError) and is_busy(error):
        response = answer(503, "busy", "The database is busy; try again.", {})
        response.headers["Retry-After"] = "2"
        return response
    _log.exception("unforeseen", endpoint=request.endpoint, method=request.method)
    if isinstance(error, SQLAlchemyError) and _is_away(error):
        unsure = "The database does not answer. Look whether it was saved before you do it again."
        response = answer(503, "database_unreachable", unsure, {})
        response.headers["Retry-After"] = "10"
        return response
    return answer(
        500,
        "internal",
        "This is our fault, and it has been logged. Look whether it was saved before you do it again.",
        {},
    )


def _is_away(error: SQLAlchemyError) -> bool:
    """Whether the database was not there to be asked, rather than asked something wrong."""
    if isinstance(error, OperationalError) and isinstance(error.orig, sqlite3.OperationalError):
        return not str(error.orig).startswith(("no such", "near"))  # SQLite's word for a fault of ours
    return isinstance(error, (OperationalError, InterfaceError, TimeoutError))


def answer(status: int, code: str, detail: str, errors: Mapping[str, list[str]]) -> Response:
    """problem+json for machines, the error page for people."""
    title = HTTPStatus(status).phrase
    if request.path.startswith(MACHINE_PATHS):
        problem = {
            "type": "about:blank",
            "title": title,
            "status": status,
            "detail": detail,
            "code": code,
            "errors": dict(errors),
        }
        return Response(json.dumps(problem), status, content_type="application/problem+json")
    message, rest = _said_once(detail, errors)
    page = render_template(
        "error.html", status=status, title=title, code=code, message=message, errors=rest,
        without=_without(errors),
    )  # fmt: skip
    return Response(page, status)


def _said_once(detail: str, errors: Mapping[str, list[str]]) -> tuple[str, Mapping[str, list[str]]]:
    """The sentences of a page, and those of the errors that they do not say."""
    if errors and all(name in request.args for name in errors) and detail == in_words(errors):
        said = []
        for name, what in errors.items():
            given = f"{name}={request.args[name][:60]}"
            said.append(gettext("The address of this page says %(said)s.", said=given))
            said += [sentence(gettext(each)) for each in what]
        return " ".join(said), {}
    if errors and detail == in_words(errors):
        return "", errors
    rest = {name: what for name, what in errors.items() if not all(each in detail for each in what)}
    return sentence(gettext(detail)) if detail else "", rest


def _without(errors: Mapping[str, list[str]]) -> str | None:
    """The same page without what its address cannot mean; None where nothing in the address was wrong."""
    if request.method != "GET" or not any(name in request.args for name in errors):
        return None
    kept = [(name, value) for name, value in request.args.items(multi=True) if name not in errors]
    return request.path + ("?" + urlencode(kept) if kept else "")


def in_words(errors: Mapping[str, list[str]]) -> str:
    """`{"a": ["b"]}` as one line."""
    return "; ".join(f"{where}: {' '.join(what)}" for where, what in errors.items())


def sentence(message: str) -> str:
    """A refusal as a page says it; on the command line and in JSON it stays a phrase."""
    return message[:1].upper() + message[1:] + ("" if message[-1:] in ".?!)" else ".")


def flat_messages(messages: Any, path: str = "") -> dict[str, list[str]]:
    """marshmallow's (and webargs') nested messages as `{"expect.0.within": ["..."]}`."""
    if isinstance(messages, Mapping):
        flat: dict[str, list[str]] = {}
        for key, inner in messages.items():
            step = path if key in ("json", "query", "form", "_schema") else f"{path}.{key}".strip(".")
            for where, what in flat_messages(inner, step).items():
                flat.setdefault(where, []).extend(what)
        return flat
    words = messages if isinstance(messages, list) else [messages]
    return {path or "body": [str(word) for word in words]}
