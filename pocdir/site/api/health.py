"""Whether the service is well, for monitors: health, metrics, and whom to tell about a weakness."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, current_app, jsonify
from sqlalchemy.exc import DBAPIError

from pocdir import running
from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.core.errors import Unavailable
from pocdir.core.times import isoformat
from pocdir.core.version import VERSION
from pocdir.mail.own_key import own_key
from pocdir.mail.rules.encryption import public_of
from pocdir.outreach.queries.notifications import last_tick
from pocdir.outreach.queries.past_due import is_past_due

LATE = dt.timedelta(seconds=60)
CONTACT_EXPIRES = dt.timedelta(days=180)
STARTED, ANSWERS = "pocdir.started", "pocdir.answers"

blueprint = Blueprint("health", __name__)


@blueprint.record
def _begin(state: Any) -> None:
    state.app.extensions[STARTED] = clock.now()
    state.app.extensions[ANSWERS] = [0] * 6


@blueprint.after_app_request
def _count(response: Response) -> Response:
    # A count lost between two threads is not worth a lock on every answer.
    current_app.extensions[ANSWERS][response.status_code // 100] += 1
    return response


@blueprint.get("/healthz")
@guard("page.read")
def healthz() -> Response:
    """200 while the database answers and the worker goes round; else 503 `database_unreachable`, `worker_late`.

    `past_due`: something fell due and its event is not written; the service itself answers all the same.
    """
    tick = _last_tick()
    now = clock.now()
    if now - max(tick or now - 2 * LATE, current_app.extensions[STARTED]) > LATE:
        said = f"last at {isoformat(tick)}" if tick else "never"
        raise Unavailable("worker_late", f"the worker went round {said}", retry_after=5)
    worker = {"last_tick": isoformat(tick) if tick else None, "past_due": is_past_due(now - LATE)}
    return jsonify(status="ok", worker=worker, version=VERSION)


@blueprint.get("/metrics")
@guard("page.read")
def metrics() -> Response:
    """Technical figures for Prometheus; nothing of who was told what, not even a count."""
    from prometheus_client import CollectorRegistry, ProcessCollector, exposition  # not at every start

    registry = CollectorRegistry()
    registry.register(_Figures())
    ProcessCollector(registry=registry)
    return Response(exposition.generate_latest(registry), content_type=exposition.CONTENT_TYPE_LATEST)


@blueprint.get("/.well-known/security.txt")
@guard("page.read")
def security_txt() -> Response:
    """RFC 9116: whom to tell about a weakness of this service."""
    settings = running.settings()
    contact = f"mailto:{settings.mail_from}" if settings.mail_from else f"{settings.external_url}/"
    expires = (clock.now() + CONTACT_EXPIRES).replace(hour=0, minute=0, second=0, microsecond=0)
    lines = (
        f"Contact: {contact}",
        f"Expires: {isoformat(expires)}",
        "Preferred-Languages: en",
        f"Canonical: {settings.external_url}/.well-known/security.txt",
    )
    return Response("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")


class _Figures:
    """What this process counted; one Prometheus collector per scrape."""

    def collect(self) -> Iterator[Any]:
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        answers = CounterMetricFamily("pocdir_http_answers", "Answers by class of status.", labels=["status"])
        for first, count in enumerate(current_app.extensions[ANSWERS]):
            if first:
                answers.add_metric([f"{first}xx"], count)
        yield answers
        build = GaugeMetricFamily("pocdir_build", "The version that runs.", labels=["version"])
        build.add_metric([VERSION], 1)
        yield build
        tick = _last_tick()
        if tick:
            words = "When the worker last went round."
            yield GaugeMetricFamily("pocdir_worker_last_tick_seconds", words, value=tick.timestamp())


def _last_tick() -> dt.datetime | None:
    try:
        return last_tick()
    except DBAPIError:
        raise Unavailable("database_unreachable", "the database does not answer", retry_after=5) from None


@blueprint.get("/openpgp.asc")
@guard("page.read")
def openpgp_key() -> Response:
    """The public key of this service, with which it signs the letters that it encrypts."""
    return Response(public_of(own_key(running.settings()))[1], content_type="application/pgp-keys")
