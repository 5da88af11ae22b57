"""Reading policies, and the paths of notifications."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Integer, and_, bindparam, func, or_, select
from sqlalchemy.orm import Session, joinedload

from pocdir.core.batches import batches
from pocdir.core.errors import Invalid, NotFound
from pocdir.db import Line, db
from pocdir.directory.models import Team
from pocdir.directory.queries.reading import whole_of
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.queries import events_of_notification, events_of_notifications
from pocdir.ledger.rules.events import Event
from pocdir.outreach.escalation.models import (
    NotificationPath,
    Policy,
    PolicyApproval,
    PolicyChoice,
)
from pocdir.outreach.escalation.rules import path as paths
from pocdir.outreach.escalation.rules.calendar import calendar
from pocdir.outreach.escalation.rules.policy import Policy as Rules
from pocdir.outreach.escalation.rules.policy import policy as read
from pocdir.outreach.escalation.rules.targets import Coming, Reported, Target, other_mail_of, target_of
from pocdir.outreach.models import Notification
from pocdir.outreach.rules.corrections import counting
from pocdir.outreach.rules.fold import State, state_of
from pocdir.routing.queries import question
from pocdir.routing.rules.index import Index

_C = PolicyChoice.__table__.c
_N = Notification.__table__.c
_L = LedgerEvent.__table__.c
_CHOSEN = (
    select(_C.slug)
    .where(
        _C.workspace_id == bindparam("workspace_id"),
        or_(_C.incident_id.is_(None), _C.incident_id == bindparam("incident_id")),
    )
    .order_by(_C.incident_id.is_(None), _C.id.desc())
    .limit(1)
)
_PLACE = select(Team.timezone, Team.country).where(Team.id == whole_of(bindparam("team", type_=Integer)))
# Whoever was told of the same: in its incident, by what it follows, and by what follows it.
_SAME = (
    select(Team.slug, _N.channel_kind, _N.channel_value, _N.id)
    .join(Team, Team.id == whole_of(_N.team_id))
    .where(
        or_(
            _N.id.in_((bindparam("id"), bindparam("parent"))),
            _N.parent_id == bindparam("id"),
            _N.incident_id == bindparam("incident"),
        ),
        or_(_N.id == bindparam("id"), _N.withdrawn_at.is_(None)),
    )
)


def policies(workspace_id: int, session: Session | None = None) -> list[Policy]:
    """The newest version of each policy of a workspace, by slug."""
    newest = (
        select(Policy.slug, func.max(Policy.version).label("version"))
        .where(Policy.workspace_id == workspace_id)
        .group_by(Policy.slug)
        .subquery()
    )
    statement = (
        select(Policy)
        .join(newest, and_(Policy.slug == newest.c.slug, Policy.version == newest.c.version))
        .where(Policy.workspace_id == workspace_id)
        .order_by(Policy.slug)
    )
    return list((session or db.session()).scalars(statement))


def policy(
    slug: str, *, workspace_id: int | None, version: int | None = None, session: Session | None = None
) -> Policy:
    """One version of a policy, the newest unless another is named; raises NotFound `policy_unknown`."""
    statement = select(Policy).where(Policy.workspace_id == workspace_id, Policy.slug == slug)
    if version is not None:
        statement = statement.where(Policy.version == version)
    found = (session or db.session()).scalar(statement.order_by(Policy.version.desc()).limit(1))
    if found is None:
        raise NotFound("policy_unknown", f"no policy of yours is called {slug[:60]!r}", where="policy")
    return found


def contact_of(notification_id: int, *, workspace_id: int, incident_id: int | None) -> str | None:
    """Where the workspace can be called, as the policy says that a notification follows or would follow today."""
    kept = path_row(notification_id)
    if kept is not None:
        return rules_of(kept.policy).contact
    slug = chosen(db.session(), workspace_id=workspace_id, incident_id=incident_id)
    return rules_of(policy(slug, workspace_id=workspace_id)).contact if slug else None


def newest_version(slug: str, workspace_id: int, session: Session) -> int:
    """The number of a policy's newest version; 0: there is none yet."""
    mine = (Policy.workspace_id == workspace_id, Policy.slug == slug)
    return session.scalar(select(func.max(Policy.version)).where(*mine)) or 0


def versions(slug: str, *, workspace_id: int | None) -> list[Policy]:
    """Every version of a policy, the newest first."""
    mine = select(Policy).where(Policy.workspace_id == workspace_id, Policy.slug == slug)
    return list(db.session.scalars(mine.order_by(Policy.version.desc())))


def chosen(session: Session, *, workspace_id: int, incident_id: int | None) -> str | None:
    """The slug of the policy that a notification logged now follows: of its incident, else of the workspace."""
    asked = {"workspace_id": workspace_id, "incident_id": incident_id}
    slug: str | None = session.connection().execute(_CHOSEN, asked).scalar()
    return slug


