"""The service's processes: web, worker, or both in one."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import click
import structlog
from flask import Flask
from sqlalchemy.exc import DBAPIError

from pocdir.accounts import jobs as accounts_jobs
from pocdir.config import Settings
from pocdir.core import clock
from pocdir.core.errors import Refusal, Unavailable
from pocdir.db import db
from pocdir.outreach import jobs as outreach_jobs
from pocdir.routing.queries import refresh
from pocdir.site.actions.start import prepare
from pocdir.web.terminal import app_context

JOBS: tuple[Callable[..., int], ...] = (
    outreach_jobs.record_lapses,
    accounts_jobs.save_token_uses,
    outreach_jobs.forget_old_keys,
    outreach_jobs.beat,
)
REFRESH_SECONDS = 2.0
_log = structlog.get_logger("pocdir.worker")


@click.command()
def up() -> None:
    """Migrate (after copying the SQLite file aside), seed when empty, serve web, API and worker.

    \b
    Example:  POCDIR_PORT=8080 pocdir up
    """
    with app_context() as app:
        settings = app.extensions["pocdir"]
        for line in prepare(app, now=clock.now()):
            click.echo(line)
        with _only_worker(settings) as alone:
            run(app, web=True, worker=alone)


@click.command()
def serve() -> None:
    """Serve web and API alone (the worker runs elsewhere).

    \b
    Example:  pocdir serve
    """
    with app_context() as app:
        run(app, web=True, worker=False)


@click.command(name="worker")
@click.option("--once", is_flag=True, help="Go round once and stop.")
def work(once: bool) -> None:
    """Run the worker alone.

    \b
    Example:  pocdir worker
    """
    with app_context() as app:
        settings = app.extensions["pocdir"]
        if once:
            go_round(app)
            return
        run(app, web=False, worker=True)


def run(app: Flask, *, web: bool, worker: bool) -> None:
    """Serve until SIGTERM or SIGINT; raises Unavailable `port_taken` before anything has started."""
    settings: Settings = app.extensions["pocdir"]
    stop = threading.Event()
    sockets = [listening(settings)] if web else []
    threads = [threading.Thread(target=_refreshing, args=(app, stop), name="index")] if web else []
    if worker:
        threads.append(threading.Thread(target=_working, args=(app, settings.tick, stop), name="worker"))
    for thread in threads:
        thread.start()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        if web:
            import waitress

            server = waitress.create_server(
                app, sockets=sockets, threads=8, ident=None, clear_untrusted_proxy_headers=False
            )
            click.echo(f"pocdir is ready at {settings.external_url}")
            server.run()
        else:
            stop.wait()
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=4)


def listening(settings: Settings) -> socket.socket:
    """A bound socket; raises Unavailable `port_taken`."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            "port_taken", f"cannot listen on {settings.host}:{settings.port}: {error.strerror}; set POCDIR_PORT"
        ) from None
    return listener


def go_round(app: Flask) -> None:
    """Every job once; a job that fails is logged and does not stop the others."""
    with app.app_context():
        for job in JOBS:
            try:
                job(clock.now())
            except (Refusal, DBAPIError):
                # What a job writes is one transaction: it failed whole, and the next round does it.
                _log.exception("job failed", job=job.__name__)
            finally:
                db.session.remove()


def _working(app: Flask, tick: float, stop: threading.Event) -> None:
    while not stop.is_set():
        go_round(app)
        stop.wait(tick)


def _refreshing(app: Flask, stop: threading.Event) -> None:
    """Other processes change the directory too: lookups see it within seconds."""
    while not stop.wait(REFRESH_SECONDS):
        with app.app_context():
            try:
                refresh(app)
            except DBAPIError:
                _log.exception("index not refreshed")
            finally:
                db.session.remove()


@contextlib.contextmanager
def _only_worker(settings: Settings) -> Iterator[bool]:
    """Whether this process is the one that works; a second `up` on the same folder only serves."""
    with (settings.data / "worker.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
