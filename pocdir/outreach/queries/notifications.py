"""Reading notifications: of one workspace, of one team, or by the recipient's link."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, literal_column, or_, select
from sqlalchemy.orm import Session, joinedload

from pocdir.accounts.models import Workspace
from pocdir.core.batches import batches
from pocdir.core.errors import NotFound
from pocdir.core.refs import is_ref
from pocdir.db import Line, Rows, db, table_of
from pocdir.directory.models import Address, Team
from pocdir.directory.queries import parts
from pocdir.directory.queries.reading import entries_of, whole, whole_of
from pocdir.driver import rows_of
from pocdir.incidents.models import Incident
from pocdir.outreach.escalation.models import NotificationPath
from pocdir.outreach.models import Expectation, Notification, WorkerTick

FOLLOW_UP = "follow_up"
BATCH = 400  # named in a statement
NOT_ANSWERED = ("lapsed", "escalated", "exhausted")

_T, _A, _N, _E, _I, _P = (
    model.__table__.c for model in (Team, Address, Notification, Expectation, Incident, NotificationPath)
)
RUNNING = _E.state == literal_column("'running'")  # as the index of what is running has it
_W = Workspace.__table__.c
_WITHIN = select(_W.acknowledgement_within).where(_W.id == bindparam("workspace_id")).scalar_subquery()
_PART = Team.__table__.alias("part").c
_TOLD = select(
    _T.id, _T.slug, _T.name, _T.languages, _T.profile, _WITHIN.label("acknowledgement_within")
).where(_T.retired_at.is_(None))
_TEAM = _TOLD.where(_T.id == select(whole(_PART)).where(_PART.slug == bindparam("slug")).scalar_subquery())
_TEAMS = _TOLD.add_columns(_PART.slug.label("asked")).where(
    _T.id == whole(_PART), _PART.slug.in_(bindparam("slugs", expanding=True))
)
_CHILD = Notification.__table__.alias("child").c
_FOLLOWED_UP = exists().where(_CHILD.parent_id == _N.id, _CHILD.kind == FOLLOW_UP)
_IN_THREAD = or_(_N.kind == FOLLOW_UP, _FOLLOWED_UP)
_IS_IN_THREAD = select(_IN_THREAD).where(_N.id == bindparam("id"))
_ON_PATH = exists().where(_P.notification_id.in_((_N.id, _N.parent_id)))
_SLUG = select(_T.slug).where(_T.id == bindparam("id"))
_ADDRESS = select(_A.version).where(_A.kind == bindparam("kind"), _A.value == bindparam("value"))
_LOCKED = (
    select(
        _N.id, _N.ref, _N.workspace_id, _N.team_id, _N.parent_id, _N.sent_at, _N.withdrawn_at,
        _T.slug.label("team"), _I.ref.label("incident"),
        _IN_THREAD.label("in_thread"), _ON_PATH.label("on_path"),
    )
    .join(Team.__table__, _T.id == _N.team_id)
    .outerjoin(Incident.__table__, _I.id == _N.incident_id)
    .where(_N.ref == bindparam("ref"))
    .with_for_update(of=table_of(Notification))
)  # fmt: skip
# Whose letter waits in our outbox: nobody could read it, so nothing falls due.
STILL_HERE = select(_N.id).where(_N.transport == literal_column("'queued'"))
# What a person may still have to do something about; each state has its count and its list.
# unrecorded: the time named for something has passed, and it is not recorded; running: its time has not come;
# undeliverable: nothing arrived or even left, and nobody answered.
_STILL = _N.withdrawn_at.is_(None)
WAITING = {
    "unrecorded": _STILL & _N.id.in_(select(_E.notification_id).where(_E.state.in_(NOT_ANSWERED))),
    "running": _STILL & (_N.clock == "running"),
    "paused": _STILL & (_N.clock == "paused"),
    "undeliverable": _STILL & _N.transport.in_(("failed", "stale")) & (_N.response == "awaiting"),
}


class Viewer(Protocol):
    """Whose notifications are asked for: a workspace's own, or those addressed to a team."""

    @property
    def workspace_id(self) -> int | None: ...
    @property
    def team_id(self) -> int | None: ...


