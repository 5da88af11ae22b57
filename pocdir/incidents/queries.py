"""Reading incidents: always of one workspace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid, NotFound
from pocdir.core.refs import is_ref
from pocdir.db import Line, db, table_of
from pocdir.incidents.models import Asset, Incident
from pocdir.incidents.rules import record
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.queries import events_of_incidents


def incident(
    ref: str, *, workspace_id: int | None, session: Session | None = None, lock: bool = False
) -> Incident:
    """The workspace's incident; raises NotFound `incident_unknown`, the same for a foreign one.

    `lock` holds others who want to change it, or add to it, until the transaction ends; not who names it.
    """
    found = None
    if is_ref(ref):
        statement = select(Incident).where(Incident.ref == ref, Incident.workspace_id == workspace_id)
        chosen = statement.with_for_update(key_share=True) if lock else statement
        found = (session or db.session()).scalar(chosen)
    if found is None:
        raise NotFound("incident_unknown", "no incident of yours has this reference")
    return found


def lock_assets(incident: Incident, session: Session, *, to_add: bool) -> None:
    """Hold whoever adds assets to it (`to_add`: also whoever names it) until the transaction ends.

    Of an embedded database one alone writes as it is. Who is to add locks nothing else after this.
    """
    if session.get_bind().dialect.name == "postgresql":
        mine = select(Incident).where(Incident.id == incident.id)
        locked = mine.with_for_update(key_share=not to_add, read=not to_add)
        session.execute(locked.execution_options(populate_existing=True))


def incidents(
    *, workspace_id: int | None, limit: int, cursor: str | None = None, is_open: bool | None = None
) -> list[Incident]:
    """`limit + 1` incidents after the cursor, oldest recorded first."""
    statement = select(Incident).where(Incident.workspace_id == workspace_id).order_by(Incident.id)
    if cursor is not None:
        statement = statement.where(Incident.id > _row_of(cursor, workspace_id))
    if is_open is not None:
        statement = statement.where(
            Incident.closed_at.is_(None) if is_open else Incident.closed_at.is_not(None)
        )
    return list(db.session.scalars(statement.limit(limit + 1)))


def newest_incidents(
    *, workspace_id: int | None, is_open: bool | None = None, limit: int = 200
) -> list[Line]:
    """(Incident, number of assets), open ones first, then newest first: the page's list."""
    count = select(Asset.incident_id, func.count().label("assets")).group_by(Asset.incident_id).subquery()
    statement = (
        select(Incident, func.coalesce(count.c.assets, 0).label("assets"))
        .outerjoin(count, count.c.incident_id == Incident.id)
        .where(Incident.workspace_id == workspace_id)
        .order_by(Incident.closed_at.is_not(None), Incident.id.desc())
        .limit(limit)
    )
    if is_open is not None:
        statement = statement.where(
            Incident.closed_at.is_(None) if is_open else Incident.closed_at.is_not(None)
        )
    return list(db.session.execute(statement))


def assets(incident: Incident, *, limit: int, cursor: str | None = None) -> list[Asset]:
    """`limit + 1` assets of an incident after the cursor (`kind:value:port`), oldest recorded first."""
    statement = select(Asset).where(Asset.incident_id == incident.id).order_by(Asset.id)
    if cursor is not None:
        kind, _, rest = cursor.partition(":")
        value, _, port = rest.rpartition(":")
        last = select(Asset.id).where(
            Asset.incident_id == incident.id,
            Asset.kind == kind,
            Asset.value == value,
            Asset.port == (int(port) if port.isascii() and port.isdigit() and len(port) < 6 else -1),
        )
        statement = statement.where(Asset.id > _known(db.session.scalar(last)))
    return list(db.session.scalars(statement.limit(limit + 1)))


def asset_count(incident: Incident, session: Session | None = None) -> int:
    """How many assets the incident has."""
    counted = select(func.count()).select_from(Asset).where(Asset.incident_id == incident.id)
    return (session or db.session()).scalars(counted).one()


def differences(batch: int = 500) -> Iterator[str]:
    """One line for each incident whose row differs from its own events, where they say something."""
    last = 0
    while rows := _after(last, batch):
        last = rows[-1].id
        events = events_of_incidents([row.ref for row in rows])
        for row in rows:
            said = record.recorded(events[row.ref])
            fields = [name for name, value in said.items() if not _says(getattr(row, name), value)]
            if fields:
                yield f"incident {row.ref}: differs from its events in {', '.join(fields)}"
    yield from (
        f"incident {ref}: events speak of it, its row is gone" for ref in db.session.scalars(_WITHOUT_ROW)
    )


_WITHOUT_ROW = (
    select(LedgerEvent.incident)
    .where(LedgerEvent.type.like("incident.%"), LedgerEvent.incident.not_in(select(Incident.ref)))
    .distinct()
    .order_by(LedgerEvent.incident)
)


def _after(last: int, limit: int) -> Sequence[Line]:
    statement = select(*table_of(Incident).c).where(Incident.id > last).order_by(Incident.id).limit(limit)
    return db.session.execute(statement).all()


def _says(kept: Any, said: Any) -> bool:
    return bool(kept == said or record.as_told(kept) == said)


def _row_of(cursor: str, workspace_id: int | None) -> int:
    statement = select(Incident.id).where(Incident.ref == cursor, Incident.workspace_id == workspace_id)
    return _known(db.session.scalar(statement))


def _known(row: int | None) -> int:
    if row is None:
        raise Invalid("cursor_unknown", "this cursor is not one of this list", where="cursor")
    return row
