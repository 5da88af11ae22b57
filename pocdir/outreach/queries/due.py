"""What the worker finds due, locked as everybody locks: from above."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from functools import cache

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from pocdir.db import Line, Rows, table_of
from pocdir.directory.models import Team
from pocdir.incidents.models import Incident
from pocdir.outreach.models import Expectation, Notification
from pocdir.outreach.queries.notifications import FOLLOW_UP, RUNNING, STILL_HERE

_T, _N, _E, _I = (model.__table__.c for model in (Team, Notification, Expectation, Incident))


def due_notifications(session: Session, *, now: dt.datetime, limit: int) -> Sequence[Line]:
    """(id, ref, parent_id, team_slug, incident_ref) of notifications with a running expectation that is due by now.

    Those of the `limit` expectations that fell due first, locked for this worker, without what follows up one that
    somebody else has.
    """
    found = session.connection().execute(due_statement(now, limit)).all()
    below = {row.id for row in found if row.parent_id is not None}
    free = below and set(held_from_above(below, session))
    return [row for row in found if row.id in free or row.id not in below]


def due_statement(now: dt.datetime, limit: int) -> Rows:
    """Reads no more of the index of running expectations than it takes, however many are due."""
    due = (
        select(_E.notification_id, _E.due_at)
        .where(RUNNING, _E.due_at <= now, _E.notification_id.not_in(STILL_HERE))
        .where(or_(_E.put_off_until.is_(None), _E.put_off_until <= now))
        .order_by(_E.due_at)
        .limit(limit)
        .subquery()
    )
    earliest = select(due.c.notification_id).distinct().scalar_subquery()
    return (
        select(_N.id, _N.ref, _N.parent_id, _T.slug.label("team_slug"), _I.ref.label("incident_ref"))
        .join(Team.__table__, _T.id == _N.team_id)
        .outerjoin(Incident.__table__, _I.id == _N.incident_id)
        .where(_N.id.in_(earliest))
        .order_by(_N.id)
        .with_for_update(of=table_of(Notification), skip_locked=True)
    )


def held_from_above(rows: Collection[int], session: Session) -> list[int]:
    """Of these rows those that are locked now with all that they follow up; it waits for nobody.

    For the worker, which looks again at the others: somebody has them, or what they follow up.
    """
    if not rows or session.get_bind().dialect.name != "postgresql":
        return list(rows)
    chains: dict[int, set[int]] = {}
    connection = session.connection()
    for each in connection.execute(_above(), {"rows": list(rows)}):
        chains.setdefault(each.begun, set()).add(each.id)
    wanted = select(_N.id).where(_N.id.in_({row for chain in chains.values() for row in chain}))
    held = set(connection.scalars(wanted.order_by(_N.id).with_for_update(skip_locked=True)))
    return [row for row, chain in chains.items() if chain <= held]


@cache
def _above() -> Rows:
    columns = (_N.id, _N.parent_id, _N.kind)
    up = select(_N.id.label("begun"), *columns).where(_N.id.in_(bindparam("rows", expanding=True)))
    chain = up.cte("up", recursive=True)
    more = select(chain.c.begun, *columns).join(chain, _N.id == chain.c.parent_id)
    chain = chain.union(more.where(chain.c.kind == FOLLOW_UP))
    return select(chain.c.begun, chain.c.id)
