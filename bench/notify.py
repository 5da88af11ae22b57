"""Logging a notification, and appending to the ledger, beside raw INSERTs with one commit each on the same disk."""

from __future__ import annotations

import io
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import EnvironBuilder

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.ledger.actions import append
from pocdir.web import limits

CALLS, ROUNDS = 300, 5
NOTIFICATION = "0192f3a4-0000-7000-8000-000000000001"


def per_second(work: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Calls a second by the wall clock (a commit waits for the disk): the best round, all taking turns."""
    best = dict.fromkeys(work, 0.0)
    for _ in range(ROUNDS):
        for name, call in work.items():
            start = time.perf_counter()
            for _ in range(CALLS):
                call()
            best[name] = max(best[name], CALLS / (time.perf_counter() - start))
    return best


def raw_insert(folder: Path) -> Callable[[], None]:
    """One row of a notification's size, one durable commit."""
    connection = sqlite3.connect(folder / "raw.db", isolation_level=None)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE IF NOT EXISTS raw (ref TEXT PRIMARY KEY, body TEXT)")
    number = 0

    def call() -> None:
        nonlocal number
        number += 1
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO raw VALUES (?, ?)", (f"{time.time_ns()}-{number}", "x" * 400))
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


def logged(app: Flask, team: str) -> Callable[[], None]:
    """One POST /api/v1/notifications in process."""
    now = clock.now()
    with transaction() as session:
        workspace = create_workspace(session, name="bench", now=now, actor="operator")
        token = create_token(session, workspace_id=workspace.id, now=now, actor="operator")[1]
    body = json.dumps({"team": team, "subject": "Sinkhole hits", "assets": ["203.0.113.70"]}).encode()
    environ = EnvironBuilder(
        path="/api/v1/notifications",
        method="POST",
        data=body,
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    ).get_environ()

    def start(status: str, _headers: Any, _error: Any = None) -> Any:
        if not status.startswith("201"):
            raise RuntimeError(status)

    def call() -> None:
        answer = app.wsgi_app({**environ, "wsgi.input": io.BytesIO(body)}, start)
        b"".join(answer)
        close = getattr(answer, "close", None)
        if close:
            close()

    return call


def measure(app: Flask, folder: Path, team: str) -> dict[str, float]:
    """Calls a second; `app` is migrated and seeded, `team` the slug of one with a live channel."""
    limits.spend = lambda *_: None  # type: ignore[assignment] - one workspace logs thousands here
    with app.app_context():
        post = logged(app, team)
        work = {"raw INSERT": raw_insert(folder), "ledger append": appended}
        rates = per_second(work)
    # Outside any application context, as a server calls it: each request makes its own.
    return rates | per_second({"raw INSERT again": raw_insert(folder), "POST /notifications": post})
