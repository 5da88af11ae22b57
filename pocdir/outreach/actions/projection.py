"""What is kept beside the ledger of a notification: brought in line with the fold of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, update
from sqlalchemy.orm import Session

from pocdir.db import execute_many, table_of
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.escalation.actions.policies import look_again
from pocdir.outreach.models import Expectation, Notification
from pocdir.outreach.queries.notifications import notification_to_change
from pocdir.outreach.rules.expectations import ExpectationState
from pocdir.outreach.rules.fold import State, state_of

_N, _E = table_of(Notification), table_of(Expectation)
_INSERTED = insert(_E)
_COLUMNS = ("sent_level", "transport", "response", "outcome", "clock", "due", "withdrawn_at")
_KEPT = ("of", "within", "level", "due_at", "state", "lapsed_at", "stopped_at")
_NEW = {
    table: update(table)
    .where(table.c.id == bindparam("row"))
    .values({name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names})
    for table, names in ((_N, _COLUMNS), (_E, _KEPT))
}


def project(session: Session, notification: Notification, events: Sequence[Event]) -> State:
    """Bring the state columns in line with what the events say; returns the state."""
    state = state_of(events)
    for name, value in columns_of(state).items():
        setattr(notification, name, value)
    session.flush()
    known = [each.id for each in notification.expectations]
    _keep_expectations(session, notification.id, state, known=known)
    session.expire(notification, ["expectations"])
    look_again(session, notification, at=max(event.recorded_at for event in events))
    return state


def rebuild(session: Session, ref: str) -> None:
    """Make a notification's state and expectations anew from its events; nothing is recorded, as no fact is new."""
    row = notification_to_change(ref, session)
    if row is not None:
        project(session, row, events_of_notification(ref, session))


def project_many(session: Session, states: Mapping[int, State]) -> None:
    """Bring many rows in line at once, by notification; none of them was asked for anything new."""
    connection = session.connection()
    rows = [_new(row, columns_of(state)) for row, state in states.items()]
    execute_many(connection, _NEW[_N], rows)
    kept = (each for state in states.values() for each in state.expectations)
    execute_many(connection, _NEW[_E], [_new(each.id, _columns(each)) for each in kept])


def columns_of(state: State) -> dict[str, Any]:
    """The state columns of a notification's row."""
    return {name: getattr(state, name) for name in _COLUMNS}


def add_expectations(session: Session, states: Mapping[int, State]) -> None:
    """The rows of what new notifications expect, by notification."""
    rows = [
        {"id": each.id, "notification_id": notification_id, **_columns(each)}
        for notification_id, state in states.items()
        for each in state.expectations
    ]
    execute_many(session.connection(), _INSERTED, rows)


def _keep_expectations(session: Session, notification_id: int, state: State, *, known: Sequence[str]) -> None:
    """Bring the rows of a notification's expectations in line; `known` are those that have one."""
    connection = session.connection()
    rows = [
        {"id": each.id, "notification_id": notification_id, **_columns(each)} for each in state.expectations
    ]
    fresh = [row for row in rows if row["id"] not in known]
    if fresh:
        connection.execute(insert(_E), fresh)
    for row in rows:
        if row["id"] in known:
            connection.execute(update(_E).where(_E.c.id == row["id"]).values(row))
    gone = set(known) - {row["id"] for row in rows}
    if gone:
        connection.execute(delete(_E).where(_E.c.id.in_(gone)))


def _columns(each: ExpectationState) -> dict[str, Any]:
    return {name: getattr(each, name) for name in _KEPT}


def _new(row: int | str, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {"row": row, **{f"new_{name}": value for name, value in columns.items()}}
