"""What the paths of many notifications are read from, in few statements however many they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from pocdir.db import Line
from pocdir.directory.models import Team
from pocdir.directory.queries.reading import whole_of
from pocdir.outreach.escalation.models import NotificationPath, Policy
from pocdir.outreach.models import Notification

_N = Notification.__table__.c


def approved(
    refs: Sequence[str], session: Session, workspace_id: int
) -> list[tuple[Notification, NotificationPath]]:
    """Those of the workspace's whose policy was approved beforehand, with their paths.

    With all that they follow, up to what it began with, and the incidents of these.
    """
    columns = (_N.id, _N.parent_id)
    mine = select(*columns).where(_N.ref.in_(refs), _N.workspace_id == workspace_id)
    up = mine.cte("up", recursive=True)
    up = up.union(select(*columns).join(up, _N.id == up.c.parent_id))
    chosen = select(Notification).where(Notification.id.in_(select(up.c.id)))
    told = {each.id: each for each in session.scalars(chosen.options(joinedload(Notification.incident)))}
    for each in told.values():
        _ = each.parent  # at hand from here on: no row asks for its own
    asked = set(refs)
    rows = session.scalars(
        select(NotificationPath)
        .where(NotificationPath.notification_id.in_([row for row, it in told.items() if it.ref in asked]))
        .options(joinedload(NotificationPath.policy).joinedload(Policy.approval))
        .execution_options(populate_existing=True)
    )
    paths = {row.notification_id: row for row in rows if row.policy.approval is not None}
    return [(told[row], path) for row, path in paths.items()]


def places(ids: Sequence[int], session: Session) -> Mapping[int, Line]:
    """By notification the zone and country of its team."""
    statement = select(_N.id, Team.timezone, Team.country).join(Team, Team.id == whole_of(_N.team_id))
    return {row.id: row for row in session.execute(statement.where(_N.id.in_(ids)))}


def same(told: Sequence[Notification], session: Session) -> dict[int, list[Line]]:
    """For each who was told of the same: in its incident, by what it follows, and by what follows it."""
    ids = {each.id for each in told}
    above = {each.parent_id for each in told if each.parent_id is not None}
    cases = {each.incident_id for each in told if each.incident_id is not None}
    columns = (
        Team.slug, _N.channel_kind, _N.channel_value, _N.id, _N.parent_id, _N.incident_id, _N.withdrawn_at,
    )  # fmt: skip
    named = select(*columns).join(Team, Team.id == whole_of(_N.team_id))
    rows = {
        row.id: row
        for which in (_N.id.in_(ids | above), _N.parent_id.in_(ids), _N.incident_id.in_(cases))
        for row in session.execute(named.where(which))
    }
    below, beside = dict[int | None, list[Line]](), dict[int | None, list[Line]]()
    for row in rows.values():
        if row.withdrawn_at is None:
            below.setdefault(row.parent_id, []).append(row)
            beside.setdefault(row.incident_id, []).append(row)
    beside.pop(None, None)
    found = {}
    for each in told:
        own = {each.id: rows[each.id]}
        up = [rows[row] for row in (each.parent_id,) if row is not None and rows[row].withdrawn_at is None]
        others = (*up, *below.get(each.id, ()), *beside.get(each.incident_id, ()))
        found[each.id] = list(({row.id: row for row in others} | own).values())
    return found


def slugs(teams: Sequence[int], session: Session) -> dict[int, str]:
    """By row how events name these teams."""
    return {row.id: row.slug for row in session.execute(select(Team.id, Team.slug).where(Team.id.in_(teams)))}
