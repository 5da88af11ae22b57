"""From a notification that is sent, over a real mail server, to the reply that answers it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.ledger.queries import events_of_notification
from pocdir.mail.models import Received
from pocdir.outreach.sending.actions import allow
from tests.conftest import Api
from tests.mail.relay import Relay, serving
from tests.mail.replies import came_in
from tests.outreach import made
from tests.outreach.sent import hand_over


def answered(data: bytes, words: str) -> bytes:
    """As a mail program answers what it was sent: the subject decoded and encoded anew, the letter quoted below."""
    letter = message_from_bytes(data, policy=policy.default)
    reply = EmailMessage()
    reply["From"], reply["To"] = "Ольга <olga@cert.example>", letter["Reply-To"]
    reply["Subject"] = f"Re: {letter['Subject']}"
    reply["Message-ID"], reply["In-Reply-To"] = "<1@cert.example>", letter["Message-ID"]
    reply["Date"] = "Sun, 22 Nov 2026 13:00:00 +0000"
    quoted = "\n".join(f"> {line}" for line in letter.get_content().split("\n"))
    reply.set_content(
        f"{words}\n\n22.11.2026 12:00, lab <{letter['Reply-To']}> пишет:\n{quoted}\n", cte="base64"
    )
    return reply.as_bytes(policy=policy.SMTP)


@pytest.mark.parametrize(
    "title", ["Hits", "Обращения к нашему перехватчику с заражённых устройств, ноябрь 2026 года"]
)
def test_a_reply_to_the_letter_that_was_sent_answers_the_notification(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime, monkeypatch: pytest.MonkeyPatch, title: str
) -> None:
    given = dataclasses.replace(
        app.extensions["pocdir"], smtp_url="smtp://127.0.0.1:1", mail_from="pocdir@pocdir.example"
    )
    monkeypatch.setitem(app.extensions, "pocdir", given)
    with time_machine.travel(now, tick=False):
        made.teams(now)
        with transaction() as session:
            allow(session, session.merge(lab), allowed=True, now=now, actor="user:steward")
        asked = {"team": "cert-at", "send": True, "tlp": "TLP:GREEN", "subject": title, "language": "ru"}
        told = api.post("/api/v1/notifications", asked).get_json()
    relay = Relay()
    with serving(relay) as port:
        hand_over(app, port, now + dt.timedelta(seconds=1))
    [taken] = relay.taken
    later = now + dt.timedelta(hours=1)
    with time_machine.travel(later, tick=False):
        raw = answered(taken.data, "получено #4711\n\nОльга")
        row = came_in(raw, later)
        said = [it for it in events_of_notification(told["ref"]) if it.type.startswith(("ack.", "reply."))]
        assert {(it.type, it.assurance, it.sealed.get("ticket")) for it in said} == {
            ("ack.given", "A2", "4711"), ("reply.human", "A2", None),
        }  # fmt: skip
        assert {it.occurred_at for it in said} == {later}
        shown = api.get(f"/api/v1/notifications/{told['ref']}").get_json()
        assert (shown["sent_level"], shown["state"]["response"]) == ("P4", "acknowledged")
        [mail] = api.get(f"/api/v1/notifications/{told['ref']}/mail").get_json()["items"]
        assert mail["text"].startswith("получено #4711")
    token = told["recipient_page"].rpartition("/")[2]
    db.session.remove()
    kept = db.session.scalars(select(Received).where(Received.ref == row.ref)).one()
    read = message_from_bytes(kept.raw or b"", policy=policy.default)
    assert token not in mail["text"] + read.get_content() + str(read["Subject"])
    assert told["ref"] in str(read["Subject"])
