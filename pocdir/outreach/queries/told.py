"""What was told to a team, for the people who answer for it: as lists, each with its number."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, func, select

from pocdir.accounts.models import Workspace
from pocdir.db import db, table_of
from pocdir.directory.queries.reading import entries_of
from pocdir.outreach.models import Expectation, Notification
from pocdir.outreach.queries.notifications import NOT_ANSWERED
from pocdir.outreach.queries.snapshots import Snapshot, newest_told

_N, _W, _E = (table_of(it).c for it in (Notification, Workspace, Expectation))
_STANDS, _NO_PERSON = _N.withdrawn_at.is_(None), _N.response.in_(("awaiting", "receipt"))
# open: no person of the team is recorded to have said anything; ticket mail is no person.
LISTS: dict[str, ColumnElement[bool]] = {
    "open": _STANDS & _NO_PERSON,
    "answered": _STANDS & ~_NO_PERSON,
    "withdrawn": ~_STANDS,
}
# Answered, and by the time that was asked for nobody has said what became of it.
WITHOUT_OUTCOME = LISTS["answered"] & _N.id.in_(
    select(_E.notification_id).where(_E.of == "remediation", _E.state.in_(NOT_ANSWERED))
)


def told(team_id: int, name: str, *, offset: int, limit: int) -> list[Snapshot]:
    """A page of one of the `LISTS`, the last sent first."""
    return newest_told(team_id, LISTS[name], offset=offset, limit=limit)


def counts(team_id: int) -> dict[str, int]:
    """How many notifications each of the `LISTS` holds, by its name."""
    numbers = [func.count().filter(chosen).label(name) for name, chosen in LISTS.items()]
    theirs = _N.team_id.in_(entries_of(team_id))
    row = db.session.execute(select(*numbers).select_from(table_of(Notification)).where(theirs)).one()
    return dict(row._mapping)


def senders(found: Collection[Snapshot]) -> dict[int, str]:
    """The names of the workspaces that told, by their rows."""
    ids = {each.row.workspace_id for each in found}
    rows = db.session.execute(select(_W.id, _W.name).where(_W.id.in_(ids)))
    return {row.id: row.name for row in rows}
