"""Whether what is kept beside the ledger says what the ledger says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Row, select

from pocdir.db import Rows, db
from pocdir.directory.checks.models import Check
from pocdir.incidents.models import Incident
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.queries import events_of_notifications
from pocdir.ledger.rules.events import Event, keyed_digest
from pocdir.outreach.escalation import paths
from pocdir.outreach.escalation.rules.by_itself import UNFORESEEN
from pocdir.outreach.escalation.verification import unlike_events
from pocdir.outreach.models import Expectation, Notification
from pocdir.outreach.queries import granted
from pocdir.outreach.rules.fold import State, state_of

_N, _E, _I = (model.__table__.c for model in (Notification, Expectation, Incident))
_FOLDED = ("sent_level", "transport", "response", "outcome", "clock", "due", "withdrawn_at")
# column of the row -> name in the payload of `notification.logged`
_LOGGED = {
    "kind": "kind", "channel_kind": "channel", "channel_value": "recipient", "answer_asked": "answer_asked",
    "language": "language", "subject": "subject",
}  # fmt: skip
EXPECTATIONS, PATH = "expectations", "path"
UNREAD = "unread"
OF_MESSAGES = ("subject", "body_digest")
_KEPT = ("id", "of", "within", "level", "due_at", "state", "lapsed_at", "stopped_at")


def differences(batch: int = 500) -> Iterator[str]:
    """One line for each notification whose row or expectations differ from the fold of its events."""
    for ref, fields in unlike(batch):
        said = f"differs from its events in {', '.join(fields)}" if fields else "no event speaks of it"
        said = "its events cannot be worked out" if fields == [UNREAD] else said
        yield f"notification {ref}: {said}"
    for gone in db.session.scalars(_WITHOUT_ROW):
        yield f"notification {gone}: events speak of it, its row is gone"
    yield from unlike_events()
    yield from (each.words for each in granted.unlike())


def to_rebuild() -> Iterator[str]:
    """References of the notifications whose state is another than their events say."""
    states = {*_FOLDED, EXPECTATIONS, PATH}
    return (ref for ref, fields in unlike() if states & set(fields))


def unlike(batch: int = 500) -> Iterator[tuple[str, list[str]]]:
    """(reference, names of what differs) of each notification that is not as its events say; none: it has no event."""
    last, until = 0, _last_recorded()
    while rows := _notifications(last, batch):
        last = rows[-1].id
        events = events_of_notifications([row.ref for row in rows])
        kept = _expectations([row.id for row in rows])
        salts = _salts([row.ref for row in rows])
        astray = paths.differing(rows, events, until=until) if until else set()
        for row in rows:
            if not events[row.ref]:
                yield row.ref, []
                continue
            try:
                fields = _differing(row, kept.get(row.id, []), state_of(events[row.ref]))
            except UNFORESEEN:
                yield row.ref, [UNREAD]
                continue
            fields += [PATH] if row.ref in astray else []
            fields += _unlike_logged(row, events[row.ref], salts)
            if fields:
                yield row.ref, fields


_WITHOUT_ROW = (
    select(LedgerEvent.notification)
    .where(LedgerEvent.notification.is_not(None), LedgerEvent.notification.not_in(select(_N.ref)))
    .where(LedgerEvent.notification.not_in(select(Check.ref)))  # of a team's own entry
    .distinct()
    .order_by(LedgerEvent.notification)
)


def _last_recorded() -> dt.datetime | None:
    """Until when the record goes: what the worker had to look at by then it puts right as it looks."""
    return db.session.scalar(select(LedgerEvent.recorded_at).order_by(LedgerEvent.id.desc()).limit(1))


def _notifications(last: int, limit: int) -> Sequence[Row[Any]]:
    columns = [_N[name] for name in ("id", "ref", "team_id", "sent_at", "body_digest", *_LOGGED, *_FOLDED)]
    chosen: Rows = select(*columns, _I.ref.label("incident")).outerjoin(Incident, _N.incident_id == _I.id)
    return db.session.execute(chosen.where(_N.id > last).order_by(_N.id).limit(limit)).all()


def _salts(refs: Sequence[str]) -> dict[str, bytes]:
    """The salt of the event that logged each notification."""
    chosen = select(LedgerEvent.notification, LedgerEvent.salt)
    logged = (LedgerEvent.notification.in_(refs), LedgerEvent.type == "notification.logged")
    return {ref: salt for ref, salt in db.session.execute(chosen.where(*logged)) if ref}


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
    return fields if stands == folded else [*fields, EXPECTATIONS]


def _unlike_logged(row: Row[Any], events: Sequence[Event], salts: Mapping[str, bytes]) -> list[str]:
    """The fields that are not as they were logged; what was erased, or kept out for its label, says nothing."""
    logged = next((event for event in events if event.type == "notification.logged"), None)
    if logged is None:
        return ["logging"]
    said = {**logged.payload, **logged.sealed}
    fields = [
        column
        for column, name in _LOGGED.items()
        if said.get(name) is not None and getattr(row, column) != said[name]
    ]
    fields += [] if row.sent_at == logged.occurred_at else ["sent_at"]
    fields += [] if row.incident == logged.incident else ["incident"]
    digest = said.get("body_digest")
    if digest is not None and digest != (row.body_digest and keyed_digest(salts[row.ref], row.body_digest)):
        fields.append("body_digest")
    if any(event.type == "data.erased" for event in events):  # its words went with the year, in the row too
        fields = [name for name in fields if name not in OF_MESSAGES or getattr(row, name) is not None]
    return fields
