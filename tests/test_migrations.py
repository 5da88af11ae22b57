"""Migrations: up from nothing equals the models, down leaves nothing, triggers stand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from pocdir.core.errors import Conflict
from pocdir.db import Base, db, transaction, writing
from pocdir.ledger.actions import append
from pocdir.site.actions.database import copy_aside, downgrade, upgrade
from pocdir.site.queries.database import is_current, revisions, standing
from tests.conftest import Api
from tests.mail.replies import came_in
from tests.outreach import made


@pytest.fixture
def migrated(app: Flask) -> Flask:
    """Whatever a test does to the tables, the next one finds them as they were."""
    yield app
    db.session.remove()
    with writing(db.engine) as connection:
        at = standing(connection)
        known = at is None or at in revisions()
        if not known:
            connection.execute(
                text("UPDATE alembic_version SET version_num = :newest"), {"newest": revisions()[-1]}
            )
    upgrade(db.engine)


def test_up_from_nothing_equals_the_models(app: Flask) -> None:
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_down_leaves_nothing_and_up_again_makes_everything(migrated: Flask, now: dt.datetime) -> None:
    with transaction() as session:
        append(
            session, type="ack.given", now=now, actor="service", claimed_by="sender", payload={"note": "x"}
        )
    db.session.remove()
    downgrade(db.engine, "base")
    assert inspect(db.engine).get_table_names() == ["alembic_version"]
    upgrade(db.engine)
    with db.engine.connect() as connection:
        assert is_current(connection)


def test_what_sending_and_replies_keep_lets_what_was_there_survive_down_and_up(
    migrated: Flask, api: Api, now: dt.datetime
) -> None:
    made.teams(now)
    logged = api.post("/api/v1/notifications", {"team": "cert-at", "subject": "Hits"})
    assert logged.status_code == 201, logged.text
    came_in(b"From: a@cert.example\r\nSubject: Hello\r\n\r\nHello\r\n", now)
    tables = ("notifications", "events", "inbox")
    with writing(db.engine) as connection:
        before = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in tables}
        connection.execute(text("UPDATE inbox SET result = 'unreadable'"))
    db.session.remove()
    downgrade(db.engine, "0018")
    with db.engine.connect() as connection:
        assert connection.execute(text("SELECT result FROM inbox")).scalars().all() == ["waits"]
    upgrade(db.engine)
    with writing(db.engine) as connection:
        after = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar() for name in tables}
        assert after == before and before["inbox"] == before["notifications"] == 1
        [row] = connection.execute(text("SELECT rules_not_met FROM notifications"))
        assert row[0] in ("[]", [])
        connection.execute(text("UPDATE inbox SET result = 'unreadable'"))  # its check allows it again


def test_the_ledgers_triggers_stand(app: Flask, now: dt.datetime) -> None:
    with transaction() as session:
        append(session, type="ack.given", now=now, actor="service", claimed_by="sender")
    statements = ["UPDATE events SET v = 2", "DELETE FROM events"]
    if db.engine.dialect.name == "postgresql":
        statements += ["TRUNCATE events CASCADE", "TRUNCATE event_values"]
    for statement in statements:
        with pytest.raises(DBAPIError), transaction() as session:
            session.execute(text(statement))


def test_a_database_newer_than_the_code_is_refused(migrated: Flask) -> None:
    with transaction() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with db.engine.connect() as connection, pytest.raises(Conflict, match="newer"):
        is_current(connection)


def test_the_file_is_copied_aside_whole(app: Flask, now: dt.datetime) -> None:
    settings = app.extensions["pocdir"]
    copy = copy_aside(settings, now)
    if settings.sqlite_path is None:
        assert copy is None
    else:
        assert copy is not None
        assert copy.stat().st_mode & 0o777 == 0o600
        assert Path(copy).read_bytes()[:15] == b"SQLite format 3"
        copy.unlink()