class Locked(NamedTuple):
    """A notification that is locked, as far as recording a fact about it needs."""

    id: int
    ref: str
    workspace_id: int
    team_id: int
    parent_id: int | None
    sent_at: dt.datetime
    withdrawn_at: dt.datetime | None
    team: str  # slug
    incident: str | None  # ref
    # Of now, as it was locked by a statement of its own before: what was made meanwhile is seen.
    in_thread: bool  # it follows up another, or is followed up
    on_path: bool  # it has next steps, or is one

    @property
    def about(self) -> dict[str, Any]:
        """What its events speak of."""
        return {"notification": self.ref, "incident": self.incident, "team": self.team}


class Own(NamedTuple):
    """The workspace whose notifications these are, where nobody is signed in."""

    workspace_id: int
    team_id: None = None


def team_for_notification(session: Session, slug: str, *, workspace_id: int) -> Line:
    """(id, slug, name, languages, profile) of a live team with the workspace's own acknowledgement_within.

    Raises NotFound `team_unknown`.
    """
    found = session.connection().execute(_TEAM, {"slug": slug, "workspace_id": workspace_id}).first()
    if found is None:
        raise NotFound("team_unknown", f"no team has the slug {slug[:60]!r}", where="team")
    return found


def teams_for_notification(session: Session, slugs: Sequence[str], *, workspace_id: int) -> dict[str, Line]:
    """Live teams as team_for_notification gives one, by the slug that was asked for."""
    found: dict[str, Line] = {}
    for start in range(0, len(slugs), BATCH):
        asked = {"slugs": slugs[start : start + BATCH], "workspace_id": workspace_id}
        found |= {row.asked: row for row in session.connection().execute(_TEAMS, asked)}
    for slug in slugs:
        if slug not in found:
            raise NotFound("team_unknown", f"no team has the slug {slug[:60]!r}", where="team")
    return found


def last_reported(incident: int, session: Session) -> dict[int, Line]:
    """(id, ref) of what was reported last in an incident, by row, to each team, by row; no follow-up is a report."""
    told = whole_of(_N.team_id).label("team")
    chosen = _N.kind.in_(("report", "referral")) & _N.withdrawn_at.is_(None) & (_N.incident_id == incident)
    rows = session.execute(select(_N.id, _N.ref, told).where(chosen).order_by(_N.sent_at, _N.id))
    return {row.team: row for row in rows}


def ids_of(refs: Sequence[str], session: Session) -> dict[str, int]:
    """The rows of notifications, by reference."""
    found: dict[str, int] = {}
    for start in range(0, len(refs), BATCH):
        rows = session.execute(select(_N.ref, _N.id).where(_N.ref.in_(refs[start : start + BATCH])))
        found |= {row.ref: row.id for row in rows}
    return found


def address_version(kind: str, value: str, session: Session | None = None) -> int:
    """The version that the recipient's link is bound to; 0 for an address that the directory does not know."""
    connection = (session or db.session()).connection()
    return connection.execute(_ADDRESS, {"kind": kind, "value": value}).scalar() or 0


def poster_of(viewer: Viewer, row: Any) -> str | None:
    """The viewer's part in this notification: `member` of its workspace, `contact` of its team, None: nobody.

    `row` has the notification's workspace_id and team_id. Who is both speaks as the sender: nobody answers for
    the recipient of an own report.
    """
    if viewer.workspace_id is not None and row.workspace_id == viewer.workspace_id:
        return "member"
    if viewer.team_id is None or not parts.is_part_of(row.team_id, viewer.team_id):
        return None
    return "contact"


def own_notification_to_change(
    ref: str, viewer: Viewer, session: Session, *, among: Collection[str] | None = None
) -> Notification:
    """One of the viewer's notifications, locked; raises NotFound `notification_unknown`, also for a foreign one.

    `among`: what lock_own gave.
    """
    found = None
    if is_ref(ref) and (among is None or ref in among):
        found = notification_to_change(ref, session, is_locked=among is not None)
    if found is None or poster_of(viewer, found) is None:
        raise _unknown()
    return found


