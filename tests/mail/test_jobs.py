"""Handing over to a real server: what it takes, what it refuses, and what it does in between."""

from __future__ import annotations

import dataclasses
import datetime as dt
import email
import email.policy
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from flask import Flask
from sqlalchemy import update

from pocdir.db import db, transaction
from pocdir.mail import jobs, queries
from pocdir.mail.models import Mail
from pocdir.mail.rules.envelope import ref_of, reply_sign
from tests.mail.made import queued
from tests.mail.relay import PASSWORD, USER, Relay, certificate, dawdle, hang_up, serving, signing_in

FROM = "pocdir@pocdir.example"
LOGIN = f"{USER}:{quote(PASSWORD, safe='')}@"
HOUR = dt.timedelta(hours=1)
Go = Callable[..., int]


@pytest.fixture
def relay() -> Relay:
    return Relay()


@pytest.fixture
def go(app: Flask, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> Go:
    """One round of the job, with the relay at this address, at this moment."""

    def round_(url: str, at: dt.datetime = now) -> int:
        settings = app.extensions["pocdir"]
        given = dataclasses.replace(settings, smtp_url=url, mail_from=FROM)
        monkeypatch.setitem(app.extensions, "pocdir", given)
        with time_machine.travel(at, tick=False):
            return jobs.hand_over(at)

    return round_


@pytest.fixture
def listening(relay: Relay) -> Iterator[str]:
    with serving(relay) as port:
        yield f"smtp://127.0.0.1:{port}?timeout=1"


def mail(ref: str) -> Mail:
    db.session.remove()
    return queries.mail(ref)


def test_a_letter_arrives_as_it_stood_in_the_outbox(
    app: Flask, now: dt.datetime, relay: Relay, listening: str, go: Go
) -> None:
    body = "Guten Tag,\n\nist das noch richtig?\n.\n Grüße\n"
    letter = queued(now, body=body, language="de")
    assert go(listening) == 1
    assert (mail(letter.ref).state, mail(letter.ref).sent_at) == ("sent", now)
    (taken,) = relay.taken
    read = email.message_from_bytes(taken.data, policy=email.policy.default)
    assert taken.to == ["cert@example.org"]
    assert ref_of(app.extensions["pocdir"].secret_key.encode(), taken.sender) == letter.ref
    assert read["From"] == f"pocdir <{FROM}>"
    assert read["Reply-To"] == FROM
    sign = reply_sign(b"k" * 43, letter.ref)  # on its way alone: the outbox shows the reference without it
    assert read["Subject"] == f"Please confirm your entry [pocdir {letter.ref}.{sign}]"
    assert sign not in mail(letter.ref).subject
    assert read["Message-ID"] == letter.message_id
    assert read["Auto-Submitted"] == "auto-generated"
    assert read["Date"].datetime == now
    assert read.get_content().replace("\r", "").replace("\n  Gr", "\n Gr") == body  # space-stuffed
    assert go(listening) == 0
    assert len(relay.taken) == 1


def test_a_persons_report_does_not_call_itself_a_robot(
    now: dt.datetime, relay: Relay, listening: str, go: Go
) -> None:
    queued(now, automatic=False, sender_name="Änne Müller (lab)")
    assert go(listening) == 1
    read = email.message_from_bytes(relay.taken[0].data, policy=email.policy.default)
    assert "Auto-Submitted" not in read
    assert read["From"].addresses[0].display_name == "Änne Müller (lab)"


def test_without_a_relay_it_waits(now: dt.datetime, app: Flask) -> None:
    letter = queued(now)
    assert jobs.hand_over(now) == 0
    assert (mail(letter.ref).state, mail(letter.ref).attempts) == ("queued", 0)


def test_a_demonstration_sends_nothing(
    app: Flask, now: dt.datetime, relay: Relay, listening: str, go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued(now)
    settings = dataclasses.replace(app.extensions["pocdir"], demo=True)
    monkeypatch.setitem(app.extensions, "pocdir", settings)
    assert go(listening) == 0
    assert relay.taken == []


def test_starttls_and_sign_in(now: dt.datetime, tmp_path: Path, relay: Relay, go: Go) -> None:
    context, trusted = certificate(tmp_path)
    queued(now)
    with serving(relay, tls=context, **signing_in()) as port:
        assert go(f"smtp://{LOGIN}127.0.0.1:{port}?starttls=required&ca={trusted}") == 1


def test_tls_from_the_first_byte(now: dt.datetime, tmp_path: Path, relay: Relay, go: Go) -> None:
    context, trusted = certificate(tmp_path)
    queued(now)
    with (
        warnings.catch_warnings(action="ignore"),  # the server does not know that all of it is in TLS
        serving(relay, tls=context, implicit=True, **signing_in(auth_require_tls=False)) as port,
    ):
        assert go(f"smtps://{LOGIN}127.0.0.1:{port}?ca={trusted}") == 1


Make = Callable[[Path], tuple[AbstractContextManager[int], str]]


def _untrusted(folder: Path, relay: Relay) -> tuple[AbstractContextManager[int], str]:
    return serving(relay, tls=certificate(folder)[0]), "smtp://127.0.0.1:{port}?starttls=required"


def _another_name(folder: Path, relay: Relay) -> tuple[AbstractContextManager[int], str]:
    context, trusted = certificate(folder, "relay.example")
    return serving(relay, tls=context, implicit=True), f"smtps://127.0.0.1:{{port}}?ca={trusted}"


def _expired(folder: Path, relay: Relay) -> tuple[AbstractContextManager[int], str]:
    context, trusted = certificate(folder, days=-1)
    return serving(relay, tls=context, implicit=True), f"smtps://127.0.0.1:{{port}}?ca={trusted}"


def _no_starttls(folder: Path, relay: Relay) -> tuple[AbstractContextManager[int], str]:
    return serving(relay), "smtp://127.0.0.1:{port}?starttls=required"


def _not_tls_at_all(folder: Path, relay: Relay) -> tuple[AbstractContextManager[int], str]:
    return serving(relay), "smtps://127.0.0.1:{port}"


def _wrong_password(folder: Path, relay: Relay) -> tuple[AbstractContextManager[int], str]:
    context, trusted = certificate(folder)
    url = f"smtp://{USER}:hunter2hunter2@127.0.0.1:{{port}}?starttls=required&ca={trusted}"
    return serving(relay, tls=context, **signing_in()), url


def _no_sign_in(folder: Path, relay: Relay) -> tuple[AbstractContextManager[int], str]:
    context, trusted = certificate(folder)
    url = f"smtp://127.0.0.1:{{port}}?starttls=required&ca={trusted}"
    return serving(relay, tls=context, **signing_in()), url


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_untrusted, "the relay's certificate is not valid for 127.0.0.1"),
        (_another_name, "the relay's certificate is not valid for 127.0.0.1"),
        (_expired, "the relay's certificate is not valid for 127.0.0.1"),
        (_no_starttls, "the relay offers no STARTTLS"),
        (_not_tls_at_all, "TLS with the relay failed"),
        (_wrong_password, "the relay refuses our name and password (535"),
        (_no_sign_in, "MAIL: 530"),
    ],
)
def test_a_relay_that_cannot_be_used_holds_the_letter_and_says_why(
    now: dt.datetime,
    tmp_path: Path,
    relay: Relay,
    go: Go,
    make: Callable[[Path, Relay], tuple[AbstractContextManager[int], str]],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = queued(now), queued(now, key="second")
    server, url = make(tmp_path, relay)
    with server as port:
        assert go(url.format(port=port)) == 0
    assert relay.taken == []
    said = mail(first.ref)
    assert said.state == "queued"
    assert said.last_error is not None
    assert said.last_error.startswith(reason)
    assert "hunter2" not in said.last_error + caplog.text
    assert "Traceback" not in said.last_error
    assert mail(second.ref).attempts == 0  # it would meet the same


def test_nobody_listens(now: dt.datetime, go: Go) -> None:
    letter = queued(now)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert go(f"smtp://127.0.0.1:{port}") == 0
    assert mail(letter.ref).last_error == f"nothing listens at 127.0.0.1:{port}"


def test_not_now_and_then_yes(now: dt.datetime, relay: Relay, listening: str, go: Go) -> None:
    letter = queued(now)
    relay.at_rcpt = ["450 4.2.0 greylisted, come back"]
    assert go(listening) == 0
    assert mail(letter.ref).last_error == "RCPT: 450 4.2.0 greylisted, come back"
    assert go(listening) == 0  # its time has not come
    assert go(listening, now + HOUR) == 1
    assert mail(letter.ref).attempts == 2


def test_one_recipient_refused_for_good_and_the_next_letter_goes(
    now: dt.datetime, relay: Relay, listening: str, go: Go
) -> None:
    first, second, third = (queued(now, key=key) for key in "abc")
    relay.at_rcpt = ["550 5.1.1 no such user"]
    relay.at_data = ["554 5.6.0 we do not like it"]
    assert go(listening) == 1
    assert (mail(first.ref).state, mail(first.ref).last_error) == ("failed", "RCPT: 550 5.1.1 no such user")
    assert (mail(second.ref).state, mail(second.ref).last_error) == (
        "failed",
        "DATA: 554 5.6.0 we do not like it",
    )
    assert [taken.data.count(third.message_id.encode()) for taken in relay.taken] == [1]
    assert go(listening, now + 24 * HOUR) == 0


@pytest.mark.parametrize(
    ("at", "answer", "reason"),
    [
        ("at_data", hang_up, "the relay closed the connection"),
        ("at_rcpt", hang_up, "the relay closed the connection"),
        ("at_data", dawdle, "the relay did not answer within 1 s"),
        ("at_mail", dawdle, "the relay did not answer within 1 s"),
        ("at_rcpt", "421 4.3.2 shutting down", "RCPT: 421 4.3.2 shutting down"),
        ("at_mail", "553 5.7.1 not your sender address", "MAIL: 553 5.7.1 not your sender address"),
        ("at_data", "451 4.3.0 later", "DATA: 451 4.3.0 later"),
    ],
)
def test_a_relay_that_falters_gets_the_letter_again(
    now: dt.datetime, relay: Relay, listening: str, go: Go, at: str, answer: Any, reason: str
) -> None:
    letter = queued(now)
    setattr(relay, at, [answer])
    assert go(listening) == 0
    assert (mail(letter.ref).state, mail(letter.ref).last_error) == ("queued", reason)
    assert go(listening, now + HOUR) == 1
    assert [taken.data.count(letter.message_id.encode()) for taken in relay.taken] == [1]


def test_who_lost_the_lease_meanwhile_says_nothing_of_the_letter(
    app: Flask, now: dt.datetime, relay: Relay, listening: str, go: Go
) -> None:
    letter = queued(now)

    def another_worker(_server: object) -> None:
        with app.app_context(), transaction() as session:
            session.execute(update(Mail).where(Mail.ref == letter.ref).values(attempts=2))

    relay.at_data = [another_worker]
    assert go(listening) == 0
    assert (mail(letter.ref).state, mail(letter.ref).attempts) == ("claimed", 2)
    assert mail(letter.ref).last_error is None


def test_what_a_server_echoes_of_the_password_is_not_kept(
    now: dt.datetime, tmp_path: Path, relay: Relay, go: Go
) -> None:
    context, trusted = certificate(tmp_path)
    letter = queued(now)
    relay.at_rcpt = [f"550 bad {PASSWORD}\r".replace("\r", "")]
    with serving(relay, tls=context, enable_SMTPUTF8=True, **signing_in()) as port:
        assert go(f"smtp://{LOGIN}127.0.0.1:{port}?starttls=required&ca={trusted}") == 0
    assert "ssword" not in str(mail(letter.ref).last_error)


def test_a_name_beyond_ascii_goes_where_it_is_taken(now: dt.datetime, relay: Relay, go: Go) -> None:
    letter = queued(now, to="посылка@пример.example")
    with serving(relay, enable_SMTPUTF8=True) as port:
        assert go(f"smtp://127.0.0.1:{port}") == 1
    assert relay.taken[0].to == ["посылка@xn--e1afmkfd.example"]
    assert "SMTPUTF8" in relay.taken[0].options
    other = queued(now, key="other", to="посылка@пример.example")
    with serving(relay, enable_SMTPUTF8=False) as port:
        assert go(f"smtp://127.0.0.1:{port}") == 0
    assert mail(letter.ref).state == "sent"
    assert mail(other.ref).state == "failed"
    assert "SMTPUTF8" in str(mail(other.ref).last_error)
