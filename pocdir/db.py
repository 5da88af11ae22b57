"""The database: engine, session, column types and the only place that commits."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any, cast

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    BindParameter,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Insert,
    MetaData,
    Row,
    Select,
    Table,
    TypeDecorator,
    Update,
    event,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

from pocdir.core.errors import Unavailable

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


JsonValue = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {dict[str, Any]: JsonValue, list[Any]: JsonValue, dt.datetime: UtcDateTime}


Line = Row[*tuple[Any, ...]]  # a row of columns that the checker does not follow
Rows = Select[*tuple[Any, ...]]  # a statement that gives such rows


def table_of(model: type[Base]) -> Table:
    """The model's table, for statements that go past the unit of work."""
    return cast(Table, model.__table__)


# Not SQLAlchemy(model_class=Base): Flask-SQLAlchemy re-creates the class it is given, which breaks
# type_annotation_map (flask-sqlalchemy#1361).
db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False})

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
    session = db.session()
    if session.info.get(_OPEN):
        raise RuntimeError("transaction() inside transaction(): commit at the edge only")
    session.rollback()
    session.info[_OPEN] = True
    try:
        connection = session.connection(execution_options={"pocdir_writes": True})
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
def looking_up() -> Iterator[Connection]:
    """A connection for one SELECT written here, before every view: the next transaction finds it as it was."""
    with db.engine.connect().execution_options(pocdir_writes=None) as connection:
        yield connection


def change(connection: Connection, what: str) -> None:
    """Say that the open transaction changes `what`, which readers of this process may hold in memory."""
    connection.info.setdefault(_CHANGED, set()).add(what)


def changes(what: str = "commits") -> int:
    """How many transactions of this process have changed `what`: a reader's cheap sign to look again."""
    return _counts[what]


def _count(kinds: Iterable[str]) -> None:
    with _counting:
        _counts.update(kinds)


def execute_many(
    connection: Connection, statement: Insert | Update, rows: Sequence[Mapping[str, Any]]
) -> None:
    """One INSERT or UPDATE for many rows, which all have the same names: the values go to the driver themselves.

    What SQLAlchemy does for each row of `execute` costs several times what the database does for it. Columns
    that are neither in the rows nor in the statement get no default here.
    """
    if not rows:
        return
    sql, binds, positional = _as_sent(statement, connection.dialect, tuple(rows[0]))
    columns = [_column(bind, rows, to_driver) for bind, to_driver in binds.values()]
    whole = zip(*columns, strict=True)
    given: list[Any] = list(whole) if positional else [dict(zip(binds, row, strict=True)) for row in whole]
    connection.exec_driver_sql(sql, given)


_ToDriver = Callable[[Any], Any] | None


@lru_cache(maxsize=64)
def _as_sent(
    statement: Insert | Update, dialect: Dialect, names: tuple[str, ...]
) -> tuple[str, dict[str, tuple[BindParameter[Any], _ToDriver]], bool]:
    """The statement's text, its parameters in their order, and whether they go by place: compiled only once."""
    compiled = statement.compile(dialect=dialect, column_keys=names if isinstance(statement, Insert) else [])
    binds = {name: compiled.binds[name] for name in compiled.positiontup or compiled.binds}
    to_driver: dict[str, tuple[BindParameter[Any], _ToDriver]] = {
        name: (bind, bind.type.dialect_impl(dialect).bind_processor(dialect)) for name, bind in binds.items()
    }
    return str(compiled), to_driver, compiled.positional


def _column(
    bind: BindParameter[Any], rows: Sequence[Mapping[str, Any]], to_driver: _ToDriver
) -> Iterable[Any]:
    """The values of one column as the driver takes them; of several times, each distinct one is changed once."""
    name = bind.key
    if name not in rows[0]:
        return [bind.value if to_driver is None else to_driver(bind.value)] * len(rows)
    values = [row[name] for row in rows]
    if to_driver is None:
        return values
    several = len(values) > 1 and isinstance(bind.type, UtcDateTime)
    return map(cache(to_driver) if several else to_driver, values)


def is_busy(error: DBAPIError) -> bool:
    """Whether the database said *not now* (locked, deadlock, serialisation) rather than *never*."""
    original = error.orig
    if isinstance(original, sqlite3.OperationalError):
        return "locked" in str(original) or "busy" in str(original)
    return getattr(original, "sqlstate", None) in {"40001", "40P01", "55P03", "57014"}


def init_app(app: Flask, url: str) -> None:
    """Tie an application to its database; what a statement carried never stands in an error message."""
    app.config.update(SQLALCHEMY_DATABASE_URI=url, SQLALCHEMY_ENGINE_OPTIONS={"hide_parameters": True})
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)


def prepare_engine(engine: Engine) -> None:
    """Give a new engine the settings that make a commit durable and a read harmless."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
    else:
        event.listen(engine, "connect", _postgresql_connect)
        event.listen(engine, "begin", _postgresql_begin)


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # takes BEGIN away from the driver
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-16384",
        "wal_autocheckpoint=4000",  # pages: hot ones are written back once for several hundred commits
    ):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("pocdir_writes", False)
    raw = connection.connection.dbapi_connection
    assert raw is not None  # noqa: S101 - a connection that begins is open
    kept = connection.connection.info
    # Only then: the pragma makes every prepared statement stale.
    if writes is not None and kept.get(_QUERY_ONLY) != (not writes):
        raw.execute(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
        kept[_QUERY_ONLY] = not writes
    raw.execute("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_connect(connection: Any, _record: object) -> None:
    # Compiling costs seconds where a table was never analysed and is guessed to be large; our queries are short.
    connection.execute("SET jit = off")
    connection.commit()


def _postgresql_begin(connection: Connection) -> None:
    if connection.get_execution_options().get("pocdir_writes", False) is False:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
