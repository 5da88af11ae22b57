"""The service's processes: web, worker, or both in one."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import fcntl
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from types import FrameType

import click
import structlog
from flask import Flask

from pocdir import config
from pocdir.accounts import jobs as accounts_jobs
from pocdir.config import Settings
from pocdir.core import clock
from pocdir.core.errors import Conflict, Unavailable
from pocdir.db import db
from pocdir.directory.checks import jobs as checks_jobs
from pocdir.directory.keys import jobs as keys_jobs
from pocdir.directory.merging import jobs as merging_jobs
from pocdir.directory.proposals import jobs as proposals_jobs
from pocdir.directory.quarantine import jobs as quarantine_jobs
from pocdir.mail import jobs as mail_jobs
from pocdir.outreach import jobs as outreach_jobs
from pocdir.outreach.desk import jobs as desk_jobs
from pocdir.outreach.escalation import jobs as escalation_jobs
from pocdir.outreach.replies import jobs as replies_jobs
from pocdir.outreach.sending import jobs as sending_jobs
from pocdir.outreach.webhooks import heartbeat
from pocdir.outreach.webhooks import jobs as webhook_jobs
from pocdir.outreach.webhooks.rules import OFF
from pocdir.routing.queries import refresh
from pocdir.routing.uploads import jobs as upload_jobs
from pocdir.site import jobs as site_jobs
from pocdir.site.actions.start import prepare, require_current, require_possible, way_in
from pocdir.site.api.health import STARTED
from pocdir.web import logs
from pocdir.web.terminal import app_context

# Hardly one needs another before it: each looks at the database anew. The webhooks' tell of this round too.
JOBS: tuple[Callable[..., int], ...] = (
    outreach_jobs.record_lapses,
    quarantine_jobs.apply_due,
    merging_jobs.apply_due,
    accounts_jobs.save_token_uses,
    accounts_jobs.forget_what_ended,
    outreach_jobs.forget_old_keys,
    mail_jobs.tidy,
    proposals_jobs.enter_due,
    proposals_jobs.lapse,
    checks_jobs.note_letters,
    sending_jobs.note_letters,
    checks_jobs.read_mail,
    replies_jobs.read_replies,
    escalation_jobs.follow_returned,
    escalation_jobs.record_steps,  # after the mail was read: an answer that came stops them
    checks_jobs.keep_true,
    keys_jobs.look_after_keys,
    desk_jobs.send_digests,
    upload_jobs.route_waiting,
    upload_jobs.forget_old,
    site_jobs.keep_no_longer,
    webhook_jobs.queue,
    webhook_jobs.tidy,
)
THREADS = 8
REFRESH_SECONDS = 2.0
STOP_SECONDS = 4.0
_log = structlog.get_logger("pocdir.worker")


@click.command()
def up() -> None:
    """Migrate (after copying the SQLite file aside), seed when empty, serve web, API and worker.

    \b
    Example:  POCDIR_PORT=8080 pocdir up
    """
    listener = bound(config.look())
    with app_context(before=require_possible, serving=True) as app:
        stop, settings = stopping(), with_real_port(app, listener)
        for line in prepare(settings, now=clock.now()):
            click.echo(line)
        with only_worker(settings) as alone:
            if not alone:
                click.echo("Another process works on this folder already; this one only serves.")
            link = way_in(settings, now=clock.now())
            run(app, stop, listener=listener, worker=alone, last_words=link)


@click.command()
def serve() -> None:
    """Serve web and API alone (the worker runs elsewhere).

    \b
    Example:  pocdir serve
    """
    with app_context(serving=True) as app:
        require_current()
        listener = bound(app.extensions["pocdir"])
        stop = stopping()
        with_real_port(app, listener)
        run(app, stop, listener=listener, worker=False)


@click.command(name="worker")
@click.option("--once", is_flag=True, help="Go round once and stop.")
def work(once: bool) -> None:
    """Run the worker alone.

    \b
    Example:  pocdir worker
    """
    with app_context() as app:
        require_current()
        logs.init(app.extensions["pocdir"].log_level)
        stop = stopping()
        if once:
            if not all([go_round(app), post(app), tell(app)]):  # each, whatever became of the one before
                raise click.exceptions.Exit(1)
            return
        with only_worker(app.extensions["pocdir"]) as alone:
            if not alone:
                raise Conflict("worker_running", "another process works on this folder already")
            run(app, stop, listener=None, worker=True)


def run(
    app: Flask,
    stop: threading.Event,
    *,
    listener: socket.socket | None,
    worker: bool,
    last_words: str | None = None,
) -> None:
    """Serve on the listener (if any), work (if asked), until SIGTERM or SIGINT."""
    threads = list(_threads(app, stop, serves=listener is not None, works=worker))
    try:
        for thread in threads:
            thread.start()
        if listener is not None:
            _serve(app, listener, last_words)
        else:
            stop.wait()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        if listener is not None:
            _save_uses(app)
        signal.setitimer(signal.ITIMER_REAL, 0)  # else it goes off while Python takes itself apart


def _threads(app: Flask, stop: threading.Event, *, serves: bool, works: bool) -> Iterator[threading.Thread]:
    settings: Settings = app.extensions["pocdir"]

    def again(name: str, work: Callable[[], object], every: float = settings.tick) -> threading.Thread:
        return threading.Thread(target=_until, args=(stop, work, every), name=name, daemon=True)

    if serves:  # other processes change the directory too: lookups see it within seconds
        yield again("index", _refreshing(app), REFRESH_SECONDS)
    if works:
        yield again("worker", lambda: go_round(app))
        if settings.relay:  # in a thread of its own: a relay that takes its time holds up no clock
            yield again("post", lambda: post(app, stop))
        if settings.webhooks != OFF:  # nor does another program's server
            yield again("webhooks", lambda: tell(app, stop))
        if settings.heartbeat_url:
            yield again("heartbeat", lambda: say_alive(app), heartbeat.EVERY)
    elif serves:  # the worker is another process: what this one alone remembers, it writes down itself
        yield again("uses", lambda: _save_uses(app))


def _until(stop: threading.Event, work: Callable[[], object], every: float) -> None:
    while not stop.is_set():
        work()
        stop.wait(every)


def stopping() -> threading.Event:
    """An event that SIGTERM and SIGINT set, ending the main thread; four seconds later nothing runs any more."""
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(1)  # asked twice: now
        stop.set()
        # Whatever still runs then was not answered yet; its transaction rolls back.
        signal.signal(signal.SIGALRM, lambda _signal, _frame: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return stop


def bound(settings: Settings) -> socket.socket:
    """A socket bound to the address of the settings, before anything else is done; raises `port_taken`."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        raise _port_taken(settings, error) from None
    return listener


