"""Mail that came in: the command that a mail server calls, and the page for a steward."""

from __future__ import annotations

import base64
import csv
import datetime as dt
import hashlib
import io
import json
import quopri
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from pocdir import cli, running
from pocdir.db import db, transaction
from pocdir.directory.checks import received as checks
from pocdir.ledger.queries import events_of_team
from pocdir.mail import receiving
from pocdir.mail.models import Mail, Received
from pocdir.mail.rules import mime
from pocdir.mail.rules.envelope import reply_sign
from pocdir.site import jobs as site_jobs
from pocdir.site.actions import incoming
from tests.accounts import made as accounts
from tests.directory import made
from tests.directory.checking import asked, letters
from tests.mail.replies import came_in, reply, report, subject

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
    sign = reply_sign(b"k" * 43, letters()[0].ref).encode()
    assert (row.raw, row.size, row.result) == (raw.replace(sign, b".."), len(raw), "acted")
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
    assert raw is not None
    kept_for = site_jobs.kept(running.settings())
    site_jobs.erase_due(NOW + 29 * DAY, kept_for)
    assert None not in [each.raw for each in rows()]
    site_jobs.erase_due(NOW + 31 * DAY, kept_for)
    assert [each.raw for each in rows()] == [None, raw]
    site_jobs.erase_due(NOW + 367 * DAY, kept_for)
    assert rows()[1].raw is None
    kept = rows()[0]
    assert (kept.raw, kept.sender, kept.subject, kept.excerpt) == (None, None, None, None)
    assert kept.digest == digest


def test_what_nobody_foresaw_is_set_aside_and_the_next_mail_is_read(
    app: Flask, steward: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked_team()
    letter = letters()[0]

    def fail(*_given: object, **_more: object) -> None:
        raise RuntimeError("words of the mail")

    with monkeypatch.context() as patched:
        patched.setattr(checks.actions, "confirm", fail)
        row = came_in(reply(letter, "confirm"), NOW + DAY)
        assert not checks.read_next(now=NOW + DAY, secret=b"k" * 43)
    with monkeypatch.context() as patched:
        patched.setattr(mime, "read", fail)
        other = came_in(b"Subject: a\n\nb", NOW + DAY)
    kept = rows()
    assert [(it.result, it.reason) for it in kept] == [
        ("unreadable", "reading it ended in RuntimeError"), ("unreadable", None),
    ]  # fmt: skip
    assert [it.type for it in events_of_team("cert-example")].count("contact.confirmed") == 0
    assert caplog.text.count("mail not read") == 2
    assert "words of the mail" not in caplog.text
    assert f"/inbox/{row.ref}" in steward.get("/steward").text
    listed = steward.get("/inbox?result=unreadable").text
    assert [f"/inbox/{it.ref}" in listed for it in (row, other)] == [True, True]
    assert steward.post(f"/inbox/{row.ref}/seen").status_code == 302
    assert came_in(reply(letter, "confirm", head="X-Next: 1"), NOW + DAY).ref
    assert rows()[2].result == "acted"


def test_what_no_room_has_read_stands_in_a_list_of_its_own(
    app: Flask, steward: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_team()
    monkeypatch.setattr(incoming, "read", lambda *_given, **_more: None)
    row = came_in(reply(letters()[0], "confirm"), NOW + DAY)
    assert f"/inbox/{row.ref}" in steward.get("/inbox?result=unread").text
    listed = CliRunner().invoke(cli.pocdir, ["mail", "list", "--result", "unread", "--json"]).output
    assert json.loads(listed)["ref"] == row.ref


def test_a_mail_server_that_calls_wrongly_keeps_the_mail(
    app: Flask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong in (["--sendr", "a@b.example"], ["--sender"], ["a@b.example"]):
        assert received(b"Subject: a\n\nb", monkeypatch, *wrong) == 75
    assert "called wrongly" in capsys.readouterr().err
    assert rows() == []


@pytest.mark.parametrize("encoding", ["7bit", "quoted-printable", "base64"])
def test_a_returned_letter_leaves_its_secrets_in_no_table(app: Flask, encoding: str) -> None:
    asked_team()
    letter = letters()[0]
    assert letter.body is not None
    token = letter.body.rstrip().rpartition("/")[2]
    sign = reply_sign(b"k" * 43, letter.ref)
    returned = f"Subject: {subject(letter)}\r\nMessage-ID: {letter.message_id}\r\n\r\n{letter.body}".encode()
    coded = {"7bit": bytes, "quoted-printable": quopri.encodestring, "base64": base64.encodebytes}[encoding](
        returned
    )
    head = f"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    word = base64.b64encode(subject(letter).encode())
    raw = (
        report(letter)
        .replace(b"--b--", b"--b\r\n" + head + coded + b"\r\n--b--", 1)
        .replace(b"Subject: Und", b"Thread-Topic: =?utf-8?b?" + word + b"?=\r\nSubject: Und")
    )
    row = came_in(raw, NOW + DAY)
    assert (row.digest, row.result) == (hashlib.sha256(raw).hexdigest(), "acted")
    with transaction() as session:
        session.execute(update(Mail).values(body=None))
    for table in db.metadata.sorted_tables:
        for values in db.session.execute(table.select()):
            for value in values:
                words = value if isinstance(value, bytes) else str(value).encode()
                coded_lines = re.findall(rb"(?:[A-Za-z0-9+/]{4}){4,}", words)
                words += quopri.decodestring(words) + b"".join(map(base64.b64decode, coded_lines))
                assert token.encode() not in words
                assert sign.encode() not in words
