"""Appending facts: in the caller's transaction, never anything else."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, String, bindparam, delete, exists, insert, select, tuple_
from sqlalchemy.orm import Session

from pocdir.core.batches import batches
from pocdir.core.canonical import canonical_json
from pocdir.core.errors import Invalid
from pocdir.core.refs import new_ref
from pocdir.db import inserts_once, table_of
from pocdir.driver import execute_many
from pocdir.ledger.models import EventReader, EventValue, LedgerEvent, UnreadEvent
from pocdir.ledger.rules.admission import check_event, event_type
from pocdir.ledger.rules.events import (
    CLOCK_SKEW,
    EVIDENCE,
    SALT_BYTES,
    Event,
    inner_event,
    keyed_digest,
    leaf_data,
)
from pocdir.ledger.rules.payload import DIGEST

PAIRS = 400  # in a statement
_EVENTS = insert(table_of(LedgerEvent))
_VALUES = insert(table_of(EventValue))
# Nothing while nobody reads on: asked in the same statement, as a question of its own costs a third of an append.
_UNREAD = insert(table_of(UnreadEvent)).from_select(
    ["event"], select(bindparam("event", type_=String)).where(exists(select(EventReader.name)))
)
_EACH_ONCE = inserts_once(table_of(LedgerEvent))
_ONCE = {name: statement.returning(LedgerEvent.id) for name, statement in _EACH_ONCE.items()}


def append(
    session: Session,
    *,
    type: str,
    now: dt.datetime,
    actor: str,
    claimed_by: str,
    occurred_at: dt.datetime | None = None,
    precision: str = "exact",
    assurance: str | None = None,
    notification: str | None = None,
    incident: str | None = None,
    team: str | None = None,
    payload: Mapping[str, Any] | None = None,
    evidence_digest: str | None = None,
    scope: str | None = None,
    idempotency_key: str | None = None,
) -> Event | None:
    """Append one event; None when `scope` has an event with this `idempotency_key` already.

    Which values of the `payload` are sealed (kept beside the event with their salts, committed to in it) says the
    vocabulary; digests are kept keyed. Raises Invalid `event_unknown`, `payload_invalid`, and `event_in_future` for an
    `occurred_at` over five minutes ahead.
    """
    event = Event(
        id=new_ref(now),
        type=type,
        occurred_at=occurred_at or now,
        recorded_at=now,
        precision=precision,
        actor=actor,
        claimed_by=claimed_by,
        assurance=assurance,
        notification=notification,
        incident=incident,
        team=team,
        payload=payload or {},
        evidence_digest=evidence_digest,
        idempotency_key=idempotency_key,
    )
    kept = append_all(session, [event], scope=scope)
    return kept[0] if kept else None


def append_all(session: Session, events: Sequence[Event], *, scope: str | None = None) -> list[Event]:
    """Append many events in two statements, their payloads as `append` takes them; returns them as they are kept.

    None at all, and nothing was appended, when the first one's idempotency key stands under `scope` already; the
    others have none.
    """
    as_kept, rows, values = _all_rows(events, scope)
    connection = session.connection()
    keyed = rows.pop(0) if rows and rows[0]["idempotency_key"] is not None else None
    if keyed and connection.execute(_ONCE[connection.dialect.name], keyed).first() is None:
        return []
    execute_many(connection, _EVENTS, rows)
    execute_many(connection, _VALUES, values)
    _mark_unread(connection, as_kept)
    return as_kept


def append_each(session: Session, events: Sequence[Event], *, scope: str) -> list[Event]:
    """Append each event whose own idempotency key does not stand under `scope` yet; returns those, as they are kept."""
    as_kept, rows, values = _all_rows(events, scope)
    connection = session.connection()
    execute_many(connection, _EACH_ONCE[connection.dialect.name], rows)
    new: set[str] = set()
    for ids in batches([row["id"] for row in rows]):
        new.update(connection.scalars(select(LedgerEvent.id).where(LedgerEvent.id.in_(ids))))
    execute_many(connection, _VALUES, [value for value in values if value["event"] in new])
    as_kept = [event for event in as_kept if event.id in new]
    _mark_unread(connection, as_kept)
    return as_kept


def _all_rows(
    events: Sequence[Event], scope: str | None
) -> tuple[list[Event], list[dict[str, Any]], list[dict[str, Any]]]:
    as_kept, rows, values = [], [], []
    checked = [_checked(event) for event in events]
    drawn = secrets.token_bytes(SALT_BYTES * sum(1 + len(sealed) for _, sealed in checked))
    salts = (drawn[at : at + SALT_BYTES] for at in range(0, len(drawn), SALT_BYTES))
    for each, (plain, sealed) in zip(events, checked, strict=True):
        event, row, inner_values = _rows(each, plain, sealed, salts, scope)
        as_kept.append(event)
        rows.append(row)
        values.extend(inner_values)
    return as_kept, rows, values


def _mark_unread(connection: Connection, events: Sequence[Event]) -> None:
    """Leave what speaks of a workspace's record for whoever reads on, in the same transaction."""
    told = [{"event": each.id} for each in events if each.notification or each.incident]
    execute_many(connection, _UNREAD, told)


