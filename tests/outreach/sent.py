"""What a workspace that may send sends from here, and what becomes of it at a relay."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pysequoia
import time_machine
from flask import Flask
from sqlalchemy import select

from pocdir.core.refs import new_ref
from pocdir.db import db, transaction
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.models import Team
from pocdir.mail import actions as outbox
from pocdir.mail import jobs as mail_jobs
from pocdir.mail.models import Mail
from pocdir.outreach.rules.letter import MAIL
from pocdir.outreach.sending import jobs
from tests.conftest import Api
from tests.mail import keys

DAY, SECOND = dt.timedelta(days=1), dt.timedelta(seconds=1)


def told(api: Api, **more: Any) -> Any:
    return api.post(
        "/api/v1/notifications",
        json={"team": "cert-at", "send": True, "tlp": "TLP:GREEN", "subject": "Sinkhole hits"} | more,
    )


def letters() -> list[Mail]:
    db.session.rollback()  # what another request wrote meanwhile is among them
    return list(db.session.query(Mail).order_by(Mail.id))


def hand_over(app: Flask, port: int, at: dt.datetime) -> None:
    """One round of the thread that talks to the relay, and of the job that writes down what became of it."""
    before = app.extensions["pocdir"]
    app.extensions["pocdir"] = dataclasses.replace(before, smtp_url=f"smtp://127.0.0.1:{port}?timeout=5")
    try:
        with time_machine.travel(at, tick=False):
            mail_jobs.hand_over(at, look=jobs.look)
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


def sent_letter(api: Api, now: dt.datetime, **more: Any) -> Mail:
    """The letter of a notification to cert-at that has just left."""
    answer = api.post(
        "/api/v1/notifications", {"team": "cert-at", "tlp": "TLP:GREEN", "subject": "Hits"} | more
    )
    assert answer.status_code == 201, answer.text
    ref = answer.get_json()["ref"]
    with transaction() as session:
        queued = outbox.enqueue(
            session, kind=MAIL, to="reports@cert.example", subject="Hits", body="b", key=ref, team="cert-at",
            domain="pocdir.example", notification=ref, tlp=more.get("tlp"), automatic=False, confidential=True, now=now,
        )  # fmt: skip
        outbox.mark_sent_by_hand(session, ref=queued.ref, now=now, actor="user:a")
    found = db.session.scalars(select(Mail).where(Mail.ref == queued.ref)).one()
    db.session.expunge(found)
    return found
