"""Notifications as they are shown: one statement for the rows, one for what they expect."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, func, literal, or_, select
from sqlalchemy.orm import Session, aliased

from pocdir.core.errors import Invalid, NotFound
from pocdir.core.refs import is_ref
from pocdir.db import Line, Rows, db
from pocdir.directory.models import Address, Team
from pocdir.directory.queries.reading import entries_called, entries_of, whole_of
from pocdir.incidents.models import Incident
from pocdir.outreach.escalation.models import NotificationPath
from pocdir.outreach.models import Expectation, Notification
from pocdir.outreach.queries.notifications import NOT_ANSWERED, WAITING, Viewer, poster_of, seen_by

_N, _T, _I, _A, _E = (model.__table__.c for model in (Notification, Team, Incident, Address, Expectation))
_PARENT = aliased(Notification.__table__, name="parents")
_ALL = (
    select(
        *_N,
        _T.slug.label("team_slug"),
        _T.name.label("team_name"),
        _I.ref.label("incident_ref"),
        _I.title.label("incident_title"),
        _I.tlp.label("incident_tlp"),
        _I.detected_from,
        _I.rsit_class,
        _I.rsit_type,
        _PARENT.c.ref.label("parent_ref"),
        func.coalesce(_A.version, 0).label("address_version"),
    )
    .select_from(Notification.__table__)
    .join(Team.__table__, _T.id == whole_of(_N.team_id))
    .outerjoin(Incident.__table__, _I.id == _N.incident_id)
    .outerjoin(_PARENT, _PARENT.c.id == _N.parent_id)
    .outerjoin(Address.__table__, and_(_A.kind == _N.channel_kind, _A.value == _N.channel_value))
)
_ONE = _ALL.where(_N.ref == bindparam("ref"))
_EXPECTED = (
    select(_E.notification_id, _E.of, _E.within, _E.due_at, _E.state, _E.lapsed_at, _E.stopped_at)
    .where(_E.notification_id.in_(bindparam("ids", expanding=True)))
    .order_by(_E.due_at, _E.id)
)
# The earliest time asked for that has passed without what was asked for.
_LAPSED = (
    select(func.min(_E.due_at))
    .where(_E.notification_id == _N.id, _E.state.in_(NOT_ANSWERED))
    .scalar_subquery()
)
_PATH = NotificationPath.__table__.c
_NEVER = literal(dt.datetime(9999, 1, 1, tzinfo=dt.UTC), _PATH.due_at.type)
_STEP = select(_PATH.due_at).where(_PATH.notification_id == _N.id).scalar_subquery()
SORTS: Mapping[str, ColumnElement[Any]] = {
    "team": func.lower(_T.name),
    "sent": _N.sent_at,
    "incident": func.lower(func.coalesce(_I.title, "")),
    "due": func.coalesce(_LAPSED, _N.due, _N.sent_at),
    "step": func.coalesce(_STEP, _NEVER),  # what has none comes last
}
ORDERS = tuple(sign + name for name in SORTS for sign in ("", "-"))  # with - the last first
_NEXT = select(_PATH.notification_id).where(_PATH.level.is_not(None))
_SUGGESTED = _PATH.state.in_(("due", "exhausted"))
# How the next step of a policy stands, as the worker last saw it; without one there is something to do by hand.
STEPS: Mapping[str, ColumnElement[bool]] = {
    "due": _N.id.in_(_NEXT.where(_SUGGESTED)),
    "ahead": _N.id.in_(_NEXT.where(~_SUGGESTED)),
    "none": _N.id.not_in(_NEXT),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A notification's row with team, incident and parent named, and its expectations."""

    row: Line
    expectations: Sequence[Line]


def snapshot(ref: str, viewer: Viewer, session: Session | None = None) -> Snapshot:
    """One notification of the viewer's; raises NotFound `notification_unknown`, also for a foreign one."""
    found = _fetched(_ONE, session, ref=ref) if is_ref(ref) else []
    if not found or poster_of(viewer, found[0].row) is None:
        raise NotFound("notification_unknown", "no notification of yours has this reference")
    return found[0]


def snapshot_for_recipient(ref: str) -> Snapshot:
    """A notification by reference alone: only for a caller who has read a recipient's token."""
    return _fetched(_ONE, None, ref=ref)[0]


def notifications(
    viewer: Viewer, *, limit: int, cursor: str | None = None, incident: str | None = None
) -> list[Snapshot]:
    """`limit + 1` notifications after the cursor, oldest recorded first."""
    statement = _after(viewer, _ALL.where(seen_by(viewer)).order_by(_N.id), cursor)
    if incident is not None:
        statement = statement.where(_I.ref == incident)
    return _fetched(statement.limit(limit + 1))


def waiting(
    viewer: Viewer,
    *,
    now: dt.datetime,
    state: str = "unrecorded",
    sort: str | None = None,
    limit: int,
    cursor: str | None = None,
    older_than: dt.timedelta | None = None,
    team: str | None = None,
    incident: str | None = None,
    due_before: dt.datetime | None = None,
    step: str | None = None,
) -> list[Snapshot]:
    """`limit + 1` notifications in a state of `WAITING`; `unrecorded`: a lapse stands. `step`: one of STEPS.

    By `sort` (of SORTS; - before it: backwards), else oldest recorded first.
    """
    statement = _waiting(viewer, state, now, older_than, team, incident, due_before, step)
    if sort is None:
        return _fetched(_after(viewer, statement.order_by(_N.id), cursor).limit(limit + 1))
    if cursor is not None:
        statement = statement.where(_beyond(viewer, sort, cursor))
    return _fetched(statement.order_by(*_order(sort)).limit(limit + 1))


