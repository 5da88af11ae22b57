"""All that a workspace has recorded, a row at a time, without a secret in it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.accounts.models import Workspace
from pocdir.db import Line, snapshot, table_of
from pocdir.incidents.models import Asset, Incident, MeasuringWindow, Sighting
from pocdir.ledger.queries import events_of_incidents, events_of_notifications
from pocdir.ledger.rules.events import Event
from pocdir.mail.queries import of_notification
from pocdir.outreach.escalation.models import Policy
from pocdir.outreach.presentation.contests import contested_of
from pocdir.outreach.presentation.letter import letter_of
from pocdir.outreach.presentation.notification import due_of, handed_over
from pocdir.outreach.presentation.timeline import shown_event
from pocdir.outreach.queries.snapshots import Snapshot, notifications
from pocdir.outreach.replies.presentation import shown
from pocdir.outreach.replies.queries import with_mail
from pocdir.site.rules import export

BATCH = 500
Row = Mapping[str, Any]
_I, _A, _M, _S, _P = (table_of(model).c for model in (Incident, Asset, MeasuringWindow, Sighting, Policy))


class Whole:
    """Who asks for everything of one workspace, and nothing as a team."""

    team_id = None

    def __init__(self, workspace_id: int) -> None:
        self.workspace_id: int | None = workspace_id


def write_export(file: BinaryIO, *, workspace_id: int, form: str) -> None:
    """Write the workspace's record as it stands at one moment; the same bytes until something changes."""
    with snapshot() as session:
        workspace = session.get_one(Workspace, workspace_id)
        told = {name: getattr(workspace, name) for name in ("ref", "slug", "name")}
        told["acknowledgement_within"] = workspace.acknowledgement_within
        export.write(file, form, told, _tables(session, workspace_id))


def _tables(session: Session, workspace_id: int) -> Iterator[tuple[str, Iterable[Row]]]:
    whole = Whole(workspace_id)
    yield "incidents", (_incident(row) for row in _incidents(session, workspace_id))
    yield "assets", _assets(session, workspace_id)
    yield "windows", _windows(session, workspace_id)
    yield "sightings", _sightings(session, workspace_id)
    yield "notifications", (row for batch in _batches(whole) for row in _notifications(batch, session))
    per_notification: dict[str, Callable[[Snapshot], Iterable[Row]]] = {
        "expectations": _expectations,
        "letters": _letter,
        "parcels": _parcels,
    }
    for name, rows_of in per_notification.items():
        yield name, (row for batch in _batches(whole) for each in batch for row in rows_of(each))
    yield "mails", _mails(session, workspace_id)
    yield "policies", _policies(session, workspace_id)
    yield "events", _events(session, workspace_id)


def _incidents(session: Session, workspace_id: int) -> Iterator[Line]:
    last = 0
    while True:
        chosen = select(*_I).where(_I.workspace_id == workspace_id, _I.id > last).order_by(_I.id)
        rows = session.execute(chosen.limit(BATCH)).all()
        yield from rows
        if len(rows) < BATCH:
            return
        last = rows[-1].id


def _incident(row: Line) -> Row:
    return {**row._mapping, "class": row.rsit_class, "type": row.rsit_type}


def _assets(session: Session, workspace_id: int) -> Iterator[Row]:
    chosen = (
        select(*_A, _I.ref.label("incident"))
        .join(Incident, _I.id == _A.incident_id)
        .where(_I.workspace_id == workspace_id)
        .order_by(_A.id)
        .execution_options(yield_per=BATCH)
    )
    for row in session.execute(chosen):
        yield {**row._mapping, "port": row.port or None}


def _policies(session: Session, workspace_id: int) -> Iterator[Row]:
    """Every version: `escalation.set` names the one that a notification follows by its reference."""
    chosen = select(*_P).where(_P.workspace_id == workspace_id).order_by(_P.id)
    for row in session.execute(chosen):
        yield {**row._mapping}


def _mails(session: Session, workspace_id: int) -> Iterator[Row]:
    """What came in by mail on its notifications, as the workspace reads it."""
    for ref in with_mail(workspace_id, session):
        for row, beginning in of_notification(ref, session):
            mail = shown(row, beginning)
            yield {**mail, "notification": ref, "class": mail["mail_class"]}


def _windows(session: Session, workspace_id: int) -> Iterator[Row]:
    chosen = (
        select(*_M, _I.ref.label("incident"))
        .join(Incident, _I.id == _M.incident_id)
        .where(_I.workspace_id == workspace_id)
        .order_by(_M.id)
        .execution_options(yield_per=BATCH)
    )
    for row in session.execute(chosen):
        yield {**row._mapping}


def _sightings(session: Session, workspace_id: int) -> Iterator[Row]:
    chosen = (
        select(_M.ref.label("window"), _A.kind, _A.value, _A.port, _S.first, _S.last, _S.count)
        .join(Sighting, _S.window_id == _M.id)
        .join(Asset, _A.id == _S.asset_id)
        .join(Incident, _I.id == _M.incident_id)
        .where(_I.workspace_id == workspace_id)
        .order_by(_S.window_id, _S.asset_id, _S.first)
        .execution_options(yield_per=BATCH)
    )
    for row in session.execute(chosen):
        yield {**row._mapping, "port": row.port or None, "first": _at(row.first), "last": _at(row.last)}


def _at(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def _batches(whole: Whole) -> Iterator[Sequence[Snapshot]]:
    cursor = None
    while True:
        found = notifications(whole, limit=BATCH, cursor=cursor)
        yield found[:BATCH]
        if len(found) <= BATCH:
            return
        cursor = found[BATCH - 1].row.ref


def _notifications(batch: Sequence[Snapshot], session: Session) -> Iterator[Row]:
    contested = contested_of(batch, session)
    for each in batch:
        row = each.row
        shown = {name: getattr(row, name, None) for name in export.TABLES["notifications"]}
        yield shown | {
            "incident": row.incident_ref,
            "team": row.team_slug,
            "parent": row.parent_ref,
            "due": due_of(each),
            "contested": contested.get(row.ref, []),
        }


def _expectations(each: Snapshot) -> Iterator[Row]:
    for one in each.expectations:
        yield {**one._mapping, "notification": each.row.ref}


def _letter(each: Snapshot) -> Iterator[Row]:
    """The letter without the recipient's link: whoever has that may answer."""
    if each.row.withdrawn_at is None:
        yield {**letter_of(each, link=False), "notification": each.row.ref}


def _parcels(each: Snapshot) -> Iterator[Row]:
    for one in handed_over(each):
        yield {**one, "notification": each.row.ref}


def _events(session: Session, workspace_id: int) -> Iterator[Row]:
    refs: list[str] = []
    for row in _incidents(session, workspace_id):
        refs.append(row.ref)
        if len(refs) == BATCH:
            yield from _told(events_of_incidents(refs, session))
            refs = []
    yield from _told(events_of_incidents(refs, session))
    for batch in _batches(Whole(workspace_id)):
        yield from _told(events_of_notifications([each.row.ref for each in batch], session))


def _told(found: Mapping[str, Sequence[Event]]) -> Iterator[Row]:
    for events in found.values():
        for event in events:
            shown = shown_event(event)
            yield shown | {
                "payload": dict(sorted(shown["payload"].items())),
                "incident": event.incident,
                "notification": event.notification,
                "team": event.team,
            }
