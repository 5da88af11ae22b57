"""Logging a notification, and appending to the ledger, beside raw INSERTs with one commit each on the same file."""

from __future__ import annotations

import io
import json
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import EnvironBuilder

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.core import clock
from pocdir.core.refs import new_ref
from pocdir.db import transaction
from pocdir.ledger.actions import append
from pocdir.outreach.actions.notifications import NewNotification, log_notification

CALLS = 1500
NOTIFICATION = "0192f3a4-0000-7000-8000-000000000001"


def per_second(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Calls a second by the median call (a commit waits for the disk), all taking turns call by call."""
    took: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(CALLS):
        for name, call in work.items():
            start = time.perf_counter()
            call()
            took[name].append(time.perf_counter() - start)
    return {name: 1 / statistics.median(times) for name, times in took.items()}


def raw_connection(file: Path) -> sqlite3.Connection:
    """The driver alone on the service's own file, as durable as the service."""
    connection = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def raw_event(file: Path) -> Callable[[], None]:
    """The row of one event with its indexes, one durable commit: what the database does for `append`."""
    connection = raw_connection(file)
    cursor = connection.execute("SELECT * FROM events WHERE notification IS NOT NULL LIMIT 1")
    row, width = cursor.fetchone()[1:], len(cursor.description)
    assert cursor.description[0][0] == "id"
    statement = f"INSERT INTO events VALUES ({', '.join('?' * width)})"

    def call() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(statement, (new_ref(clock.now()), *row))
        connection.execute("COMMIT")

    return call


def raw_row(file: Path) -> Callable[[], None]:
    """One row of an event's size in a table with nothing but a key, one durable commit: what the disk does."""
    connection = raw_connection(file)
    connection.execute("CREATE TABLE IF NOT EXISTS raw (ref TEXT PRIMARY KEY, body TEXT)")

    def call() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO raw VALUES (?, ?)", (new_ref(clock.now()), "x" * 400))
        connection.execute("COMMIT")

    return call


def appended() -> None:
    """One event with a sealed value, in a transaction of its own."""
    with transaction() as session:
        append(
            session,
            type="ack.given",
            now=clock.now(),
            actor="service",
            claimed_by="sender",
            assurance="S",
            notification=NOTIFICATION,
            payload={"via": "phone", "note": "we have it"},
        )


class Client:
    """A workspace with a token of its own, which posts in process."""

    def __init__(self, app: Flask) -> None:
        self.app, now = app, clock.now()
        with transaction() as session:
            workspace = create_workspace(session, name="bench", now=now, actor="operator")
            self.workspace_id = workspace.id
            self.token = create_token(session, workspace_id=workspace.id, now=now, actor="operator")[1]

    def post(self, path: str, given: dict[str, Any]) -> Callable[[str], None]:
        """A call that posts the same to one path after the other; what stands for `{}` in `path` is given."""
        body = json.dumps(given).encode()
        environ = EnvironBuilder(
            path=path, method="POST", data=body, content_type="application/json",
            headers={"Authorization": f"Bearer {self.token}"},
        ).get_environ()  # fmt: skip

        def call(ref: str = "") -> None:
            asked = {**environ, "PATH_INFO": path.format(ref), "wsgi.input": io.BytesIO(body)}
            answer = self.app.wsgi_app(asked, _created)
            b"".join(answer)
            close = getattr(answer, "close", None)
            if close:
                close()

        return call


def _created(status: str, _headers: Any, _error: Any = None) -> Any:
    if not status.startswith("201"):
        raise RuntimeError(status)


def logged(client: Client, team: str) -> Callable[[], None]:
    """One POST /api/v1/notifications."""
    post = client.post(
        "/api/v1/notifications", {"team": team, "subject": "Sinkhole hits", "assets": ["203.0.113.70"]}
    )
    return lambda: post("")


def acknowledged(client: Client, team: str) -> Callable[[], None]:
    """One POST /api/v1/notifications/{ref}/events, each to a notification that waits for an answer."""
    told = NewNotification(team=team, channel=("email", "desk@example.org"), subject="Sinkhole hits")
    with transaction() as session:
        refs = iter(
            [
                log_notification(
                    session, told, workspace_id=client.workspace_id, now=clock.now(), actor="operator"
                )
                for _ in range(CALLS)
            ]
        )
    given = {"type": "ack.given", "payload": {"via": "phone", "note": "we have it"}}
    post = client.post("/api/v1/notifications/{}/events", given)
    return lambda: post(next(refs))


def measure(app: Flask, file: Path, team: str) -> dict[str, float]:
    """Calls a second; `app` is migrated and seeded into `file`, `team` the slug of one with a live channel."""
    app.config["RATELIMIT_ENABLED"] = False  # one workspace logs thousands here
    with app.app_context():
        client = Client(app)
        post, answer = logged(client, team), acknowledged(client, team)
        appended()
        raw = {"raw row": raw_row(file), "raw event": raw_event(file)}
        rates = per_second(raw | {"ledger append": appended})
    # Outside any application context, as a server calls it: each request makes its own.
    again = {f"{name} again": call for name, call in raw.items()}
    return rates | per_second(again | {"POST /notifications": post, "POST .../events": answer})
