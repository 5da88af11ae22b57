"""The only place that commits."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import bindparam, create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from pocdir.core.errors import Unavailable
from pocdir.core.refs import new_ref
from pocdir.db import changes, db, table_of, transaction, writing
from pocdir.driver import execute_many, rows_apart, rows_of
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


def test_a_look_apart_begins_no_transaction_and_ends_none(app: Flask, now: dt.datetime) -> None:
    asked = select(KEYS)
    for _ in range(2):
        assert rows_apart(asked, {}) == [] or rows()
        write(now)
        assert len(rows_apart(asked, {})) == rows()
    with transaction() as session:
        session.execute(insert(KEYS).values(a_row(now)))
        assert len(rows_apart(asked, {})) == 2
        assert len(rows_of(session.connection(), asked, {})) == 3
    assert rows() == 3


def test_a_row_that_the_driver_gives_is_the_one_that_sqlalchemy_gives(app: Flask, now: dt.datetime) -> None:
    write(now)
    asked = select(KEYS.c.key, KEYS.c.created_at.label("at")).where(
        KEYS.c.scope == bindparam("scope"),
        KEYS.c.created_at >= bindparam("since", type_=KEYS.c.created_at.type),
    )
    given = {"scope": "test", "since": now.astimezone(ZoneInfo("Asia/Tokyo"))}
    (line,) = rows_apart(asked, given)
    assert line == tuple(db.session.execute(asked, given).one())
    assert (line.at, line.at.tzinfo) == (now, dt.UTC)
    with pytest.raises(KeyError):
        rows_apart(asked, {"scope": "test"})


def test_an_hour_that_comes_twice_is_two_hours(app: Flask) -> None:
    autumn = dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    twice = [autumn.replace(fold=fold) for fold in (0, 1)]
    with transaction() as session:
        for at in twice:
            execute_many(session.connection(), insert(KEYS), [a_row(at)])
    found = {line.created_at for line in rows_apart(select(KEYS), {})}
    assert found == {at.astimezone(dt.UTC) for at in twice}
    assert len(found) == 2


def test_what_the_driver_refuses_is_the_error_that_sqlalchemy_raises(app: Flask, now: dt.datetime) -> None:
    row = a_row(now)
    with transaction() as session:
        execute_many(session.connection(), insert(KEYS), [row])
    with pytest.raises(IntegrityError), transaction() as session:
        execute_many(session.connection(), insert(KEYS), [row])
    assert rows() == 1


def test_only_one_meets_a_server_that_has_ended_its_connections(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    if db.engine.dialect.name == "sqlite":
        assert rows_apart(select(KEYS), {}) == []  # no server that could
        return
    other, engine = db.engine, create_engine(db.engine.url)
    monkeypatch.setitem(db._app_engines[app], None, engine)
    with engine.connect() as first, engine.connect() as second, engine.connect() as third:
        waiting = [each.scalar(text("SELECT pg_backend_pid()")) for each in (first, second, third)]
    with other.connect() as connection:
        for pid in waiting:
            connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
    with pytest.raises(DBAPIError):
        rows_apart(select(KEYS), {})
    assert [rows_apart(select(KEYS), {}) for _ in range(3)] == [[], [], []]
    engine.dispose()


def test_what_fails_leaves_nothing(app: Flask, now: dt.datetime) -> None:
    def fail_after_writing() -> None:
        with transaction() as session:
            session.execute(insert(KEYS).values(a_row(now)))
            raise ValueError

    with pytest.raises(ValueError):
        fail_after_writing()
    assert rows() == 0


def test_what_fails_in_a_savepoint_leaves_nothing_of_it(app: Flask, now: dt.datetime) -> None:
    with transaction() as session:
        execute_many(session.connection(), insert(KEYS), [a_row(now)])
        with pytest.raises(ValueError), session.begin_nested():
            execute_many(session.connection(), insert(KEYS), [a_row(now)])
            raise ValueError
        execute_many(session.connection(), insert(KEYS), [a_row(now)])
    assert rows() == 2


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
