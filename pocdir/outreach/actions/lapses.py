"""What did not come by its time: written down once, dated when it fell due, for many notifications at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import update
from sqlalchemy.orm import Session

from pocdir.core.refs import new_ref
from pocdir.db import Line, inserts_once, table_of
from pocdir.ledger.actions import append_each
from pocdir.ledger.queries import events_of_notifications
from pocdir.ledger.rules.events import Event
from pocdir.ledger.rules.vocabulary import POLICIES
from pocdir.outreach.actions.projection import project_many
from pocdir.outreach.escalation.actions.policies import look_again_at
from pocdir.outreach.models import WorkerTick
from pocdir.outreach.rules import expectations
from pocdir.outreach.rules.fold import State, state_of

POLICY = POLICIES[0]  # the sender sets the due time
_FIRST_TICK = inserts_once(table_of(WorkerTick), "id")


def record_lapses(session: Session, due: Sequence[Line], *, now: dt.datetime) -> int:
    """Write down what these notifications asked for and did not get by its time; returns how many facts.

    `due` as queries.due_notifications gives them, locked for the caller.
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
    return len(kept)


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
