"""Reading what was told to a team, all of it in the order in which it was recorded."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from pocdir.core import tlp
from pocdir.db import db, table_of
from pocdir.directory.models import Team
from pocdir.directory.proposals.queries import team_slugs
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import Entry
from pocdir.directory.queries.reading import entries_of
from pocdir.directory.rules.record import audiences
from pocdir.ledger.models import LedgerEvent
from pocdir.outreach.desk.letter import Open
from pocdir.outreach.desk.models import Consent, Digest
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.snapshots import Snapshot, newest_told, told_after
from pocdir.outreach.queries.told import LISTS, WITHOUT_OUTCOME, senders

AT_ONCE = 100
ITS_OWN = audiences(("team_contact",))  # what of its channels a team's own staff see


def told(team_id: int, *, state: str | None, limit: int, cursor: str | None = None) -> list[Snapshot]:
    """`limit + 1` notifications after the cursor, of one of the `LISTS` or of all; raises Invalid `cursor_unknown`."""
    return told_after(team_id, LISTS[state] if state else None, limit=limit, cursor=cursor)


def slug_of(team_id: int) -> str:
    """The slug by which the directory has the team, that of the whole where it was merged."""
    return team_slugs([team_id])[team_id]


def lock_team(team_id: int, session: Session) -> None:
    """What the team chooses it chooses once at a time, also where nothing stands yet that could be locked."""
    session.execute(select(Team.id).where(Team.id == team_id).with_for_update(key_share=True))


def all_told(team_id: int, *, state: str | None) -> Iterator[list[Snapshot]]:
    """All that was told to a team, of one of the `LISTS` or of all, some at once."""
    cursor = None
    while found := told(team_id, state=state, limit=AT_ONCE, cursor=cursor):
        yield found[:AT_ONCE]
        if len(found) <= AT_ONCE:
            return
        cursor = found[AT_ONCE - 1].row.ref


def digest_of(team_id: int) -> Digest | None:
    """What a team has chosen; None: no daily mail."""
    return db.session.get(Digest, team_id)


def takes_of(team_id: int) -> list[str]:
    """What a team takes without a person's yes to each letter (of rules.TAKES)."""
    found = db.session().get(Consent, team_id)
    return list(found.takes) if found else []


def consent_of(slug: str, session: Session, *, lock: bool = False) -> Consent | None:
    """What a team that stands by itself takes without a person's yes to each letter; None: nothing.

    `lock`: nobody else writes to it by itself meanwhile; None too where another worker just does.
    """
    statement = select(Consent).join(Team, Team.id == Consent.team_id)
    statement = statement.where(Team.slug == slug, Team.merged_into_id.is_(None), Team.retired_at.is_(None))
    statement = statement.execution_options(populate_existing=True)
    return session.scalar(statement.with_for_update(of=Consent, skip_locked=True) if lock else statement)


def consents_of(slugs: Collection[str], session: Session) -> dict[str, Consent]:
    """The same of many teams, by slug."""
    statement = select(Team.slug, Consent).join(Consent, Team.id == Consent.team_id)
    statement = statement.where(
        Team.slug.in_(slugs), Team.merged_into_id.is_(None), Team.retired_at.is_(None)
    )
    found = session.execute(statement.execution_options(populate_existing=True))
    return {row.slug: row.Consent for row in found}


def digest_waits(now: dt.datetime) -> bool:
    """Whether the hour of any team has come."""
    return db.session.scalar(select(Digest.team_id).where(Digest.look_at <= now).limit(1)) is not None


def due_digests(session: Session, *, now: dt.datetime, limit: int) -> list[Digest]:
    """The digests whose hour has come, locked for this worker."""
    statement = select(Digest).where(Digest.look_at <= now).order_by(Digest.look_at, Digest.team_id)
    statement = statement.limit(limit).with_for_update(skip_locked=True)
    return list(session.scalars(statement.execution_options(populate_existing=True)))


def entry_of(team_id: int) -> Entry | None:
    """The entry of a team that stands by itself; None: it was merged into another one, or retired."""
    team = db.session().get_one(Team, team_id)
    if team.merged_into_id is not None or team.retired_at is not None:
        return None
    return entries.entry(team.slug, audiences=ITS_OWN)


def anything_new(team_id: int, since: dt.datetime) -> bool:
    """Whether a report that stands open, or that an outcome was asked for in vain, was recorded after that.

    A lapse is dated when it fell due; after an outage it is written down later than that.
    """
    row, event = table_of(Notification).c, table_of(LedgerEvent).c
    lapsed = (event.type == "expectation.lapsed", event.payload["of"].as_string() == "remediation")
    passed = select(event.id).where(event.notification == row.ref, *lapsed, event.recorded_at > since)
    is_new = or_(LISTS["open"] & (row.created_at > since), WITHOUT_OUTCOME & passed.exists())
    found = select(row.id).where(row.team_id.in_(entries_of(team_id)), is_new)
    return db.session.scalar(found.limit(1)) is not None


def without_outcome(team_id: int) -> int:
    """Of how many reports that a team has answered it was asked in vain what became of them."""
    row = table_of(Notification).c
    found = select(func.count()).where(row.team_id.in_(entries_of(team_id)), WITHOUT_OUTCOME)
    return db.session.scalar(found) or 0


def waiting(team_id: int, *, limit: int, url: str) -> list[Open]:
    """The newest reports without a word of the team; of one that is TLP:RED not who sent it."""
    found = newest_told(team_id, LISTS["open"], offset=0, limit=limit)
    names = senders(found)
    return [
        Open(
            link=f"{url}/{each.row.ref}",
            sent_at=each.row.sent_at,
            tlp=each.row.tlp,
            sender=None if tlp.RED in (each.row.tlp, each.row.incident_tlp) else names[each.row.workspace_id],
            asked_for=min((one.due_at for one in each.expectations), default=None),
        )
        for each in found
    ]
