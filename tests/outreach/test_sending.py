"""The service sends a notification's letter: who may, how it travels, and what becomes of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

import pysequoia
import pytest
import time_machine
from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.core.refs import new_ref
from pocdir.db import db, transaction
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.models import Team
from pocdir.ledger.queries import events_of_notification
from pocdir.mail import jobs as mail_jobs
from pocdir.mail.models import Mail
from pocdir.outreach import jobs as outreach_jobs
from pocdir.outreach.sending import jobs
from pocdir.outreach.sending.actions import allow
from tests.conftest import NOW, Api
from tests.mail import keys
from tests.mail.relay import Relay, serving
from tests.outreach import made

DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)
NO_RELAY = 1  # a port where nothing listens


@pytest.fixture
def clock(now: dt.datetime) -> Iterator[Any]:
    with time_machine.travel(now, tick=False) as moved:
        yield moved


@pytest.fixture
def relay(app: Flask) -> Iterator[None]:
    """A relay is set up; nothing is handed to it."""
    before = app.extensions["pocdir"]
    url = f"smtp://127.0.0.1:{NO_RELAY}"
    app.extensions["pocdir"] = dataclasses.replace(before, smtp_url=url, mail_from="pocdir@pocdir.example")
    yield
    app.extensions["pocdir"] = before


@pytest.fixture
def allowed(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    """The lab may send, and there are teams to tell."""
    made.teams(now)
    with transaction() as session:
        allow(session, session.merge(lab), allowed=True, now=now, actor="user:steward")


def told(api: Api, **more: Any) -> Any:
    return api.post(
        "/api/v1/notifications",
        json={"team": "cert-at", "send": True, "tlp": "TLP:GREEN", "subject": "Sinkhole hits"} | more,
    )


def letters() -> list[Mail]:
    db.session.expire_all()
    return list(db.session.query(Mail).order_by(Mail.id))


@pytest.mark.usefixtures("relay", "allowed")
def test_a_notification_is_recorded_and_its_letter_queued_in_one(api: Api) -> None:
    answer = told(api)
    assert answer.status_code == 201, answer.json
    ref = answer.json["ref"]
    [mail] = letters()
    assert (mail.kind, mail.notification, mail.to) == ("notification", ref, "reports@cert.example")
    assert mail.confidential and not mail.automatic
    assert answer.json["recipient_page"] in (mail.body or "")
    types = {event.type for event in events_of_notification(ref)}
    assert types == {"notification.logged", "expectation.set", "message.queued"}
    assert answer.json["state"]["transport"] == "queued"
    assert (answer.json["sent_level"], answer.json["state"]["clock"]) == ("P0", "running")


def hand_over(app: Flask, port: int, at: dt.datetime) -> None:
    """One round of the thread that talks to the relay, and of the job that writes down what became of it."""
    before = app.extensions["pocdir"]
    app.extensions["pocdir"] = dataclasses.replace(before, smtp_url=f"smtp://127.0.0.1:{port}?timeout=5")
    try:
        with time_machine.travel(at, tick=False):
            mail_jobs.hand_over(at, key_for=jobs.key_for)
            mail_jobs.tidy(at)
            jobs.note_letters(at)
    finally:
        app.extensions["pocdir"] = before
        db.session.remove()


def pin(now: dt.datetime, address: str = "reports@cert.example", **values: Any) -> pysequoia.Tsk:
    """A key of its own for the team, pinned; the private half."""
    made_key = keys.key(f"CERT <{address}>")
    with transaction() as session:
        session.add(
            TeamKey(
                ref=new_ref(now), team_id=session.query(Team).filter_by(slug="cert-at").one().id,
                fingerprint=made_key.fingerprint, algorithm="Ed25519", public=made_key.text,
                addresses=[address], actor="user:steward", uploaded_at=now, state="pinned", pinned_at=now, **values,
            )
        )  # fmt: skip
    return pysequoia.Tsk.from_bytes(keys.private_half(made_key))


def keys_are(**values: Any) -> None:
    """What the directory has of the keys from now on."""
    with transaction() as session:
        session.query(TeamKey).update(values)


@pytest.mark.usefixtures("relay", "allowed")
def test_a_letter_goes_encrypted_and_signed_to_the_pinned_key(app: Flask, api: Api, clock: Any) -> None:
    theirs, now = pin(NOW), NOW
    ref = told(api, tlp="TLP:AMBER", body="These devices call our sinkhole.").json["ref"]
    relay = Relay()
    with serving(relay) as port:
        hand_over(app, port, now + SECOND)
    [taken] = relay.taken
    mail = message_from_bytes(taken.data)
    assert mail.get_content_type() == "multipart/encrypted"
    assert mail.get_param("protocol") == "application/pgp-encrypted"
    assert re.fullmatch(rf"\[TLP:AMBER\] \[pocdir {ref}\.[a-z2-7]{{13}}\]", mail["Subject"])
    assert b"sinkhole" not in taken.data
    version, sealed = mail.get_payload()
    assert version.get_payload().strip() == "Version: 1"
    own = pysequoia.Cert.from_bytes(app.test_client().get("/openpgp.asc").data)
    opened = pysequoia.decrypt(
        sealed.get_payload(decode=True), decryptor=theirs.decryptor(), store=lambda _ids: [own]
    )
    assert [str(sig.certificate) for sig in opened.valid_sigs] == [str(own.fingerprint)]
    inner = message_from_bytes(bytes(opened.bytes))
    assert inner.get_content_type() == "text/plain"
    assert "These devices call our sinkhole." in inner.get_payload(decode=True).decode()
    shown = api.get(f"/api/v1/notifications/{ref}").json
    assert (shown["state"]["transport"], shown["sent_level"]) == ("submitted", "P1")
    assert letters()[0].body is None


@pytest.mark.usefixtures("relay", "allowed")
def test_a_letter_whose_key_became_unusable_is_not_sent_and_runs_no_clock(
    app: Flask, api: Api, clock: Any
) -> None:
    pin(NOW)
    ref = told(api, tlp="TLP:AMBER", plain_text=True).json["ref"]
    keys_are(expires_at=NOW)
    relay = Relay()
    with serving(relay) as port:
        hand_over(app, port, NOW + SECOND)
    assert relay.seen == []
    shown = api.get(f"/api/v1/notifications/{ref}").json
    assert (shown["state"]["transport"], shown["state"]["clock"], shown["due"]) == ("stale", "paused", None)
    assert letters()[0].last_error == (
        "key problem: the OpenPGP key for this address must not be used: it has expired"
    )
    assert outreach_jobs.record_lapses(NOW + 30 * DAY) == 0
