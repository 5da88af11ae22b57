"""What comes back by mail on the letter of a notification, and what follows from it."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import select

from pocdir import cli
from pocdir.accounts.actions import create_token, create_workspace
from pocdir.accounts.queries import team_id_of
from pocdir.core.refs import new_ref
from pocdir.db import db, transaction
from pocdir.directory.models import Address
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.mail.models import Mail, Received
from pocdir.outreach.replies import actions
from pocdir.outreach.replies import jobs as replies_jobs
from pocdir.site.actions import incoming
from pocdir.site.queries.ledger import verification
from tests.accounts import made as people
from tests.conftest import Api
from tests.mail.replies import came_in, reply, report, result, subject
from tests.outreach import made
from tests.outreach.sent import sent_letter

HOUR = dt.timedelta(hours=1)
ANSWERS = ("ack.", "response.", "reply.human", "outcome.")


@pytest.fixture(autouse=True)
def _clock(app: Flask, now: dt.datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        made.teams(now)
        yield


@pytest.fixture
def later(now: dt.datetime) -> Iterator[dt.datetime]:
    with time_machine.travel(now + HOUR, tick=False):
        yield now + HOUR


@pytest.fixture
def letter(api: Api, now: dt.datetime) -> Mail:
    return sent_letter(api, now)


def events(letter: Mail, *types: str) -> list[Event]:
    db.session.remove()
    return [it for it in events_of_notification(letter.notification or "") if it.type.startswith(types)]


def state(api: Api, letter: Mail) -> tuple[str, str, str]:
    shown = api.get(f"/api/v1/notifications/{letter.notification}").get_json()
    return shown["sent_level"], shown["state"]["transport"], shown["state"]["response"]


def test_a_persons_reply_is_an_answer(api: Api, letter: Mail, later: dt.datetime) -> None:
    row = came_in(
        reply(letter, "Hello, we look into it.\n\nAnna", head=f"Date: {later:%a, %d %b %Y %H:%M:%S} +0000"),
        later,
    )
    (event,) = events(letter, *ANSWERS)
    assert (event.type, event.claimed_by, event.assurance, event.id) == (
        "reply.human",
        "recipient",
        "A2",
        row.event,
    )
    assert (event.occurred_at, event.precision, event.evidence_digest is None) == (later, "exact", False)
    assert (event.sealed["from"], event.payload["via"]) == ("somebody@cert.example", "email")
    assert ".".join(event.sealed["subject"].split(".")[1:]) == ""  # the sign is the letter's own
    assert state(api, letter)[::2] == ("P4", "acknowledged")
    assert (
        came_in(reply(letter, "Hello, we look into it.\n\nAnna", head="X-Again: 1"), later).result == "acted"
    )
    assert verification().faults == ()


@pytest.mark.parametrize(("text", "type_", "filled_in"), [
    ("received #1234", "ack.given", {"ticket": "1234"}),
    ("passed on 31", "response.passed_on", {"count": 31}),
    ("not ours: team@other.example", "response.misdirected", {"ask": "team@other.example"}),
    ("need: which ports?", "response.info_requested", {"note": "which ports?"}),
    ("сделано", "outcome.remediation_claimed", {}),
])  # fmt: skip
def test_the_first_line_does_what_the_recipients_page_does_once(
    api: Api, letter: Mail, later: dt.datetime, text: str, type_: str, filled_in: dict[str, Any]
) -> None:
    for again in ("1", "2"):
        assert (
            result(came_in(reply(letter, f"{text}\n\n> quoted", head=f"X-Number: {again}"), later))[0]
            == "acted"
        )
    (event,) = events(letter, *ANSWERS)
    assert event.type == type_
    assert {**event.payload, **event.sealed} == {"via": "email", **filled_in}
    assert not event.payload.get("may_be_automatic")
    came_in(reply(letter, f"{text}\nWe will write again.\nAnna"), later)
    assert sorted(it.type for it in events(letter, *ANSWERS)) == sorted([type_, "reply.human"])


def test_a_word_of_tlp_red_leaves_its_words_out_of_the_record(
    api: Api, now: dt.datetime, later: dt.datetime
) -> None:
    letter = sent_letter(api, now, tlp="TLP:RED")
    came_in(reply(letter, "need: the secret name\nmore"), later)
    assert [{**it.payload, **it.sealed}.get("note") for it in events(letter, *ANSWERS)] == [None, None]
    assert not [name for it in events(letter, *ANSWERS) for name in ("subject", "from") if name in it.sealed]


@pytest.mark.parametrize(("change", "why"), [
    ({"text": "This is an automatically generated reply"}, "programs write"),
    ({"text": "> quoted alone"}, "no words of its own"),
    ({"about": "Re: [cert.example #4711] {subject}"}, "a ticket number is new"),
    ({"head": "Precedence: bulk"}, "ticket systems and lists"),
    ({"head": "X-RT-Loop-Prevention: a"}, "ticket systems and lists"),
    ({"swap": ("From: Somebody <somebody@", "From: <noreply@")}, "programs write from"),
    ({"swap": ("In-Reply-To", "X-No")}, "does not say that it answers"),
    ({"head": "Subject: another"}, "one sender and one subject"),
    ({"swap": ("From: Somebody <somebody@cert.example>", "From: anna@example.org")}, "member of this workspace"),
    ({"after": dt.timedelta(seconds=89)}, "so soon"),
    ({"about": "{letter.subject}"}, "does not bear"),
])  # fmt: skip
def test_what_a_program_may_have_written_waits_for_its_workspace(
    api: Api, letter: Mail, later: dt.datetime, now: dt.datetime, change: dict[str, Any], why: str
) -> None:
    people.person("anna@example.org", now=now, workspace="lab")
    about = change.get("about", "{subject}").format(subject=subject(letter), letter=letter)
    raw = reply(letter, change.get("text", "We look into it"), head=change.get("head", ""), about=about)
    before, after = change.get("swap", ("", ""))
    row = came_in(
        raw.replace(before.encode(), after.encode(), 1), now + change["after"] if "after" in change else later
    )
    found = result(row)
    assert found[0] == "waits"
    assert why in (found[1] or "")
    assert events(letter, *ANSWERS) == []
    assert state(api, letter) == ("P0", "logged", "awaiting")


@pytest.mark.parametrize(("head", "about", "text", "subclass", "ticket"), [
    ("Auto-Submitted: auto-replied", "[cert.example #4711] {}", "We have received it", "receipt", "4711"),
    ("X-Autoreply: yes", "Out of office: {}", "I am back on Monday", "out_of_office", None),
    ("Precedence: junk", "Re: {}", "A message", "other", None),
])  # fmt: skip
def test_an_automatic_reply_is_recorded_as_what_it_is(
    api: Api,
    letter: Mail,
    later: dt.datetime,
    head: str,
    about: str,
    text: str,
    subclass: str,
    ticket: str | None,
) -> None:
    row = came_in(reply(letter, text, head=head, about=about.format(subject(letter))), later)
    (event,) = events(letter, "reply.")
    assert (event.id, event.type, event.claimed_by) == (row.event, "reply.automatic", "recipient")
    assert (event.payload["subclass"], event.sealed.get("ticket")) == (subclass, ticket)
    assert (event.occurred_at, event.precision) == (later, "bounded")  # it bears no date
    assert state(api, letter)[::2] == ("P3", "receipt" if subclass == "receipt" else "awaiting")
    forged = came_in(reply(letter, text, head=head, about=letter.subject), later)
    assert result(forged)[0] == "kept"
    assert len(events(letter, "reply.")) == 1


def test_a_delivery_report_is_recorded_once_and_moves_the_address(
    api: Api, letter: Mail, later: dt.datetime
) -> None:
    for action, status, transport in (("delayed", "4.4.1", "delayed"), ("failed", "5.1.1", "failed")):
        for number in "12":
            came_in(f"X-Number: {number}\r\n".encode() + report(letter, action=action, status=status), later)
        assert state(api, letter)[:2] == ("P3", transport)
    said = events(letter, "delivery.")
    assert sorted((it.type, it.claimed_by, it.payload["status"]) for it in said) == [
        ("delivery.delayed", "remote_mta", "4.4.1"), ("delivery.failed", "remote_mta", "5.1.1"),
    ]  # fmt: skip
    address = db.session.scalars(select(Address).where(Address.value == letter.to)).one()
    assert (address.state, address.evidence) == (
        "bouncing", "mail came back: 5.1.1 (a delivery report of mx.cert.example)",
    )  # fmt: skip
    assert verification().faults == ()


def test_that_it_arrived_is_evidence_and_no_answer(api: Api, letter: Mail, later: dt.datetime) -> None:
    came_in(report(letter, action="delivered", status="2.0.0"), later)
    assert state(api, letter) == ("P3", "delivered", "awaiting")
    head = (
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\nMIME-Version: 1.0\n\n--b\n"
        "Content-Type: message/disposition-notification\n\n"
        "Final-Recipient: rfc822; reports@cert.example\nDisposition: manual-action/MDN-sent; displayed\n\n--b--\n"
    )
    raw = f"From: a@cert.example\nTo: x@pocdir.example\nSubject: Read: {subject(letter)}\n{head}".encode()
    came_in(raw, later)
    assert [it.type for it in events(letter, "disposition.")] == ["disposition.displayed"]
    assert state(api, letter) == ("P3", "delivered", "awaiting")


def test_a_forged_or_foreign_report_moves_nothing(api: Api, letter: Mail, later: dt.datetime) -> None:
    forged = report(letter).replace(subject(letter).encode(), letter.subject.encode())
    forged = re.sub(rb"(?m)^To: .*$", b"To: pocdir@pocdir.example\r", forged)
    for raw in (forged, report(letter, about="member@cert.example")):
        assert result(came_in(raw, later))[0] == "waits"
    assert result(came_in(report(letter, action="delayed"), later + dt.timedelta(days=11)))[0] == "waits"
    assert events(letter, "delivery.") == []
    assert state(api, letter) == ("P0", "logged", "awaiting")


def test_after_it_was_taken_back_or_its_time_a_reply_waits(api: Api, letter: Mail, now: dt.datetime) -> None:
    with time_machine.travel(now + dt.timedelta(days=181), tick=False):
        assert "older" in (result(came_in(reply(letter, "received"), now + dt.timedelta(days=181)))[1] or "")
    with time_machine.travel(now + HOUR, tick=False):
        api.post(f"/api/v1/notifications/{letter.notification}/events", {"type": "notification.withdrawn"})
        row = came_in(reply(letter, "received", head="X-Late: 1"), now + HOUR)
        late = came_in(reply(letter, "away", head="X-Autoreply: yes"), now + HOUR)
    assert result(row) == ("waits", "the report was taken back")
    assert (result(late)[0], "taken this report back" in (result(late)[1] or "")) == ("kept", True)
    assert events(letter, *ANSWERS) == []


def test_a_reply_to_a_follow_up_answers_the_thread(
    api: Api, letter: Mail, now: dt.datetime, later: dt.datetime
) -> None:
    second = sent_letter(api, now, kind="follow_up", parent=letter.notification)
    came_in(reply(second, "passed on 3"), later)
    assert [it.type for it in events(letter, "thread.")] == ["thread.answered"]


def as_reply(raw: bytes, letter: Mail, *, own_subject: bool) -> bytes:
    """A mail as somebody's program would answer our letter, with all that proves it."""
    head, _, body = raw.replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")
    head = re.sub(rb"(?im)^(in-reply-to|references):.*(\n[ \t].*)*\n?", b"", head)
    sign = f"[pocdir {subject(letter).partition('[pocdir ')[2]}".encode()
    if own_subject:
        head = re.sub(rb"(?im)^subject:.*(\n[ \t].*)*\n?", b"", head) + b"\nSubject: Re: " + sign
    else:
        head = re.sub(rb"(?im)^subject:", b"Subject: " + sign, head, count=1)
    return head + b"\nIn-Reply-To: " + (letter.message_id or "").encode() + b"\n\n" + body


