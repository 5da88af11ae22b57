"""The database: engine, session, column types and the only place that commits."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Insert,
    MetaData,
    PoolProxiedConnection,
    Row,
    Select,
    Table,
    TypeDecorator,
    event,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from pocdir.core.errors import Unavailable
from pocdir.core.json_text import json_text

T = TypeVar("T")
BUSY_TIMEOUT_MS = 5000
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[dt.datetime]):
    """Aware UTC in Python on every back end (SQLite drops the zone, PostgreSQL keeps it)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime")
        return value.astimezone(dt.UTC)

    def process_result_value(self, value: dt.datetime | None, dialect: Dialect) -> dt.datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)


JsonValue = JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {dict[str, Any]: JsonValue, list[Any]: JsonValue, dt.datetime: UtcDateTime}


Line = Row[*tuple[Any, ...]]  # a row of columns that the checker does not follow
Rows = Select[*tuple[Any, ...]]  # a statement that gives such rows


def table_of(model: type[Base]) -> Table:
    """The model's table, for statements that go past the unit of work."""
    return cast(Table, model.__table__)


def inserts_once(table: Table, *key: str) -> dict[str, Insert]:
    """By dialect an INSERT that leaves alone what stands already under `key` (without one: under any)."""
    return {
        "sqlite": sqlite.insert(table).on_conflict_do_nothing(index_elements=key or None),
        "postgresql": postgresql.insert(table).on_conflict_do_nothing(index_elements=key or None),
    }


def upserts(table: Table, *key: str) -> dict[str, Insert]:
    """By dialect an INSERT that brings what stands already under `key` in line in every other column."""
    others = [column.name for column in table.c if column.name not in key]
    lite, postgres = sqlite.insert(table), postgresql.insert(table)
    return {
        "sqlite": lite.on_conflict_do_update(key, set_={name: lite.excluded[name] for name in others}),
        "postgresql": postgres.on_conflict_do_update(
            index_elements=key, set_={name: postgres.excluded[name] for name in others}
        ),
    }


class OneDatabase(FlaskSession):
    """A session that asks nothing to which of several databases it goes, nor in which transaction."""

    def __init__(self, db: SQLAlchemy, **options: Any) -> None:
        super().__init__(db, **options)
        self._engine = db.engine
        self.writing: Connection | None = None  # in transaction()

    def connection(self, *args: Any, **options: Any) -> Connection:
        # A savepoint is set when its connection is first asked for: within one nothing is known beforehand.
        if self.writing is None or args or options or self.in_nested_transaction():
            return super().connection(*args, **options)
        return self.writing

    def get_bind(self, *_args: Any, bind: Any = None, **_options: Any) -> Any:
        return bind or self._engine


# Not SQLAlchemy(model_class=Base): Flask-SQLAlchemy re-creates the class it is given, which breaks
# type_annotation_map (flask-sqlalchemy#1361).
db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False, "class_": OneDatabase})

_OPEN = "pocdir.transaction"
_QUERY_ONLY = "pocdir.query_only"
_CHANGED = "pocdir.changed"
_COMMITS = "commits"
_counts: Counter[str] = Counter()
_counting = threading.Lock()


@contextmanager
def transaction() -> Iterator[Session]:
    """One transaction that writes: commits at the end, rolls back on any exception.

    What was read before (by authentication, say) ends first: on SQLite a read that turns into a write fails at
    once, and a row is authorized as it is written. Raises Unavailable `busy` when the database stays locked.
    """
    session = cast(OneDatabase, db.session())
    if session.info.get(_OPEN):
        raise RuntimeError("transaction() inside transaction(): commit at the edge only")
    session.rollback()
    session.info[_OPEN] = True
    try:
        session.writing = connection = _begun(session.connection, writes=True)
        connection.info.pop(_CHANGED, None)
        yield session
        changed = connection.info.pop(_CHANGED, ())
        session.commit()
        _count((_COMMITS, *changed))
    except BaseException as error:
        session.rollback()
        if isinstance(error, DBAPIError) and is_busy(error):
            raise Unavailable("busy", "the database is busy; try again", retry_after=2) from error
        raise
    finally:
        session.info[_OPEN] = False
        session.writing = None