def _order(sort: str) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    by = SORTS.get(sort.removeprefix("-"), SORTS["due"])
    return (by.desc(), _N.id.desc()) if sort.startswith("-") else (by, _N.id)


def _beyond(viewer: Viewer, sort: str, cursor: str) -> ColumnElement[bool]:
    """What comes after the cursor in this order, wherever its row stands by now."""
    by = SORTS[sort.removeprefix("-")]
    found = _ALL.with_only_columns(by.label("by"), _N.id).where(seen_by(viewer), _N.ref == cursor)
    last = db.session.execute(found).first()
    if last is None:
        raise _cursor_unknown()
    if sort.startswith("-"):
        return or_(by < last.by, and_(by == last.by, _N.id < last.id))
    return or_(by > last.by, and_(by == last.by, _N.id > last.id))


def some(viewer: Viewer, refs: Sequence[str]) -> list[Snapshot]:
    """The viewer's notifications among these references."""
    return _fetched(_ALL.where(seen_by(viewer), _N.ref.in_(refs)).order_by(_N.id))


def working_list(
    viewer: Viewer,
    *,
    now: dt.datetime,
    state: str,
    sort: str,
    older_than: dt.timedelta | None = None,
    team: str | None = None,
    incident: str | None = None,
    due_before: dt.datetime | None = None,
    step: str | None = None,
    offset: int,
    limit: int,
) -> tuple[list[Snapshot], int]:
    """Some of the same by `sort` (of SORTS; - before it: backwards), and how many there are in all."""
    chosen = _waiting(viewer, state, now, older_than, team, incident, due_before, step)
    total = db.session.execute(chosen.with_only_columns(func.count())).scalar_one()
    return _fetched(chosen.order_by(*_order(sort)).offset(offset).limit(limit)), total


def _waiting(
    viewer: Viewer,
    state: str,
    now: dt.datetime,
    older_than: dt.timedelta | None,
    team: str | None,
    incident: str | None,
    due_before: dt.datetime | None,
    step: str | None,
) -> Rows:
    statement = _ALL.where(seen_by(viewer), WAITING[state])
    if step is not None:
        statement = statement.where(STEPS[step])
    if older_than is not None:
        statement = statement.where(_N.sent_at <= now - older_than)
    if team is not None:
        statement = statement.where(_N.team_id.in_(entries_called([team])))
    if incident is not None:
        statement = statement.where(_I.ref == incident)
    if due_before is not None:
        statement = statement.where(SORTS["due"] <= due_before)
    return statement


def newest_told(team_id: int, chosen: ColumnElement[bool], *, offset: int, limit: int) -> list[Snapshot]:
    """Some of the notifications that are addressed to a team, the last sent first."""
    statement = _ALL.where(_N.team_id.in_(entries_of(team_id)), chosen)
    return _fetched(statement.order_by(_N.sent_at.desc(), _N.id.desc()).offset(offset).limit(limit))


def told_after(
    team_id: int, chosen: ColumnElement[bool] | None, *, limit: int, cursor: str | None = None
) -> list[Snapshot]:
    """`limit + 1` of the notifications that are addressed to a team, oldest recorded first.

    Raises Invalid `cursor_unknown`.
    """
    theirs = _N.team_id.in_(entries_of(team_id))
    statement = _ALL.where(theirs, *([] if chosen is None else [chosen])).order_by(_N.id)
    return _fetched(_past(statement, theirs, cursor).limit(limit + 1))


def addressed(team_id: int, refs: Sequence[str]) -> list[Snapshot]:
    """The notifications addressed to a team among these references."""
    return _fetched(_ALL.where(_N.team_id.in_(entries_of(team_id)), _N.ref.in_(refs)).order_by(_N.id))


def of_incidents(ids: Sequence[int]) -> list[Snapshot]:
    """The notifications of some incidents of the caller's, in the order they were logged."""
    return _fetched(_ALL.where(_N.incident_id.in_(ids)).order_by(_N.id))


def _fetched(statement: Rows, session: Session | None = None, **values: Any) -> list[Snapshot]:
    connection = (session or db.session()).connection()
    rows = connection.execute(statement, values).all()
    expected: dict[int, list[Line]] = {row.id: [] for row in rows}
    ids = list(expected)
    for start in range(0, len(ids), 500):
        for each in connection.execute(_EXPECTED, {"ids": ids[start : start + 500]}):
            expected[each.notification_id].append(each)
    return [Snapshot(row, expected[row.id]) for row in rows]


def _after(viewer: Viewer, statement: Rows, cursor: str | None) -> Rows:
    return _past(statement, seen_by(viewer), cursor)


def _past(statement: Rows, theirs: ColumnElement[bool], cursor: str | None) -> Rows:
    if cursor is None:
        return statement
    last = db.session.scalar(select(_N.id).where(theirs, _N.ref == cursor))
    if last is None:
        raise _cursor_unknown()
    return statement.where(_N.id > last)


def _cursor_unknown() -> Invalid:
    return Invalid("cursor_unknown", "this cursor is not one of this list", where="cursor")
