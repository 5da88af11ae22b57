"""What is kept beside the ledger of a notification: brought in line with the fold of its events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, update
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

from pocdir.db import table_of, upserts
from pocdir.driver import execute_many
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.escalation.actions.policies import hold_as_said, look_again
from pocdir.outreach.models import Expectation, Notification
from pocdir.outreach.queries.notifications import Locked, notification_to_change
from pocdir.outreach.rules.expectations import ExpectationState
from pocdir.outreach.rules.fold import State, state_of

_N, _E = table_of(Notification), table_of(Expectation)
_INSERTED, _UPSERTED = insert(_E), upserts(_E, "id")
_COLUMNS = ("sent_level", "transport", "response", "outcome", "clock", "due", "withdrawn_at")
_KEPT = ("of", "within", "level", "due_at", "state", "lapsed_at", "stopped_at")
_NEW = {
    table: update(table)
    .where(table.c.id == bindparam("row"))
    .values({name: bindparam(f"new_{name}", type_=table.c[name].type) for name in names})
    for table, names in ((_N, _COLUMNS), (_E, _KEPT))
}


def project(session: Session, notification: Notification | Locked, events: Sequence[Event]) -> State:
    """Bring what is kept of a notification in line with what all its events say; returns the state."""
    state = state_of(events)
    columns, connection = columns_of(state), session.connection()
    execute_many(connection, _NEW[_N], [_new(notification.id, columns)])
    _keep_expectations(connection, notification.id, state, events)
    if isinstance(notification, Notification):
        for name, value in columns.items():
            set_committed_value(notification, name, value)
        session.expire(notification, ["expectations"])
    look_again(session, notification, at=max(event.recorded_at for event in events))
    return state


def rebuild(session: Session, ref: str) -> None:
    """Make a notification's state, expectations and embargo anew from its events; nothing is recorded."""
    row = notification_to_change(ref, session)
    if row is not None:
        session.execute(delete(_E).where(_E.c.notification_id == row.id))
        events = events_of_notification(ref, session)
        hold_as_said(session, row.id, events)
        project(session, row, events)


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
    rows = [row for notification_id, state in states.items() for row in _rows(notification_id, state)]
    execute_many(session.connection(), _INSERTED, rows)


def _keep_expectations(
    connection: Connection, notification_id: int, state: State, events: Sequence[Event]
) -> None:
    """Bring the rows of a notification's expectations in line; those that were taken back go."""
    rows = _rows(notification_id, state)
    execute_many(connection, _UPSERTED[connection.dialect.name], rows)
    gone = {event.id for event in events if event.type == "expectation.set"} - {row["id"] for row in rows}
    if gone:
        connection.execute(delete(_E).where(_E.c.id.in_(gone)))


def _rows(notification_id: int, state: State) -> list[dict[str, Any]]:
    return [
        {"id": each.id, "notification_id": notification_id, **_columns(each)} for each in state.expectations
    ]


def _columns(each: ExpectationState) -> dict[str, Any]:
    return {name: getattr(each, name) for name in _KEPT}


def _new(row: int | str, columns: Mapping[str, Any]) -> dict[str, Any]:
    return {"row": row, **{f"new_{name}": value for name, value in columns.items()}}