def default_of(workspace_id: int) -> str | None:
    """The slug of the workspace's own choice."""
    return chosen(db.session(), workspace_id=workspace_id, incident_id=None)


def path_row(notification_id: int, session: Session | None = None) -> NotificationPath | None:
    """The policy that a notification follows, or None."""
    statement = (
        select(NotificationPath)
        .options(joinedload(NotificationPath.policy))
        .where(NotificationPath.notification_id == notification_id)
        .execution_options(populate_existing=True)
    )
    return (session or db.session()).scalar(statement)


def path_rows(ids: Sequence[int], session: Session) -> Iterator[NotificationPath]:
    """The paths of these notifications with their policies, read anew."""
    for some in batches(ids):
        statement = select(NotificationPath).where(NotificationPath.notification_id.in_(some))
        statement = statement.options(joinedload(NotificationPath.policy))
        yield from session.scalars(statement.execution_options(populate_existing=True))


def next_steps(ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The next step of each notification as the worker last saw it (level, target, due_at, state), by notification."""
    found: dict[int, dict[str, Any]] = {}
    for some in batches(ids):
        statement = (
            select(NotificationPath)
            .options(joinedload(NotificationPath.policy))
            .where(
                NotificationPath.notification_id.in_(some),
                NotificationPath.level.is_not(None),
            )
        )
        for row in db.session.scalars(statement):
            step = read(row.policy.definition).levels[(row.level or 1) - 1]
            found[row.notification_id] = {
                "level": row.level, "target": step.target, "due_at": row.due_at, "state": row.state,
                "approved": row.policy.approval is not None,
            }  # fmt: skip
    return found


def suggested(
    workspace_id: int, *, now: dt.datetime, limit: int, cursor: str | None = None
) -> list[Notification]:
    """`limit + 1` notifications of a workspace for which a step is due, or may be, oldest recorded first.

    May be: the worker has still to look at it, and its path as it stands says so. Raises Invalid `cursor_unknown`.
    """
    statement = (
        select(Notification)
        .join(NotificationPath, NotificationPath.notification_id == Notification.id)
        .where(
            Notification.workspace_id == workspace_id,
            Notification.withdrawn_at.is_(None),
            or_(
                NotificationPath.look_at <= now,
                and_(
                    NotificationPath.state.in_(("due", "exhausted")),
                    NotificationPath.level.is_not(None),
                    NotificationPath.due_at <= now,
                ),
            ),
        )
        .order_by(Notification.id)
        .limit(limit + 1)
        .options(joinedload(Notification.incident))
    )
    return list(db.session.scalars(_after(statement, workspace_id, cursor)))


class Around(NamedTuple):
    """What else a path is read from."""

    place: Line  # timezone, country of the team
    told: Mapping[str, list[Event]]  # of the notifications that its steps led to


class Looked:
    """A notification's path as it stands now, with all that it was read from."""

    def __init__(
        self,
        notification: Any,
        row: NotificationPath,
        session: Session,
        now: dt.datetime,
        events: list[Event] | None = None,
        around: Around | None = None,
    ) -> None:
        self.row, self.policy = row, read(row.policy.definition)
        self.events = events_of_notification(notification.ref, session) if events is None else events
        self.state: State = state_of(self.events)
        steps = led_to(self.events, row.policy.ref)
        around = around or Around(
            session.execute(_PLACE, {"team": notification.team_id}).one(),
            events_of_notifications(list(steps), session) if steps else {},
        )
        self.calendar = calendar(around.place.timezone, around.place.country, self.policy.hours)
        self.followed = _followed(steps, around.told)
        self.path = self.again(now)

    def again(self, now: dt.datetime) -> paths.Path:
        """The path after another event was added to `events`."""
        self.path = self.foreseen(now, paths.NOTHING_FORESEEN)
        return self.path

    def foreseen(self, now: dt.datetime, nobody: Mapping[int, str]) -> paths.Path:
        """The path that follows when nobody is found for these levels."""
        return paths.path_of(
            self.policy, self.row.policy.ref, self.events, self.state, calendar=self.calendar, now=now,
            not_before=self.row.not_before, followed=self.followed, nobody=nobody,
        )  # fmt: skip


def look(notification: Any, now: dt.datetime, session: Session | None = None) -> Looked | None:
    """The path of a notification (or of its row) as it stands; None: it follows no policy."""
    session = session or db.session()
    row = path_row(notification.id, session)
    return Looked(notification, row, session, now) if row is not None else None


def led_to(events: Sequence[Event], policy: str) -> dict[str, int]:
    """The notifications that steps of this path logged, with the level of each."""
    return {
        event.payload["notification"]: int(event.payload["level"])
        for event in events
        if event.type == "escalation.step_taken"
        and event.payload.get("policy") == policy
        and "notification" in event.payload
    }


def _followed(sent: Mapping[str, int], told: Mapping[str, list[Event]]) -> paths.Followed:
    """What became of the notifications that steps of this path logged; *not for us* answers for nobody."""
    if not sent:
        return paths.NOT_FOLLOWED
    answers, failed = [], {}
    for ref in sent:
        state = state_of(told[ref])
        is_theirs = state.response != "misdirected"
        answers += [first.at for first in state.acknowledgements if is_theirs]
        if state.transport == "failed" or not is_theirs:
            why = "delivery.failed" if is_theirs else "response.misdirected"
            failed[sent[ref]] = min(e.occurred_at for e in counting(told[ref]) if e.type == why)
    return paths.Followed(min(answers, default=None), failed)


def target(notification: Any, step: str, known: Index, on: dt.date, session: Session) -> Target | str:
    """Whom a step goes to as the directory stands, or why to nobody (rules.targets.target_of)."""
    return target_for(step, _reported(notification, session), known, on)


def target_for(step: str, told: Reported, known: Index, on: dt.date) -> Target | str:
    """The same for what is read already."""
    return target_of(step, told, known, question(known, on=on, kind_of_report=told.kind_of_report))


def next_step(
    looked: Looked | None, notification: Any, known: Index, now: dt.datetime, session: Session
) -> Coming | None:
    """The next step that a person may decide on; None: there is none."""
    rung = looked.path.next if looked else None
    return Coming(rung, target(notification, rung.step.target, known, now.date(), session)) if rung else None


def coming(
    looked: Looked | None, notification: Any, known: Index, now: dt.datetime, session: Session
) -> Coming | None:
    """The step that really comes next: one for which nobody is known is looked through, since it is left out when its
    time comes and the next follows at once; the first, with why, where that leads to nobody. None: there is none."""
    if looked is None:
        return None
    return coming_of(looked, now, lambda step: target(notification, step, known, now.date(), session))


def coming_of(looked: Looked, now: dt.datetime, find: Callable[[str], Target | str]) -> Coming | None:
    """The same, where `find` gives whom a step goes to."""
    first, path, nobody = None, looked.path, dict[int, str]()
    while (rung := path.next) is not None:
        found = Coming(rung, find(rung.step.target))
        first = first or found
        if isinstance(found.target, Target) or rung.recorded:
            return found
        nobody[rung.level] = found.target
        path = looked.foreseen(now, nobody)
    return first


def other_mail(notification: Notification, known: Index, session: Session) -> Target | str:
    """The next mail address of the same team that works and was not told yet, or why none: `opted_out`, `no_mail`."""
    return other_mail_of(_reported(notification, session), known)


def is_approved(notification_id: int, session: Session) -> bool:
    """Whether the version that a notification follows was approved beforehand, as it stands at this moment."""
    statement = (
        select(PolicyApproval.policy_id)
        .join(NotificationPath, NotificationPath.policy_id == PolicyApproval.policy_id)
        .where(NotificationPath.notification_id == notification_id)
    )
    return session.scalar(statement) is not None


def approved_ahead(workspace_id: int, *, limit: int, cursor: str | None = None) -> list[Notification]:
    """`limit + 1` notifications that follow a version approved beforehand and whose next step is still to come.

    Oldest recorded first. Raises Invalid `cursor_unknown`.
    """
    statement = (
        select(Notification)
        .join(NotificationPath, NotificationPath.notification_id == Notification.id)
        .join(PolicyApproval, PolicyApproval.policy_id == NotificationPath.policy_id)
        .where(Notification.workspace_id == workspace_id, NotificationPath.state == "ahead")
        .where(Notification.withdrawn_at.is_(None))
        .order_by(Notification.id)
        .limit(limit + 1)
        .options(joinedload(Notification.incident))
    )
    return list(db.session.scalars(_after(statement, workspace_id, cursor)))


def _after(statement: Any, workspace_id: int, cursor: str | None) -> Any:
    if cursor is None:
        return statement
    mine = (Notification.workspace_id == workspace_id, Notification.ref == cursor)
    last = db.session.scalar(select(Notification.id).where(*mine))
    if last is None:
        raise Invalid("cursor_unknown", "this cursor is not one of this list", where="cursor")
    return statement.where(Notification.id > last)


def _reported(notification: Any, session: Session) -> Reported:
    about = {"id": notification.id, "parent": notification.parent_id, "incident": notification.incident_id}
    return reported_of(notification, session.execute(_SAME, about).all())


def reported_of(notification: Any, rows: Iterable[Any]) -> Reported:
    """What a notification was; `rows` (id, slug, channel_kind, channel_value): it, and what was told of the same."""
    rows = list(rows)
    own = next(row.slug for row in rows if row.id == notification.id)
    incident = notification.case
    return Reported(
        team=own,
        assets=notification.assets,
        kind_of_report=incident.kind_of_report if incident else None,
        teams=frozenset(row.slug for row in rows),
        addresses=frozenset((row.channel_kind, row.channel_value) for row in rows if row.slug == own),
    )


def rules_of(row: Policy) -> Rules:
    """A kept version as the rules read it."""
    return read(row.definition)