def erase_values(
    session: Session,
    values: Sequence[tuple[str, str]],
    *,
    reason: str,
    now: dt.datetime,
    actor: str,
    claimed_by: str = "service",
) -> int:
    """Destroy sealed values, (event, name) each, with their salts; an `event.redacted` for each event says why.

    Events, leaves and proofs stand as before: only what was committed to can no longer be shown. `reason` is one of
    the vocabulary's. Returns how many values.
    """
    names = tuple_(EventValue.event, EventValue.name)
    for some in batches(values, PAIRS):
        session.execute(delete(EventValue).where(names.in_(some)))
    redacted = [
        Event(
            id=new_ref(now),
            type="event.redacted",
            occurred_at=now,
            recorded_at=now,
            actor=actor,
            claimed_by=claimed_by,
            payload={"event": event, "reason": reason},
        )
        for event in dict.fromkeys(event for event, _ in values)
    ]
    append_all(session, redacted)
    return len(values)


def _rows(
    event: Event, plain: dict[str, Any], sealed: dict[str, Any], drawn: Iterator[bytes], scope: str | None
) -> tuple[Event, dict[str, Any], list[dict[str, Any]]]:
    """The event as it is kept, its row, and those of its sealed values; salts as they are drawn."""
    salt = next(drawn)
    salts = {name: next(drawn) for name in sealed}
    event = _kept(event, plain, sealed, salt)
    inner = canonical_json(inner_event(event, salts))
    row = {
        "id": event.id,
        "type": event.type,
        "v": event.v,
        "occurred_at": event.occurred_at,
        "precision": event.precision,
        "recorded_at": event.recorded_at,
        "notification": event.notification,
        "incident": event.incident,
        "team": event.team,
        "actor": event.actor,
        "claimed_by": event.claimed_by,
        "assurance": event.assurance,
        "evidence_digest": event.evidence_digest,
        "payload": dict(event.payload),
        "scope": scope if event.idempotency_key is not None else None,
        "idempotency_key": event.idempotency_key,
        "salt": salt,
        "inner": inner,
        "leaf": leaf_data(salt, inner),
    }
    values = [
        {"event": event.id, "name": name, "salt": salts[name], "value": value}
        for name, value in event.sealed.items()
    ]
    return event, row, values


def _checked(event: Event) -> tuple[dict[str, Any], dict[str, Any]]:
    """The one place where an event meets the vocabulary: its plain and sealed values; raises as check_event does."""
    if event.occurred_at > event.recorded_at + CLOCK_SKEW:
        message = "it lies in the future; at most five minutes ahead is right"
        raise Invalid("event_in_future", message, where="occurred_at")
    if event.claimed_by not in event_type(event.type).claimed_by:
        raise ValueError(f"{event.type} is nothing that {event.claimed_by} claims")
    plain, sealed = check_event(event.type, event.payload)
    if event.evidence_digest is not None:
        sealed[EVIDENCE] = event.evidence_digest
    return plain, sealed


def _kept(event: Event, plain: dict[str, Any], sealed: dict[str, Any], salt: bytes) -> Event:
    """The event with its checked values, digests of content keyed."""
    names = event_type(event.type).names
    for name in sealed:
        if name in names and names[name].form == DIGEST:
            sealed[name] = keyed_digest(salt, sealed[name])
    evidence = event.evidence_digest
    return event._replace(
        payload=plain,
        sealed=sealed,
        evidence_digest=None if evidence is None else keyed_digest(salt, evidence),
    )
