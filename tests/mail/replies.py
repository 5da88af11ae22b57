"""What comes in, for tests: replies to our own letters, and the reports of mail servers about them."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

from sqlalchemy import select

from pocdir import running
from pocdir.db import db
from pocdir.mail.models import Mail, Received
from pocdir.mail.rules import headers
from pocdir.mail.rules.envelope import envelope_sender, reply_sign
from pocdir.site.actions import incoming

OURS = "pocdir@pocdir.example"


def subject(letter: Mail) -> str:
    """As the letter bore it on its way."""
    return headers.signed(letter.subject, reply_sign(running.secret(), letter.ref))


def reply(letter: Mail, text: str, *, head: str = "", about: str | None = None) -> bytes:
    """A person's mail program answers."""
    lines = [
        "From: Somebody <somebody@cert.example>", f"To: {OURS}", f"Subject: Re: {about or subject(letter)}",
        f"In-Reply-To: {letter.message_id}", "Message-ID: <1@cert.example>", "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit",
    ]  # fmt: skip
    return "\r\n".join([*lines, *head.splitlines(), "", *text.split("\n"), ""]).encode()


def report(letter: Mail, *, action: str = "failed", status: str = "5.1.1", about: str | None = None) -> bytes:
    """A mail server reports on the letter to its envelope sender."""
    to = envelope_sender(running.secret(), OURS, letter.ref)
    return f"""Return-Path: <>
From: MAILER-DAEMON@mx.cert.example
To: {to}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.cert.example

Final-Recipient: rfc822; {about or letter.to}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 {status} no such user

--b
Content-Type: text/rfc822-headers

Subject: {subject(letter)}
Message-ID: {letter.message_id}

--b--
""".replace("\n", "\r\n").encode()


def came_in(raw: bytes, now: dt.datetime, **envelope: Any) -> Received:
    """The mail taken in and read, as the command does."""
    about: dict[str, Any] = {"secret": running.secret(), "server": running.settings().authserv_id, "now": now}
    row = incoming.take(io.BytesIO(raw), **about, **envelope)
    incoming.read(row, **about)
    return row


def result(row: Received) -> tuple[str | None, str | None]:
    db.session.remove()
    found = db.session.scalars(select(Received).where(Received.ref == row.ref)).one()
    return found.result, found.reason
