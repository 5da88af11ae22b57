"""The service sends a notification's letter: who may, how it travels, and what becomes of it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.ledger.queries import events_of_notification
from pocdir.mail.models import Mail
from pocdir.outreach.sending.actions import allow
from tests.conftest import Api
from tests.outreach import made

DAY = dt.timedelta(days=1)
NO_RELAY = 1  # a port where nothing listens


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
