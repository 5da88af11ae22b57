"""What the tests of checks share: switched on, the worker going round by days, letters and their answers."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from sqlalchemy import select

from pocdir.db import db, transaction
from pocdir.directory.checks import actions, jobs
from pocdir.directory.checks.letters import post
from pocdir.directory.checks.models import Check
from pocdir.directory.models import Address
from pocdir.mail import actions as outbox
from pocdir.mail.models import Mail
from tests.directory import made

NOW, DAY = made.NOW, dt.timedelta(days=1)
SECRET = b"k" * 43


class Anybody:
    site_roles: tuple[str, ...] = ()
    team_id = None


def switched(app, **settings: Any):
    kept = app.extensions["pocdir"]
    app.extensions["pocdir"] = dataclasses.replace(kept, **settings)
    yield app
    app.extensions["pocdir"] = kept


def work(now: dt.datetime) -> int:
    return jobs.note_letters(now) + jobs.keep_true(now)


def days(start: int, end: int, step: int = 1) -> None:
    """Go round once a day; letters leave on the day they are queued."""
    for day in range(start, end, step):
        now = NOW + day * DAY
        if work(now):
            send(now)
            jobs.note_letters(now)


def send(now: dt.datetime) -> None:
    with transaction() as session:
        for mail in session.scalars(select(Mail).where(Mail.state == "queued")):
            outbox.mark_sent_by_hand(session, ref=mail.ref, now=now, actor="operator")


def letters(kind: str | None = None) -> list[Mail]:
    statement = select(Mail).order_by(Mail.id)
    return list(db.session.scalars(statement.where(Mail.kind == kind) if kind else statement))


def the_check() -> Check:
    return db.session.scalars(select(Check).order_by(Check.id.desc()).limit(1)).one()


def state(value: str = "cert@cert.example") -> str:
    return db.session.scalars(select(Address.state).where(Address.value == value)).one()


def asked(kind: str = "confirmation", now: dt.datetime = NOW) -> Check:
    """A check whose letter was sent."""
    with transaction() as session:
        check = actions.ask(session, slug="cert-example", kind=kind, post=post(), now=now)
        assert check is not None
    send(now)
    jobs.note_letters(now)
    return check


def confirmed(now: dt.datetime, **more: Any):
    with transaction() as session:
        return actions.confirm(
            session, slug="cert-example", kind="email", value="cert@cert.example", via="page", now=now,
            actor="recipient", **more,
        )  # fmt: skip
