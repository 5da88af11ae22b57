"""The worker's own process: it hands over, and what dies between sending and marking is sent again, not lost."""

from __future__ import annotations

import os
import signal
import threading

from flask import Flask
from sqlalchemy import update

from pocdir.core import clock
from pocdir.db import db, transaction
from pocdir.mail import queries
from pocdir.mail.models import Mail
from tests.mail.made import queued
from tests.mail.relay import Relay, serving
from tests.site import service


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
        process = service.worker(environ)
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
        workers = [service.worker(environ) for _ in range(2)]
        assert [each.wait() for each in workers] == [0, 0]
    assert states() == {"sent": 20}
    assert [sum(x.message_id.encode() in data for data in relay.seen) for x in letters] == [1] * 20


def states() -> dict[str, int]:
    db.session.remove()
    return queries.counts()
