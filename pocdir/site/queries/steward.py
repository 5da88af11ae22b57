"""The steward's desk: what waits for a person in every room of the directory, and leads that reports go to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from typing import NamedTuple

from sqlalchemy import func, select

from pocdir.db import db, table_of
from pocdir.directory.checks import queries as checks
from pocdir.directory.keys import queries as keys
from pocdir.directory.merging import queries as merging
from pocdir.directory.models import Team
from pocdir.directory.proposals import queries as proposals
from pocdir.directory.quarantine.queries import waiting
from pocdir.directory.rules import steward
from pocdir.directory.rules.steward import Waiting
from pocdir.outreach.models import Notification

MOST_IMPORTS = 200
_T, _N = (table_of(model).c for model in (Team, Notification))


def desk(now: dt.datetime) -> list[Waiting]:
    """All that waits, the most harmful first."""
    return steward.by_harm([it for room in ROOMS for it in room(now)], now)


class Line(NamedTuple):
    """One thing on the desk with the name of its team."""

    item: Waiting
    name: str | None
    country: str | None


def lines(now: dt.datetime) -> list[Line]:
    """The desk as it is shown."""
    items = desk(now)
    chosen = select(_T.slug, _T.name, _T.country).where(_T.slug.in_({it.slug for it in items if it.slug}))
    teams = {row.slug: row for row in db.session().connection().execute(chosen)}
    return [
        Line(it, *((team.name, team.country) if (team := teams.get(it.slug)) else (None, None)))
        for it in items
    ]


def _held(now: dt.datetime) -> Iterator[Waiting]:
    """One for each import of which something waits, however many teams it speaks of."""
    for row in waiting.imports(waiting=True, limit=MOST_IMPORTS)[0]:
        where = f"/directory/quarantine/{row.ref}"
        kind = "unread" if row.unread == row.waits else "quarantine"
        yield steward.waiting(kind, slug=None, since=row.at, what=row.source, where=where)


def _leads(now: dt.datetime) -> Iterator[Waiting]:
    """Unverified leads to which reports were sent of late: somebody relies on what nobody has checked."""
    since = now - (steward.KINDS["lead_with_traffic"].after or dt.timedelta())
    first, last = func.min(_N.sent_at), func.max(_N.sent_at)
    told = (
        select(_T.slug, first.label("first"), last.label("last"))
        .join(table_of(Notification), _N.team_id == _T.id)
        .where(_T.lead.is_(True), _T.retired_at.is_(None), _N.sent_at > since, _N.withdrawn_at.is_(None))
        .group_by(_T.slug)
    )
    for row in db.session().connection().execute(told):
        ends = row.last + (now - since)
        yield steward.waiting(
            "lead_with_traffic", slug=row.slug, since=row.first, default_at=ends, where=f"/teams/{row.slug}"
        )


# Each room gives what waits in it; a room that is missing here has nothing on the desk.
ROOMS: tuple[Callable[[dt.datetime], Iterator[Waiting] | list[Waiting]], ...] = (
    checks.waiting,
    proposals.waiting,
    merging.waiting,
    keys.waiting,
    _held,
    _leads,
)
