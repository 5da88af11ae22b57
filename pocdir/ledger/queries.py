"""Reading the ledger: events with the values that have not been erased."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import bindparam, func, select, text
from sqlalchemy.orm import Session

from pocdir.core.batches import batches
from pocdir.db import Line, Rows, db
from pocdir.driver import rows_of
from pocdir.ledger.models import EventValue, LedgerEvent
from pocdir.ledger.rules.events import EVIDENCE, GUARDED, Event

BATCH = 400  # keys in a statement

_E = LedgerEvent.__table__.c
_V = EventValue.__table__.c
_COLUMNS = (
    _E.id, _E.type, _E.v, _E.occurred_at, _E.precision, _E.recorded_at, _E.notification, _E.incident, _E.team,
    _E.actor, _E.claimed_by, _E.assurance, _E.evidence_digest, _E.payload, _E.idempotency_key,
)  # fmt: skip
_ORDER = (_E.occurred_at, _E.id)
_OF_NOTIFICATION = select(*_COLUMNS).where(_E.notification == bindparam("ref")).order_by(*_ORDER)
_VALUES_OF_NOTIFICATION = (
    select(_V.event, _V.name, _V.value)
    .join(LedgerEvent.__table__, _V.event == _E.id)
    .where(_E.notification == bindparam("ref"))
)


def events_of_notification(ref: str, session: Session | None = None, *, sealed: bool = True) -> list[Event]:
    """Every event of one notification, by the time it speaks of, then by id.

    Without `sealed` only what no erasure takes away, which is all that its state rests on.
    """
    connection = (session or db.session()).connection()
    rows = rows_of(connection, _OF_NOTIFICATION, {"ref": ref})
    values: dict[str, dict[str, Any]] = {}
    for event, name, value in rows_of(connection, _VALUES_OF_NOTIFICATION, {"ref": ref}) if sealed else ():
        values.setdefault(event, {})[name] = value
    return [_event(row, values) for row in rows]


def events_of_notifications(
    refs: Sequence[str], session: Session | None = None, *, sealed: bool = True, types: Sequence[str] = ()
) -> dict[str, list[Event]]:
    """The same for many notifications at once, by reference; without `sealed` only what no erasure takes away.

    `types`: of these alone.
    """
    found: dict[str, list[Event]] = {ref: [] for ref in refs}
    for batch in batches(refs):
        statement = select(*_COLUMNS).where(_E.notification.in_(batch)).order_by(*_ORDER)
        if types:
            statement = statement.where(_E.type.in_(types))
        for event in _events(statement, session, sealed=sealed):
            found[event.notification or ""].append(event)
    return found


def events_of_incident(ref: str, session: Session | None = None) -> list[Event]:
    """Every event of the incident itself (not of its notifications), by the time it speaks of."""
    own = (_E.incident == ref) & _E.notification.is_(None)
    return _events(select(*_COLUMNS).where(own).order_by(*_ORDER), session)


def events_of_incidents(refs: Sequence[str], session: Session | None = None) -> dict[str, list[Event]]:
    """The same for many incidents at once, by reference."""
    found: dict[str, list[Event]] = {ref: [] for ref in refs}
    for batch in batches(refs):
        own = _E.incident.in_(batch) & _E.notification.is_(None)
        for event in _events(select(*_COLUMNS).where(own).order_by(*_ORDER), session):
            found[event.incident or ""].append(event)
    return found


def events_of_team(
    slug: str | Sequence[str],
    *,
    types: Sequence[str] = (),
    before: str | None = None,
    after: str | None = None,
    limit: int = 100,
) -> list[Event]:
    """Events of a team's own entry, or of several entries that are one team, newest first; after `after`, oldest first.

    Events of notifications are not among them.
    """
    statement = select(*_COLUMNS).where(
        _E.team.in_([slug] if isinstance(slug, str) else slug), _E.notification.is_(None)
    )
    if types:
        statement = statement.where(_E.type.in_(types))
    if before is not None:
        statement = statement.where(_E.id < before)
    if after is not None:
        return _events(statement.where(_E.id > after).order_by(_E.id).limit(limit))
    return _events(statement.order_by(_E.id.desc()).limit(limit))


def event_by_id(event: str, session: Session | None = None) -> Event | None:
    """One event, or None."""
    return next(iter(_events(select(*_COLUMNS).where(_E.id == event), session)), None)


def as_read(event: Event) -> Event:
    """An event as it was just kept, as reading gives it: with the digest of its evidence as it was sent."""
    sealed = dict(event.sealed)
    return event._replace(evidence_digest=sealed.pop(EVIDENCE, event.evidence_digest), sealed=sealed)


def event_by_key(scope: str, key: str, session: Session | None = None) -> Event | None:
    """The event that stands under this idempotency key, or None."""
    statement = select(*_COLUMNS).where(_E.scope == scope, _E.idempotency_key == key)
    return next(iter(_events(statement, session)), None)


def notifications_by_key(scope: str, keys: Sequence[str], session: Session) -> dict[str, str]:
    """The notifications whose events stand under these idempotency keys, by key."""
    found: dict[str, str] = {}
    for start in range(0, len(keys), BATCH):
        asked = (_E.scope == scope, _E.idempotency_key.in_(keys[start : start + BATCH]))
        rows = session.execute(select(_E.idempotency_key, _E.notification).where(*asked))
        found |= {row.idempotency_key: row.notification for row in rows}
    return found


def event_count() -> int:
    """How many events stand in the ledger."""
    return db.session.execute(select(func.count()).select_from(LedgerEvent)).scalar_one()


def stored(batch: int = 1000) -> Iterator[Line]:
    """Every stored event whole (columns, salt, inner, leaf), in the order of ids, for verification."""
    last = ""
    while True:
        rows = db.session.execute(
            select(LedgerEvent.__table__).where(_E.id > last).order_by(_E.id).limit(batch)
        ).all()
        if not rows:
            return
        yield from rows
        last = rows[-1].id


def leaves() -> Iterator[bytes]:
    """The leaf of every event, in the order of ids."""
    statement = select(_E.leaf).order_by(_E.id).execution_options(yield_per=1000)
    yield from db.session.execute(statement).scalars()


def missing_guards() -> list[str]:
    """Triggers that should refuse to rewrite the ledger and do not (absent, disabled, or without a refusal)."""
    connection = db.session().connection()
    verbs = {table: [*refused] for table, refused in GUARDED.items()}
    if connection.dialect.name == "postgresql":
        verbs = {table: [*refused, "truncate"] for table, refused in verbs.items()}
        standing = connection.execute(
            text(
                "SELECT t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
                "WHERE t.tgenabled IN ('O', 'A') AND p.prosrc LIKE '%RAISE EXCEPTION%'"
            )
        ).scalars()
    else:
        standing = connection.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'trigger' AND sql LIKE '%RAISE(ABORT%'")
        ).scalars()
    present = set(standing)
    wanted = (f"{table}_no_{verb}" for table, refused in verbs.items() for verb in refused)
    return [name for name in wanted if name not in present]


def values_of(
    events: Iterable[str], session: Session | None = None
) -> dict[str, dict[str, tuple[bytes, Any]]]:
    """Salt and value by event and name, of those not erased."""
    found: dict[str, dict[str, tuple[bytes, Any]]] = {}
    connection = (session or db.session()).connection()
    for batch in batches(list(events)):
        for row in connection.execute(
            select(_V.event, _V.name, _V.salt, _V.value).where(_V.event.in_(batch))
        ):
            found.setdefault(row.event, {})[row.name] = (row.salt, row.value)
    return found


def _events(statement: Rows, session: Session | None = None, *, sealed: bool = True) -> list[Event]:
    rows = (session or db.session()).connection().execute(statement).all()
    kept = values_of((row.id for row in rows), session) if sealed else {}
    values = {event: {name: value for name, (_, value) in named.items()} for event, named in kept.items()}
    return [_event(row, values) for row in rows]


def _event(row: Line, sealed: dict[str, dict[str, Any]]) -> Event:
    values = dict(sealed.get(row.id, {}))
    evidence = values.pop(EVIDENCE, row.evidence_digest)  # as it was sent, until it is erased
    return Event(**{**row._asdict(), "evidence_digest": evidence}, sealed=values)