@pytest.mark.parametrize("step", [40, pytest.param(1, marks=pytest.mark.long)])
def test_of_real_mail_no_program_answers_for_a_person(
    letter: Mail, later: dt.datetime, shared_data: Path, step: int
) -> None:
    """But for one that is labelled a bounce, and that a person wrote."""
    folder = shared_data / "mail"
    with (folder / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["label"] != "human"][::step]
    for path in (row["path"] for row in rows if not row["path"].endswith("groupwise_03.eml")):
        for own_subject in (False, True):
            came_in(as_reply((folder / path).read_bytes(), letter, own_subject=own_subject), later)
    assert events(letter, *ANSWERS) == []
    kept = db.session.scalars(select(Received)).all()
    assert not [it.ref for it in kept if it.result in (None, "unreadable")]
    assert sum(it.proven for it in kept) > 0.9 * len(kept)


def test_its_workspace_reads_it_and_says_that_it_is_the_answer(
    app: Flask, api: Api, letter: Mail, now: dt.datetime, later: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    text = f"Thank you for your report\n<b>bold</b> http://localhost/r/{'a' * 60}\n> {subject(letter)}"
    row = came_in(reply(letter, text), later)
    where = f"/notifications/{letter.notification}/mail"
    [waits] = api.get("/api/v1/mail/waiting").get_json()["items"]
    assert (waits["notification"], waits["team"], waits["mails"]) == (letter.notification, "cert-at", 1)
    told = CliRunner().invoke(cli.pocdir, ["notification", "mail", "--workspace", "lab", "--json"]).output
    assert json.loads(told) == waits
    [shown] = api.get(f"/api/v1{where}").get_json()["items"]
    assert (shown["ref"], shown["proven"], shown["result"], shown["may_answer"]) == (
        row.ref,
        True,
        "waits",
        True,
    )
    assert "<b>bold</b>" in shown["text"]
    raw = api.get(f"/api/v1{where}/{row.ref}/raw")
    assert raw.headers["Content-Disposition"] == f"attachment; filename={row.ref}.eml"
    assert (raw.content_type, raw.headers["X-Content-Type-Options"]) == (
        "application/octet-stream",
        "nosniff",
    )
    browser = people.browser(app, people.person(now=now, workspace="lab"), now=now)
    assert f"/notifications/{letter.notification}#h-mail" in browser.get("/unanswered").text
    page = browser.get(f"/notifications/{letter.notification}").text
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert browser.get(f"{where}/{row.ref}/raw").data == raw.data
    sign = subject(letter).rpartition(".")[2][:13]
    for said in (shown["text"], raw.text, page):
        assert sign not in said
        assert "a" * 60 not in said
    [taken] = api.get("/api/v1/workspace/export").get_json()["mails"]
    assert (taken["notification"], taken["text"]) == (letter.notification, shown["text"])
    assert browser.post(f"{where}/{row.ref}/answer").status_code == 302
    assert api.post(f"/api/v1{where}/{row.ref}/answer").status_code == 409
    (event,) = events(letter, *ANSWERS)
    assert (event.type, event.claimed_by, event.assurance) == ("reply.human", "sender", "S")
    assert state(api, letter)[::2] == ("P0", "acknowledged")
    assert api.get("/api/v1/mail/waiting").get_json()["items"] == []
    other = came_in(reply(letter, "spam", about=letter.subject), later)
    assert api.post(f"/api/v1{where}/{other.ref}/seen").get_json()["seen_at"]
    assert api.post(f"/api/v1{where}/{other.ref}/seen").status_code == 409
    assert api.get(f"/api/v1{where}/{new_ref(now)}/raw").status_code == 404
    done = CliRunner().invoke(
        cli.pocdir, ["notification", "mail", letter.notification or "", "--workspace", "lab"]
    )
    assert "Thank you for your report" in done.output


def test_nobody_else_reads_it(
    app: Flask, api: Api, letter: Mail, now: dt.datetime, later: dt.datetime
) -> None:
    row = came_in(reply(letter, "Hello, a secret"), later)
    paths = [f"/notifications/{letter.notification}/mail/{row.ref}/raw", f"/inbox/{row.ref}"]
    with transaction() as session:
        other = create_workspace(session, name="other", now=now, actor="operator")
        team = team_id_of(session, "cert-at")
        tokens = [
            create_token(session, workspace_id=workspace, team_id=of, now=now, actor="operator")[1]
            for workspace, of in ((other.id, None), (None, team), (other.id, team))
        ]
    for token, status in zip(tokens, (404, 403, 404), strict=True):
        headers = {"Authorization": f"Bearer {token}"}
        for path in ("mail", f"mail/{row.ref}/raw"):
            found = app.test_client().get(
                f"/api/v1/notifications/{letter.notification}/{path}", headers=headers
            )
            assert found.status_code == status
    steward = people.browser(app, people.person("s@example.org", now=now, site_role="steward"), now=now)
    contact = people.browser(app, people.person("c@example.org", now=now, team_id=team), now=now)
    for path in paths:
        assert {steward.get(path).status_code, contact.get(path).status_code} <= {403, 404}
    for path in ("/inbox", "/inbox?result=acted", "/steward"):
        assert row.ref not in steward.get(path).text
    assert "1 mail more answers a notification" in steward.get("/inbox").text
    assert "a secret" not in contact.get(f"/told/{letter.notification}").text
    listed = CliRunner().invoke(cli.pocdir, ["mail", "list", "--json"]).output
    assert row.ref not in listed


def test_what_could_not_be_read_waits_for_its_workspace(
    api: Api, letter: Mail, later: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_given: object, **_more: object) -> None:
        raise RuntimeError("unforeseen")

    with monkeypatch.context() as patched:
        patched.setattr(actions, "_hear", fail)
        row = came_in(reply(letter, "Hello"), later)
    [shown] = api.get(f"/api/v1/notifications/{letter.notification}/mail").get_json()["items"]
    assert (shown["ref"], shown["result"], shown["text"].strip()) == (row.ref, "unreadable", "Hello")
    assert replies_jobs.read_replies(later) == 0


def test_the_worker_reads_what_the_command_left(
    api: Api, letter: Mail, later: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(incoming, "read", lambda *_given, **_more: None)
        came_in(reply(letter, "received"), later)
    assert events(letter, *ANSWERS) == []
    assert replies_jobs.read_replies(later) == 1
    assert [it.type for it in events(letter, *ANSWERS)] == ["ack.given"]
