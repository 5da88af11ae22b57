"""/healthz, /metrics and /.well-known/security.txt."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.core import clock
from pocdir.core.version import VERSION
from pocdir.db import db, transaction, writing
from pocdir.outreach import jobs as outreach
from pocdir.outreach.actions.lapses import tick
from pocdir.site.api.health import STARTED
from tests.conftest import Api
from tests.site.made import record


@pytest.fixture
def started(app: Flask) -> dt.datetime:
    """The application has just come up."""
    app.extensions[STARTED] = clock.now()
    return clock.now()


def test_a_fresh_service_is_well_before_its_first_tick(client: FlaskClient, started: dt.datetime) -> None:
    answer = client.get("/healthz")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "ok",
        "worker": {"last_tick": None, "past_due": False},
        "version": VERSION,
    }


def test_the_last_tick_is_told(client: FlaskClient, started: dt.datetime) -> None:
    with transaction() as session:
        tick(session, now=dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC))
    assert client.get("/healthz").json["worker"]["last_tick"] == "2026-11-22T12:00:00Z"


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (61, 503)])
def test_a_worker_that_does_not_go_round_for_a_minute_is_told(
    client: FlaskClient, started: dt.datetime, seconds: int, status: int
) -> None:
    with time_machine.travel(started + dt.timedelta(seconds=seconds), tick=False):
        answer = client.get("/healthz")
    assert answer.status_code == status
    if status == 503:
        assert answer.content_type == "application/problem+json"
        assert answer.json["code"] == "worker_late"
        assert answer.headers["Retry-After"]


def test_a_worker_that_goes_round_keeps_an_old_service_well(
    client: FlaskClient, started: dt.datetime
) -> None:
    later = started + dt.timedelta(days=3)
    with transaction() as session:
        tick(session, now=later)
    with time_machine.travel(later + dt.timedelta(seconds=30), tick=False):
        assert client.get("/healthz").status_code == 200


def test_a_database_that_does_not_answer_is_told(app: Flask, started: dt.datetime) -> None:
    db.session.remove()
    with writing(db.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE worker_ticks RENAME TO worker_ticks_gone")
    try:
        answer = app.test_client().get("/healthz")
        assert (answer.status_code, answer.json["code"]) == (503, "database_unreachable")
    finally:
        with writing(db.engine) as connection:
            connection.exec_driver_sql("ALTER TABLE worker_ticks_gone RENAME TO worker_ticks")


def test_metrics_tell_of_answers_and_the_worker_and_of_no_outreach(
    client: FlaskClient, now: dt.datetime
) -> None:
    with transaction() as session:
        tick(session, now=now)
    client.get("/nowhere")
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")
    assert 'pocdir_http_answers_total{status="4xx"}' in answer.text
    assert "\npocdir_worker_last_tick_seconds " in answer.text
    assert "notification" not in answer.text


def test_security_txt_says_whom_to_tell_and_until_when_it_holds(client: FlaskClient) -> None:
    answer = client.get("/.well-known/security.txt")
    assert answer.content_type == "text/plain; charset=utf-8"
    fields = dict(line.split(": ", 1) for line in answer.text.splitlines())
    assert fields["Contact"] == "http://localhost:8000/"
    assert fields["Canonical"] == "http://localhost:8000/.well-known/security.txt"
    assert dt.datetime.fromisoformat(fields["Expires"]) > clock.now()


def test_what_is_past_due_without_its_event_is_told(api: Api, started: dt.datetime, now: dt.datetime) -> None:
    record(api, now)
    assert api.post("/api/v1/notifications", {"team": "isp"}).status_code == 201
    later = started + dt.timedelta(days=30)
    with time_machine.travel(later, tick=False):
        outreach.beat(later)
        assert api.get("/healthz").json["worker"]["past_due"] is True
        outreach.record_lapses(later)
        assert api.get("/healthz").json["worker"]["past_due"] is False
