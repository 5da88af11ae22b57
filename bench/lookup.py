"""A single lookup over HTTP, in CPU: beside a view that does nothing, and beside Flask alone."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable
from functools import partial
from random import Random
from typing import Any

from flask import Blueprint, Flask, Response
from werkzeug.test import EnvironBuilder

from bench.measure import seconds_per_call
from pocdir.accounts.guards import guard
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import answered, question
from pocdir.routing.rules.resolver import answer_json, answer_text

CALLS = 100
# Addresses of different networks and countries, so that no answer is remembered from the one before.
ADDRESSES = (
    "193.0.6.139", "8.8.8.8", "1.1.1.1", "195.3.96.67", "130.92.9.51", "202.12.29.205", "200.3.14.184",
    "196.216.2.6", "38.87.230.17", "180.222.136.9", "2001:67c:2e8:22::c100:68b", "2a00:1450:4001:82a::200e",
)  # fmt: skip

ASKERS = [f"192.0.2.{last}" for last in range(256)]  # so many that none of them asks too often


def nothing() -> Response:
    return Response("{}", content_type="application/json")


def bare() -> Flask:
    """Flask alone with one view."""
    app = Flask("bare")
    app.add_url_rule("/api/v1/nothing", view_func=nothing)
    return app


def with_nothing(app: Flask) -> Flask:
    """The application with views that do nothing: one behind the same guard as the lookup, one behind none."""
    blueprint = Blueprint("bench", __name__, url_prefix="/api/v1")
    blueprint.add_url_rule("/nothing", "nothing", nothing)
    blueprint.add_url_rule("/guarded", "guarded", guard("lookup.ask")(nothing))
    app.register_blueprint(blueprint)
    return app


def request(app: Flask, path: str, query: str = "") -> Callable[[], None]:
    """One WSGI call from a prepared environment, as a server makes it; raises when the answer is not 200."""
    environ = EnvironBuilder(
        path=path,
        query_string=query,
        headers={"User-Agent": "curl/8.5.0", "Accept": "*/*", "Host": "localhost:8000"},
    ).get_environ()
    statuses: list[str] = []

    def start(status: str, _headers: Any, _error: Any = None) -> Any:
        statuses.append(status)
        return None

    asker = itertools.cycle(ASKERS)

    def call() -> None:
        answer = app.wsgi_app({**environ, "REMOTE_ADDR": next(asker)}, start)
        b"".join(answer)
        close = getattr(answer, "close", None)
        if close:
            close()
        if statuses.pop() != "200 OK":
            raise RuntimeError(f"{path}: not 200")

    return call


def in_turn(calls: Iterable[Callable[[], None]]) -> Callable[[], None]:
    """One call after the other, from the first again after the last."""
    every = list(calls)
    at = 0

    def call() -> None:
        nonlocal at
        every[at]()
        at = (at + 1) % len(every)

    return call


def addresses(count: int) -> list[str]:
    """Public IPv4 addresses of any network, the same ones every time."""
    random = Random(1)
    return [
        f"{random.randrange(11, 100)}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"
        for _ in range(count)
    ]


def in_process(known: Index) -> dict[str, float]:
    """Lookups a second of CPU, from text to: the ranked result as frozen values, JSON-ready, as JSON text.

    Every address is another one; the index has met none of them before.
    """
    asked = question(known, on=dt.date(2026, 11, 22), country_by="registered")
    kinds: dict[str, Callable[[str], object]] = {
        "frozen values": lambda text: answered(known, text, asked),
        "JSON-ready": lambda text: answer_json(answered(known, text, asked)),
        "JSON text": lambda text: answer_text(answered(known, text, asked)),
    }
    seconds = seconds_per_call(
        {name: in_turn([partial(ask, text) for text in addresses(20_000)]) for name, ask in kinds.items()},
        2_000,
        rounds=10,
    )
    return {name: 1 / each for name, each in seconds.items()}


def measure(app: Flask) -> dict[str, float]:
    """CPU seconds of one request of each kind; `app` is seeded and has not served yet."""
    with_nothing(app)
    return seconds_per_call(
        {
            "bare Flask": request(bare(), "/api/v1/nothing"),
            "do-nothing view": request(app, "/api/v1/nothing"),
            "do-nothing view, guarded": request(app, "/api/v1/guarded"),
            "lookup": in_turn(request(app, "/api/v1/lookup", f"q={address}") for address in ADDRESSES),
        },
        CALLS,
    )