@contextmanager
def snapshot() -> Iterator[Session]:
    """One reading transaction that sees one moment of the whole database, however long it lasts."""
    session = db.session()
    session.rollback()
    if db.engine.dialect.name == "postgresql":
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    try:
        yield session
    finally:
        session.rollback()


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A connection in one transaction that writes past every session: for migrations, and for who tampers."""
    with engine.connect() as connection, _begun(connection.begin, writes=True):
        yield connection


def forget_deleted() -> None:
    """Let SQLite's log beside the file forget what was deleted (where somebody reads just now: next time)."""
    if db.engine.dialect.name == "sqlite":
        db.session.remove()
        with db.engine.connect() as connection:
            raw = cast(sqlite3.Connection, connection.connection.dbapi_connection)
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def change(connection: Connection, what: str) -> None:
    """Say that the open transaction changes `what`, which readers of this process may hold in memory."""
    connection.info.setdefault(_CHANGED, set()).add(what)


def changes(what: str = "commits") -> int:
    """How many transactions of this process have changed `what`: a reader's cheap sign to look again."""
    return _counts[what]


def _count(kinds: Iterable[str]) -> None:
    with _counting:
        for kind in kinds:
            _counts[kind] += 1


class _Next(threading.local):
    """Whether the next BEGIN of this thread is one that writes."""

    writes = False


_next = _Next()


def _begun(begin: Callable[[], T], *, writes: bool) -> T:
    _next.writes = writes
    try:
        return begin()
    finally:
        _next.writes = False


def is_busy(error: DBAPIError) -> bool:
    """Whether the database said *not now* (locked, deadlock, serialisation) rather than *never*."""
    original = error.orig
    if isinstance(original, sqlite3.OperationalError):
        return "locked" in str(original) or "busy" in str(original)
    return getattr(original, "sqlstate", None) in {"40001", "40P01", "55P03", "57014"}


def init_app(app: Flask, url: str) -> None:
    """Tie an application to its database; what a statement carried never stands in an error message."""
    options = {"hide_parameters": True, "json_serializer": json_text}
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS=options)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)


def prepare_engine(engine: Engine) -> None:
    """Give a new engine the settings that make a commit durable and a read harmless."""
    # Not a listener to "begin": with one, every step of every connection looks for others.
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        engine.dialect.do_begin = _sqlite_begin  # type: ignore[assignment]
    else:
        event.listen(engine, "connect", _postgresql_connect)
        engine.dialect.do_begin = _postgresql_begin  # type: ignore[assignment]


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # takes BEGIN away from the driver
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",  # what is erased is overwritten
        "cache_size=-16384",
        "wal_autocheckpoint=4000",  # pages: hot ones are written back once for several hundred commits
    ):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(pooled: PoolProxiedConnection) -> None:
    writes, raw, kept = _next.writes, cast(sqlite3.Connection, pooled.dbapi_connection), pooled.info
    if kept.get(_QUERY_ONLY) != (not writes):  # only then: the pragma makes every prepared statement stale
        raw.execute(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
        kept[_QUERY_ONLY] = not writes
    raw.execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_connect(connection: Any, _record: object) -> None:
    # Compiling costs seconds where a table was never analysed and is guessed to be large; our queries are short.
    connection.execute("SET jit = off")
    connection.execute("SET timezone = 'UTC'")
    connection.commit()


def _postgresql_begin(pooled: PoolProxiedConnection) -> None:
    raw: Any = pooled.dbapi_connection
    if raw.read_only is not (not _next.writes):
        raw.read_only = not _next.writes  # stands in the driver's BEGIN
