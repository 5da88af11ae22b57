"""Mail that came in: the command that a mail server calls, and the page for a steward."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from pocdir import cli
from pocdir.db import db
from pocdir.ledger.queries import events_of_team
from pocdir.mail import jobs, receiving
from pocdir.mail.models import Received
from pocdir.mail.rules.envelope import reply_sign
from tests.accounts import made as accounts
from tests.directory import made
from tests.directory.test_checks import asked, letters
from tests.mail.replies import came_in, reply

NOW, DAY, LATER = made.NOW, dt.timedelta(days=1), dt.timedelta(minutes=20)


@pytest.fixture
def steward(app: Flask, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """A steward's browser, twenty minutes later."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    with time_machine.travel(now + LATER, tick=False):
        yield accounts.browser(app, accounts.person(now=now, site_role="steward", password=False), now=now)


def received(raw: bytes, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """The command's exit code."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw)))
    with time_machine.travel(NOW + DAY, tick=False):
        return cli.run(["mail", "receive", *options])


def rows() -> list[Received]:
    db.session.remove()
    return list(db.session.scalars(select(Received).order_by(Received.id)))


def asked_team() -> None:
    made.imported(made.file(made.team_json()))
    asked()


def test_the_command_takes_a_reply_in_and_it_confirms_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_team()
    raw = reply(letters()[0], "confirm")
    assert (
        received(raw, monkeypatch, "--sender", "a@cert.example", "--recipient", "pocdir@pocdir.example") == 0
    )
    assert received(raw, monkeypatch) == 0
    (row,) = rows()
    assert (row.raw, row.size, row.result) == (raw, len(raw), "acted")
    assert sum(it.type == "contact.confirmed" for it in events_of_team("cert-example")) == 1
    listed = CliRunner().invoke(cli.pocdir, ["mail", "list", "--result", "acted", "--json"]).output
    assert json.loads(listed)["digest"] == row.digest


def test_an_empty_envelope_sender_is_a_programs(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    asked_team()
    assert received(reply(letters()[0], "confirm"), monkeypatch, "--sender", "") == 0
    assert [row.result for row in rows()] == ["kept"]


def test_what_cannot_be_kept_is_tried_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_given: object, **_more: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(receiving, "keep", full)
        assert received(b"Subject: a\n\nb", monkeypatch) == 75
    assert capsys.readouterr().err == "pocdir: not kept, try again: OSError: no space left on device\n"
    assert rows() == []


def test_any_bytes_are_kept_and_what_is_too_long_in_part(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    long = b"Subject: long\n\n" + b"x" * (receiving.MOST_KEPT + 10)
    no_id = b"In-Reply-To: <a\x00b@cert.example>\nFrom: \x00 <a\x00@cert.example>\n\n\x00a\x00b"
    for raw in (no_id, b"\x00\xff\x00", b"Subject: \x00a=?utf-8?q?=0Ab?=\n\n\x00", long):
        assert received(raw, monkeypatch) == 0
    kept = rows()
    assert [row.result for row in kept] == ["unmatched"] * 4
    assert kept[2].subject == "a b"
    assert (len(kept[3].raw or b""), kept[3].size) == (receiving.MOST_UNPROVEN, len(long))


@pytest.mark.parametrize("step", [15, pytest.param(1, marks=pytest.mark.long)])
def test_real_mail_is_kept_and_confirms_nothing(app: Flask, shared_data: Path, step: int) -> None:
    """Even where it bears our reference: no robot's first line is the word."""
    asked_team()
    letter, folder = letters()[0], shared_data / "mail"
    sign = reply_sign(b"k" * 43, letter.ref)
    with (folder / "manifest.csv").open() as file:
        paths = [row["path"] for row in csv.DictReader(file)][::step]
    for path in paths:
        raw = (folder / path).read_bytes()
        came_in(raw, NOW + DAY)
        came_in(
            b"Subject: Re: [pocdir %s.%s]\n" % (letter.notification.encode(), sign.encode()) + raw, NOW + DAY
        )
    kept = rows()
    assert sum(row.proven for row in kept) > 0.9 * len(paths)
    assert not [row for row in kept if row.result in (None, "acted")]
    assert not [it for it in events_of_team("cert-example") if it.type == "contact.confirmed"]


def test_a_steward_reads_a_persons_words_as_text_and_settles_them(steward: FlaskClient) -> None:
    asked_team()
    letter = letters()[0]
    text = f"Our <b>phone</b> is new.\nhttp://localhost/r/entry/{'a' * 60}\n> quoted"
    row = came_in(reply(letter, text), NOW + LATER)
    assert f"/inbox/{row.ref}" in steward.get("/steward").text
    assert f"/inbox/{row.ref}" in steward.get("/inbox").text
    assert steward.get("/inbox?state=waits").status_code == 422
    shown = steward.get(f"/inbox/{row.ref}").text
    assert "Our &lt;b&gt;phone&lt;/b&gt; is new." in shown
    assert "quoted" not in shown
    # Whoever has these acts as the team.
    assert "aaaaaaaa" not in shown
    assert reply_sign(b"k" * 43, letter.ref) not in shown
    assert steward.post(f"/inbox/{row.ref}/seen").status_code == 302
    assert steward.post(f"/inbox/{row.ref}/seen").status_code == 409
    assert f"/inbox/{row.ref}" not in steward.get("/steward").text
    assert steward.get("/inbox/019a5c1e-7d00-7a10-9f00-0242ac120002").status_code == 404


def test_its_words_are_erased_after_their_time_and_its_digest_stays(app: Flask) -> None:
    made.imported(made.file(made.team_json()))
    row = came_in(b"From: a@cert.example\nSubject: private\n\nwords\n", NOW)
    digest = row.digest
    asked()
    proven = came_in(reply(letters()[0], "private"), NOW + DAY)
    raw = proven.raw
    jobs.tidy(NOW + 29 * DAY)
    assert None not in [each.raw for each in rows()]
    jobs.tidy(NOW + 31 * DAY)
    assert [each.raw for each in rows()] == [None, raw]
    jobs.tidy(NOW + 367 * DAY)
    assert rows()[1].raw is None
    kept = rows()[0]
    assert (kept.raw, kept.sender, kept.subject, kept.excerpt) == (None, None, None, None)
    assert kept.digest == digest
