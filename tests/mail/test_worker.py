"""The worker's own process: it hands over, and what dies between sending and marking is sent again, not lost."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from pocdir.app import create_app
from pocdir.core import clock
from pocdir.db import db, transaction
from pocdir.mail import queries
from pocdir.mail.models import Mail
from pocdir.site.actions.database import upgrade
from tests import postgres
from tests.conftest import DATABASES, settings_for
from tests.mail.made import queued
from tests.mail.relay import Relay, serving
from tests.site import service


@pytest.fixture(params=DATABASES)
def place(request: pytest.FixtureRequest, tmp_path: Path):
    """A database of its own, which a second process opens too: (application, environment)."""
    if request.param == "sqlite":
        yield from opened(tmp_path, None)
    else:
        server = request.getfixturevalue("postgresql_url")
        with postgres.database(server, "pocdir_post") as url:
            yield from opened(tmp_path, url)


def opened(folder: Path, url: str | None):
    app = create_app(settings_for(folder, url or f"sqlite:///{folder / 'pocdir.db'}"))
    with app.app_context():
        upgrade(db.engine)
        given = {"POCDIR_MAIL_FROM": "pocdir@pocdir.example", "POCDIR_SECRET_KEY": "k" * 43}
        yield app, service.environment(folder, url, **given)
        db.session.remove()
        db.engine.dispose()


def test_a_worker_killed_after_sending_sends_again_and_loses_nothing(
    place: tuple[Flask, dict[str, str]],
) -> None:
    _app, environ = place
    letters = [queued(clock.now(), key=str(number)) for number in range(2)]
    relay = Relay()
    with serving(relay) as port:
        environ["POCDIR_SMTP_URL"] = f"smtp://127.0.0.1:{port}"
        started = threading.Event()
        found: list[int] = []

        def kill(_server: object) -> None:
            started.wait()
            os.kill(found[0], signal.SIGKILL)

        relay.at_data = [kill]
        process = worker(environ)
        found.append(process.pid)
        started.set()
        assert process.wait() == -signal.SIGKILL
        assert states() == {"claimed": 1, "queued": 1}

        assert service.pocdir("worker", "--once", environ=environ).returncode == 0
        assert states() == {"claimed": 1, "sent": 1}  # the lease still holds
        with transaction() as session:
            session.execute(update(Mail).where(Mail.state == "claimed").values(lease_until=clock.now()))
        assert service.pocdir("worker", "--once", environ=environ).returncode == 0
    assert states() == {"sent": 2}
    times = [sum(letter.message_id.encode() in data for data in relay.seen) for letter in letters]
    assert times == [2, 1]


def test_two_workers_at_once_send_every_letter_once(place: tuple[Flask, dict[str, str]]) -> None:
    _app, environ = place
    letters = [queued(clock.now(), key=str(number)) for number in range(20)]
    relay = Relay()
    with serving(relay) as port:
        environ["POCDIR_SMTP_URL"] = f"smtp://127.0.0.1:{port}"
        workers = [worker(environ) for _ in range(2)]
        assert [each.wait() for each in workers] == [0, 0]
    assert states() == {"sent": 20}
    assert [sum(x.message_id.encode() in data for data in relay.seen) for x in letters] == [1] * 20


def worker(environ: dict[str, str]) -> service.Process:
    nowhere = Path(os.devnull)
    return service.Process("worker", "--once", environ=environ, said=nowhere, logged=nowhere)


def states() -> dict[str, int]:
    db.session.remove()
    return queries.counts()