def with_real_port(app: Flask, listener: socket.socket) -> Settings:
    """The settings with the real port, where 0 was asked for."""
    settings: Settings = app.extensions["pocdir"]
    settings = app.extensions["pocdir"] = dataclasses.replace(settings, port=listener.getsockname()[1])
    return settings


def _port_taken(settings: Settings, error: OSError) -> Unavailable:
    where = f"{settings.host}:{settings.port}"
    return Unavailable(
        "port_taken", f"cannot listen on {where}: {error.strerror}; set POCDIR_HOST or POCDIR_PORT"
    )


def _serve(app: Flask, listener: socket.socket, last_words: str | None) -> None:
    import waitress

    settings: Settings = app.extensions["pocdir"]
    # It warns of each request that waits for a thread for a moment.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    try:
        server = waitress.create_server(
            app,
            sockets=[listener],
            threads=THREADS,
            ident=None,
            # More than the application takes: the refusal is then its own, with a stable code.
            max_request_body_size=app.config["MAX_CONTENT_LENGTH"] * 4 + settings.upload_mb * 1024**2,
            # ProxyFix believes as many hops as the settings say, and is not there when they say none.
            clear_untrusted_proxy_headers=not settings.trusted_proxies,
        )
    except OSError as error:  # bound by two, listened on by one
        raise _port_taken(settings, error) from None
    config.keep_served(settings)
    app.extensions[STARTED] = clock.now()  # a first start prepares for minutes before its worker can be late
    click.echo("\n\n".join(filter(None, (f"pocdir is ready at {settings.external_url}", last_words))))
    logs.init(settings.log_level)  # until it is ready a person reads sentences
    server.run()


def go_round(app: Flask) -> bool:
    """Every job once; False when one failed, and then the worker shows no sign of life.

    What a job writes is one transaction: it failed whole, is logged, and the next round does it again.
    """
    with app.app_context():
        done = [_do(job) for job in JOBS]
        return all(done) and _do(outreach_jobs.beat)


def post(app: Flask, stop: threading.Event | None = None) -> bool:
    """Hand over what waits in the outbox; False when that failed (not: when the relay refused)."""

    def hand_over(now: dt.datetime) -> int:
        return mail_jobs.hand_over(
            now, go_on=lambda: stop is None or not stop.is_set(), look=sending_jobs.look
        )

    with app.app_context():
        return _do(hand_over)


def tell(app: Flask, stop: threading.Event | None = None) -> bool:
    """Send the messages of webhooks that may go now."""

    def deliver(now: dt.datetime) -> int:
        return webhook_jobs.deliver(now, go_on=lambda: stop is None or not stop.is_set())

    with app.app_context():
        return _do(deliver)


def say_alive(app: Flask) -> bool:
    """Tell the operator's monitor that the clock works."""
    with app.app_context():
        return _do(heartbeat.beat)


def _do(job: Callable[..., int]) -> bool:
    try:
        job(clock.now())
    except Exception:  # the other jobs go on, and /healthz tells of the one that does not
        _log.exception("job failed", job=job.__name__)
        return False
    finally:
        db.session.remove()
    return True


def _save_uses(app: Flask) -> None:
    with app.app_context():
        _do(accounts_jobs.save_token_uses)


def _refreshing(app: Flask) -> Callable[[], None]:
    said = ""

    def look() -> None:
        nonlocal said
        with app.app_context():
            try:
                refresh(app)
                said = ""
            except (
                Exception
            ) as error:  # lookups go on from the index that stands; the log says each reason once
                if repr(error) != said:
                    _log.exception("index not refreshed")
                said = repr(error)
            finally:
                db.session.remove()

    return look


@contextlib.contextmanager
def only_worker(settings: Settings) -> Iterator[bool]:
    """Whether this process is the one that works; a second `up` on the same folder only serves."""
    with (settings.data / "worker.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