def own_notification_to_record(
    ref: str, viewer: Viewer, session: Session, *, among: Collection[str] | None = None
) -> Locked:
    """The same for whoever only records a fact about it: what that needs of it."""
    if among is None:
        lock_threads([ref], session)
    is_asked = is_ref(ref) and (among is None or ref in among)
    found = rows_of(session.connection(), _LOCKED, {"ref": ref}) if is_asked else []
    if not found or poster_of(viewer, found[0]) is None:
        raise _unknown()
    return Locked(*found[0])


def members_notification_to_change(ref: str, viewer: Viewer, session: Session) -> Notification:
    """One of the viewer's workspace, locked; raises NotFound `notification_unknown`, for one to the own team too."""
    found = own_notification_to_change(ref, viewer, session)
    if poster_of(viewer, found) != "member":
        raise _unknown()
    return found


def _unknown() -> NotFound:
    return NotFound("notification_unknown", "no notification of yours has this reference")


def notification_to_change(ref: str, session: Session, *, is_locked: bool = False) -> Notification | None:
    """A notification by reference alone, locked: two facts at once are folded one after the other.

    Only for a caller who has proven its right before, such as the reader of a recipient's token. `is_locked`: by
    lock_threads, in this transaction.
    """
    if not is_locked:
        lock_threads([ref], session)
    found: Notification | None = session.scalar(_to_change(), {"ref": ref})
    return found


def lock_threads(refs: Iterable[str], session: Session) -> None:
    """Lock what these notifications follow up, and then them: always from above, so that no two wait for each other.

    Whoever is to lock several locks all of them by this first. Of an embedded database one alone writes as it is.
    """
    if session.get_bind().dialect.name == "postgresql":
        connection = session.connection()
        for some in batches(sorted({each for each in refs if is_ref(each)})):
            connection.execute(_followed(), {"refs": some})


def lock_own(refs: Iterable[str], viewer: Viewer, session: Session) -> set[str]:
    """Those of these notifications that are the viewer's, locked by lock_threads; nobody else's is."""
    asked, mine = sorted({each for each in refs if is_ref(each)}), set[str]()
    for some in batches(asked):
        rows = session.execute(select(_N.ref, _N.workspace_id, _N.team_id).where(_N.ref.in_(some)))
        mine.update(row.ref for row in rows if poster_of(viewer, row) is not None)
    lock_threads(mine, session)
    return mine


def thread_of(notification: Notification, session: Session) -> list[Notification]:
    """It, what it follows up, and every follow-up of these: locked, oldest recorded first."""
    return members_of_thread(numbers_of_thread(notification.id, session), session)


def members_of_thread(numbers: Sequence[int], session: Session) -> list[Notification]:
    """Its notifications by their rows, in this order, locked."""
    members: list[Notification] = []
    for start in range(0, len(numbers), BATCH):
        statement = _with_incident().where(_N.id.in_(numbers[start : start + BATCH])).order_by(_N.id)
        locked = statement.with_for_update(of=Notification).execution_options(populate_existing=True)
        members += session.scalars(locked)
    return members


def numbers_of_thread(notification: int, session: Session) -> list[int]:
    """The rows of a thread in their order: up to what began it, and down from there."""
    connection = session.connection()
    if not connection.scalar(
        _IS_IN_THREAD, {"id": notification}
    ):  # most: a question of its own costs half as much
        return [notification]
    return sorted(connection.scalars(_thread(), {"id": notification}))


def addresses_of_follow_ups(ids: Sequence[int]) -> dict[int, set[tuple[str, str]]]:
    """(kind, value) of the addresses over which notifications were followed up, by their rows."""
    found: dict[int, set[tuple[str, str]]] = {}
    columns = (_N.parent_id, _N.channel_kind, _N.channel_value)
    statement = select(*columns).where(_N.parent_id.in_(ids), _N.kind == FOLLOW_UP, _N.withdrawn_at.is_(None))
    for row in db.session.execute(statement):
        found.setdefault(row.parent_id, set()).add((row.channel_kind, row.channel_value))
    return found


