"""What did not come by its time: written down once, dated when it fell due, for many notifications at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import structlog
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from pocdir.core.refs import new_ref
from pocdir.db import Line, inserts_once, table_of
from pocdir.ledger.actions import append_each
from pocdir.ledger.queries import events_of_notifications
from pocdir.ledger.rules.events import Event
from pocdir.ledger.rules.vocabulary import POLICIES
from pocdir.outreach.actions.projection import project_many
from pocdir.outreach.escalation.actions.policies import look_again_at
from pocdir.outreach.models import Expectation, WorkerTick
from pocdir.outreach.queries.past_due import refs_past_due
from pocdir.outreach.rules import expectations
from pocdir.outreach.rules.fold import State, state_of

POLICY = POLICIES[0]  # the sender sets the due time
AGAIN = dt.timedelta(hours=1)
_E = table_of(Expectation)
_log = structlog.get_logger("pocdir.outreach")
_FIRST_TICK = inserts_once(table_of(WorkerTick), "id")


def record_lapses(session: Session, due: Sequence[Line], *, now: dt.datetime) -> int:
    """Write down what these notifications asked for and did not get by its time; returns how many facts.

    `due` as queries.due.due_notifications gives them, locked for the caller.
    """
    events = events_of_notifications([row.ref for row in due], session, sealed=False)
    states = {row.id: state_of(events[row.ref]) for row in due}
    lapses = [event for row in due for event in _lapses(row, states[row.id], now)]
    kept = append_each(session, lapses, scope="clock")
    for event in kept:
        events[event.notification or ""].append(event)
    said = {event.notification for event in kept}
    project_many(
        session, {row.id: state_of(events[row.ref]) if row.ref in said else states[row.id] for row in due}
    )
    look_again_at(session, [row.id for row in due] + [row.parent_id for row in due if row.parent_id], at=now)
    _put_off(session, [row.id for row in due], now=now)
    return len(kept)


def record_one_by_one(session: Session, due: Sequence[Line], *, now: dt.datetime) -> int:
    """The same, one notification after the other: what cannot be worked out waits, and everybody else's go on."""
    written = 0
    for row in due:
        try:
            with session.begin_nested():
                written += record_lapses(session, [row], now=now)
        except OperationalError:  # the database, not this notification
            raise
        except Exception:
            _log.exception("lapse failed", notification=row.ref)
            _put_off(session, [row.id], now=now)
    return written


def _put_off(session: Session, rows: Sequence[int], *, now: dt.datetime) -> None:
    """Try again in an hour what is still due though all was written down that could be, of these notifications.

    It holds up no other till then, and `pocdir doctor` tells of it: its row stays past due.
    """
    left = (_E.c.notification_id.in_(rows), _E.c.state == "running", _E.c.due_at <= now)
    done = session.connection().execute(update(_E).where(*left).values(put_off_until=now + AGAIN))
    if done.rowcount:
        named = refs_past_due(rows, session, by=now, limit=10)
        _log.error("fell due, and no event says so", expectations=done.rowcount, notifications=named)


def _lapses(row: Line, state: State, now: dt.datetime) -> list[Event]:
    return [
        Event(
            id=new_ref(now), type="expectation.lapsed", occurred_at=due.due_at, recorded_at=now, actor="service",
            claimed_by="clock", notification=row.ref, incident=row.incident_ref, team=row.team_slug,
            payload=expectations.lapse_payload(due, sent_level=state.sent_level),
            idempotency_key=expectations.lapse_key(row.ref, POLICY, due.level, due.of, due.due_at),
        )
        for due in expectations.due_lapses(state.expectations, now)
    ]  # fmt: skip


def tick(session: Session, *, now: dt.datetime) -> None:
    """Note that the worker went round."""
    dialect = session.connection().dialect.name
    session.execute(
        _FIRST_TICK[dialect], {"id": 1, "last_tick": now}
    )  # two workers may go round for the first time
    session.execute(update(WorkerTick).values(last_tick=now))
