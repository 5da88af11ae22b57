"""Whether what is kept beside the ledger says what the ledger says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Row, select

from pocdir.db import db
from pocdir.directory.checks.models import Check
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.queries import events_of_notifications
from pocdir.outreach.models import Expectation, Notification
from pocdir.outreach.rules.fold import State, state_of

_N, _E = Notification.__table__.c, Expectation.__table__.c
_FOLDED = ("sent_level", "transport", "response", "outcome", "clock", "due", "withdrawn_at")
_KEPT = ("id", "of", "within", "level", "due_at", "state", "lapsed_at", "stopped_at")


def differences(batch: int = 500) -> Iterator[str]:
    """One line for each notification whose row or expectations differ from the fold of its events."""
    last = 0
    while rows := _notifications(last, batch):
        last = rows[-1].id
        events = events_of_notifications([row.ref for row in rows])
        kept = _expectations([row.id for row in rows])
        for row in rows:
            if not events[row.ref]:
                yield f"notification {row.ref}: no event speaks of it"
                continue
            fields = _differing(row, kept.get(row.id, []), state_of(events[row.ref]))
            if fields:
                yield f"notification {row.ref}: differs from its events in {', '.join(fields)}"
    for ref in db.session.scalars(_WITHOUT_ROW):
        yield f"notification {ref}: events speak of it, its row is gone"


_WITHOUT_ROW = (
    select(LedgerEvent.notification)
    .where(LedgerEvent.notification.is_not(None), LedgerEvent.notification.not_in(select(_N.ref)))
    .where(LedgerEvent.notification.not_in(select(Check.ref)))  # of a team's own entry
    .distinct()
    .order_by(LedgerEvent.notification)
)


def _notifications(last: int, limit: int) -> Sequence[Row[Any]]:
    columns = [_N[name] for name in ("id", "ref", *_FOLDED)]
    return db.session.execute(select(*columns).where(_N.id > last).order_by(_N.id).limit(limit)).all()


def _expectations(notifications: Sequence[int]) -> dict[int, list[Row[Any]]]:
    columns = [_E[name] for name in ("notification_id", *_KEPT)]
    found: dict[int, list[Row[Any]]] = {}
    for row in db.session.execute(select(*columns).where(_E.notification_id.in_(notifications))):
        found.setdefault(row.notification_id, []).append(row)
    return found


def _differing(row: Row[Any], kept: Sequence[Row[Any]], state: State) -> list[str]:
    fields = [name for name in _FOLDED if getattr(row, name) != getattr(state, name)]
    stands = sorted(tuple(getattr(each, name) for name in _KEPT) for each in kept)
    folded = sorted(tuple(getattr(each, name) for name in _KEPT) for each in state.expectations)
    return fields if stands == folded else [*fields, "expectations"]
