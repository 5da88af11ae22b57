"""The only place that commits."""

from __future__ import annotations

import datetime as dt

import pytest
from flask import Flask
from sqlalchemy import insert, select
from sqlalchemy.exc import DBAPIError

from pocdir.core.errors import Unavailable
from pocdir.core.refs import new_ref
from pocdir.db import changes, db, looking_up, table_of, transaction, writing
from pocdir.web.models import IdempotencyKey

KEYS = table_of(IdempotencyKey)


def a_row(now: dt.datetime) -> dict[str, object]:
    return {"scope": "test", "key": new_ref(now), "digest": "", "resource": "", "created_at": now}


def write(now: dt.datetime) -> None:
    with transaction() as session:
        session.execute(insert(KEYS).values(a_row(now)))


def rows() -> int:
    db.session.rollback()
    return len(db.session.execute(select(KEYS)).all())


def test_a_transaction_commits(app: Flask, now: dt.datetime) -> None:
    before = changes()
    write(now)
    assert changes() == before + 1
    assert rows() == 1


def test_reading_cannot_write_whatever_came_before(app: Flask, now: dt.datetime) -> None:
    for _ in range(2):
        with pytest.raises(DBAPIError):
            db.session.execute(insert(KEYS).values(a_row(now)))
        write(now)
    assert rows() == 2


def test_looking_up_leaves_the_connection_as_it_was(app: Flask, now: dt.datetime) -> None:
    write(now)
    for _ in range(2):
        with looking_up() as connection:
            assert connection.execute(select(KEYS)).first() is not None
        write(now)
        assert rows()
        with looking_up() as connection:
            assert connection.execute(select(KEYS)).first() is not None
    assert rows() == 3


def test_what_fails_leaves_nothing(app: Flask, now: dt.datetime) -> None:
    def fail_after_writing() -> None:
        with transaction() as session:
            session.execute(insert(KEYS).values(a_row(now)))
            raise ValueError

    with pytest.raises(ValueError):
        fail_after_writing()
    assert rows() == 0


def test_a_transaction_in_a_transaction_is_a_mistake_in_the_code(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="commit at the edge"), transaction(), transaction():
        pass


@pytest.mark.parametrize("app", ["sqlite"], indirect=True)  # writers of PostgreSQL do not wait for each other
def test_a_database_that_stays_locked_is_busy_and_the_next_writer_is_not(
    app: Flask, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pocdir.db.BUSY_TIMEOUT_MS", 1)
    db.session.remove()
    db.engine.dispose()
    with writing(db.engine), pytest.raises(Unavailable) as refused:
        write(now)
    assert refused.value.code == "busy"
    write(now)
    db.session.remove()
    db.engine.dispose()
    assert rows() == 1