def notification_by_ref(ref: str) -> Notification | None:
    """A notification by reference alone, to read: the caller looks whose it is."""
    found: Notification | None = db.session.scalar(_with_incident().where(Notification.ref == ref))
    return found


def teams_waiting(viewer: Viewer, state: str) -> list[tuple[str, str]]:
    """(slug, name) of the teams to which a notification in this state of `WAITING` went, by name."""
    statement = (
        select(Team.slug, Team.name)
        .join(Notification, whole_of(Notification.team_id) == Team.id)
        .where(seen_by(viewer), WAITING[state])
        .distinct()
        .order_by(Team.name)
    )
    return [(row.slug, row.name) for row in db.session.execute(statement)]


def counts(viewer: Viewer) -> dict[str, int]:
    """How many notifications there are in each state of `WAITING`: as many as its list has."""
    numbers = [func.count().filter(state).label(name) for name, state in WAITING.items()]
    row = db.session.execute(select(*numbers).select_from(Notification).where(seen_by(viewer))).one()
    return dict(row._mapping)


def teams_by_id(ids: Sequence[int], session: Session | None = None) -> dict[int, Team]:
    """Teams by row, for the answers about notifications."""
    statement = select(Team).where(Team.id.in_(set(ids)))
    return {team.id: team for team in (session or db.session()).scalars(statement)}


def slug_of_team(team_id: int, session: Session) -> str:
    """Under which slug events name the team of a notification."""
    return str(session.connection().scalar(_SLUG, {"id": team_id}))


def about(notification: Notification, session: Session) -> dict[str, Any]:
    """What the events of a notification speak of."""
    return {
        "notification": notification.ref,
        "incident": notification.incident.ref if notification.incident else None,
        "team": slug_of_team(notification.team_id, session),
    }


def workspace_by_id(workspace_id: int, session: Session | None = None) -> Workspace:
    """The workspace of a notification."""
    return (session or db.session()).get_one(Workspace, workspace_id)


def last_tick() -> dt.datetime | None:
    """When the worker last went round."""
    return db.session.scalar(select(WorkerTick.last_tick).where(WorkerTick.id == 1))


def seen_by(viewer: Viewer) -> ColumnElement[bool]:
    """The notifications that are the viewer's."""
    if viewer.workspace_id is None:
        return _N.team_id.in_(entries_of(viewer.team_id))
    return _N.workspace_id == viewer.workspace_id


@cache
def _with_incident() -> Select[Notification]:
    """Whole rows. Not made at import: to name a relation sets up every model, a tenth of a start."""
    return select(Notification).options(joinedload(Notification.incident))


@cache
def _to_change() -> Select[Notification]:
    return (
        _with_incident()
        .where(Notification.ref == bindparam("ref"))
        .with_for_update(of=Notification)
        .execution_options(populate_existing=True)
    )


@cache
def _followed() -> Rows:
    """Locks in the order of rows; what is followed was always there before what follows it."""
    columns = (_N.id, _N.parent_id, _N.kind)
    up = select(*columns).where(_N.ref.in_(bindparam("refs", expanding=True))).cte("up", recursive=True)
    up = up.union(select(*columns).join(up, _N.id == up.c.parent_id).where(up.c.kind == FOLLOW_UP))
    return select(_N.id).where(_N.id.in_(select(up.c.id))).order_by(_N.id).with_for_update()


@cache
def _thread() -> Rows:
    columns = (_N.id, _N.parent_id, _N.kind)
    up = select(*columns).where(_N.id == bindparam("id")).cte("up", recursive=True)
    up = up.union(select(*columns).join(up, _N.id == up.c.parent_id).where(up.c.kind == FOLLOW_UP))
    first = select(up.c.id).where(or_(up.c.kind != FOLLOW_UP, up.c.parent_id.is_(None)))
    down = first.cte("down", recursive=True)
    down = down.union(select(_N.id).join(down, _N.parent_id == down.c.id).where(_N.kind == FOLLOW_UP))
    return select(down.c.id)
