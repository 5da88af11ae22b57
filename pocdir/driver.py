"""Statements that SQLAlchemy compiles once, and that the driver is then given as they are.

For what runs before every view or with many rows: what SQLAlchemy does for each `execute`, and each row of it, costs
several times what the database does. Everywhere else a session is right.
"""

from __future__ import annotations

import datetime as dt
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Insert, PoolProxiedConnection, Update
from sqlalchemy.exc import DBAPIError

from pocdir.db import Line, Rows, UtcDateTime, db


def rows_apart(statement: Rows, values: Mapping[str, Any]) -> list[Line]:
    """The rows of one SELECT on a connection of its own, as rows_of gives them; the session's transaction, if any, and
    what it has read stay as they are."""
    engine = db.engine
    try:
        pooled = engine.raw_connection()
    except engine.dialect.loaded_dbapi.Error as error:
        raise _refused(engine.dialect, None, error) from error
    try:
        return _rows(pooled, engine.dialect, statement, values)
    except DBAPIError as error:
        if error.connection_invalidated:
            engine.dispose()  # who comes next is given none of the others that broke with it
        raise
    finally:
        pooled.close()


def rows_of(connection: Connection, statement: Rows, values: Mapping[str, Any]) -> list[Line]:
    """The rows of one SELECT, each a tuple with the names of its columns (no Row: it has no `_mapping`).

    `values` are those of its parameters, by name. The statement is one that is kept in its module: each is compiled
    once and held. Nothing in it is a list (`in_`), which would be expanded with each call.
    """
    return _rows(connection.connection, connection.dialect, statement, values)


def execute_many(
    connection: Connection, statement: Insert | Update, rows: Sequence[Mapping[str, Any]]
) -> None:
    """One INSERT or UPDATE, kept in its module as rows_of has it, for many rows, which all have the same names.

    Columns that are neither in the rows nor in the statement get no default here.
    """
    if not rows:
        return
    if not connection.in_transaction():
        raise RuntimeError("execute_many outside of a transaction")
    dialect = connection.dialect
    sent = _as_sent(statement, dialect, tuple(rows[0]))
    if len(rows) == 1:  # as most are that belong to one act: nothing is gathered by column
        _run(connection.connection, dialect, sent.sql, [_given(sent, rows[0])])
    else:
        given = zip(*(_column(sent, at, rows) for at in range(len(sent.keys))), strict=True)
        named = (dict(zip(sent.names, row, strict=True)) for row in given) if sent.names else given
        _run(connection.connection, dialect, sent.sql, list(named))


_Change = Callable[[Any], Any]  # between Python's value and the driver's


class _Sent(NamedTuple):
    """A statement as the driver takes it."""

    sql: str
    keys: tuple[str, ...]  # what the values are called in a row, in the order of the statement
    changes: dict[int, _Change]  # by place, of those that the driver wants otherwise
    fixed: dict[str, Any]  # values that stand in the statement, not in the rows
    names: tuple[str, ...]  # as the driver calls them; none: the values go by place


class _Read(NamedTuple):
    """What becomes of a row that the driver gives."""

    row: Callable[[Iterable[Any]], Any]
    changes: dict[int, _Change]


def _rows(
    pooled: PoolProxiedConnection, dialect: Dialect, statement: Rows, values: Mapping[str, Any]
) -> list[Line]:
    sent, read = _as_sent(statement, dialect, ()), _as_read(statement, dialect)
    found = _run(pooled, dialect, sent.sql, [_given(sent, values)], reads=True)
    return [read.row(_changed(row, read.changes)) for row in found]


def _run(
    pooled: PoolProxiedConnection, dialect: Dialect, sql: str, given: Sequence[Any], *, reads: bool = False
) -> Any:
    """The rows that the driver reads, if it is to; its errors are raised as SQLAlchemy's."""
    cursor = pooled.cursor()
    try:
        if len(given) == 1:
            cursor.execute(sql, given[0])
        else:
            cursor.executemany(sql, given)
        return cursor.fetchall() if reads else None
    except dialect.loaded_dbapi.Error as error:
        broken = dialect.is_disconnect(error, pooled.dbapi_connection, cursor)
        raise _refused(dialect, sql, error, broken=broken) from error
    finally:
        cursor.close()


def _refused(dialect: Dialect, sql: str | None, error: Exception, *, broken: bool = False) -> BaseException:
    base = dialect.loaded_dbapi.Error
    return DBAPIError.instance(
        sql, None, error, base, hide_parameters=True, connection_invalidated=broken, dialect=dialect
    )


@lru_cache(maxsize=128)
def _as_sent(statement: Insert | Update | Rows, dialect: Dialect, names: tuple[str, ...]) -> _Sent:
    """Compiled only once."""
    compiled = statement.compile(dialect=dialect, column_keys=names if isinstance(statement, Insert) else [])
    places = {name: bind for bind, name in compiled.bind_names.items()}
    binds = [places[name] for name in compiled.positiontup or places]
    return _Sent(
        str(compiled),
        tuple(bind.key for bind in binds),
        _changes(binds, dialect, "bind_processor"),
        {bind.key: bind.value for bind in binds if bind.key not in names and not bind.required},
        () if compiled.positional else tuple(places),
    )


@lru_cache(maxsize=128)
def _as_read(statement: Rows, dialect: Dialect) -> _Read:
    columns = statement.selected_columns
    row = namedtuple("Line", [column.key for column in columns])  # type: ignore[misc]
    return _Read(row._make, _changes(columns, dialect, "result_processor", None))


def _changes(typed: Iterable[Any], dialect: Dialect, processor: str, *more: Any) -> dict[int, _Change]:
    changes = {}
    for at, each in enumerate(typed):
        change = getattr(each.type.dialect_impl(dialect), processor)(dialect, *more)
        if change is not None:
            changes[at] = _once(change) if isinstance(each.type, UtcDateTime) else change
    return changes


def _once(change: _Change) -> _Change:
    """The change of a moment, which is given again and again; where the clocks go back two of one zone are equal."""
    cached = lru_cache(maxsize=1024)(change)

    def changed(value: Any) -> Any:
        return (
            cached(value)
            if isinstance(value, str) or getattr(value, "tzinfo", None) is dt.UTC
            else change(value)
        )

    return changed


def _given(sent: _Sent, row: Mapping[str, Any]) -> Any:
    """The values of one row as the driver takes them."""
    values = {**sent.fixed, **row} if sent.fixed else row
    given = _changed([values[key] for key in sent.keys], sent.changes)
    return dict(zip(sent.names, given, strict=True)) if sent.names else given


def _changed(values: Iterable[Any], changes: Mapping[int, _Change]) -> list[Any]:
    changed = [*values]
    for at, change in changes.items():
        changed[at] = change(changed[at])
    return changed


def _column(sent: _Sent, at: int, rows: Sequence[Mapping[str, Any]]) -> Iterable[Any]:
    """The values at one place as the driver takes them; words, which recur, are each changed once."""
    key, change = sent.keys[at], sent.changes.get(at)
    if key not in rows[0]:
        fixed = sent.fixed[key]
        return [change(fixed) if change else fixed] * len(rows)
    values = [row[key] for row in rows]
    if change is None:
        return values
    return map(cache(change) if set(map(type, values)) == {str} else change, values)
