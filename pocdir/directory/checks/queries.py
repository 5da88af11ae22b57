"""Reading the checks: whose turn it is, what is under way, what came of them, and what of it waits for a steward."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, joinedload

from pocdir.db import Line, db, table_of
from pocdir.directory.checks.models import Check
from pocdir.directory.models import Address, Channel, Team
from pocdir.directory.queries import entries, in_force
from pocdir.directory.queries.answering import national
from pocdir.directory.queries.reading import entries_of, whole, whole_of
from pocdir.directory.rules import checks as rules
from pocdir.directory.rules import steward
from pocdir.directory.rules.record import DEAD_STATES
from pocdir.directory.rules.steward import Waiting
from pocdir.mail import queries as letters

MOST_WORDS = 200  # on the desk
WORDS_STAY = steward.KINDS["reply"].after or rules.YEAR

_T, _A, _C, _K = (table_of(model).c for model in (Team, Address, Channel, Check))


@dataclass(frozen=True, slots=True)
class Standing:
    """What a team has said last, and what it was asked last."""

    id: int
    slug: str
    zone: str | None
    opted_out: bool
    first_seen: dt.datetime
    confirmed_at: dt.datetime | None
    answered_at: dt.datetime | None  # a test
    asked_at: dt.datetime | None  # the last confirmation that was asked for and came to a word or to none
    pinged_at: dt.datetime | None
    unsent_at: dt.datetime | None  # when a letter last did not leave
    is_asked: bool  # something is under way

    @property
    def heard_at(self) -> dt.datetime | None:
        """When a person of the team last spoke to us about its entry."""
        return max((at for at in (self.confirmed_at, self.answered_at) if at), default=None)


def standings(team_id: int | None = None) -> list[Standing]:
    """Every team that is not retired (or this one), with what was said and asked of each entry that is read as it."""
    connection = db.session().connection()
    counted = [rules.CONFIRMED, rules.ANSWERED, rules.UNANSWERED]
    team = whole(_T)
    last = (
        select(
            team,
            func.max(_K.closed_at).filter(_K.result == rules.ANSWERED).label("answered_at"),
            func.max(_K.queued_at)
            .filter(_K.kind == rules.CONFIRMATION, _K.result.in_(counted))
            .label("asked_at"),
            func.max(_K.queued_at).filter(_K.kind == rules.PING).label("pinged_at"),
            func.max(_K.closed_at).filter(_K.result == rules.UNSENT).label("unsent_at"),
            func.count().filter(_K.closed_at.is_(None)).label("open"),
        )
        .join(table_of(Team), _K.team_id == _T.id)
        .group_by(team)
    )
    heard = select(team, func.max(_T.confirmed_at)).group_by(team)
    teams = select(_T.id, _T.slug, _T.timezone, _T.created_at, _T.profile).where(_T.retired_at.is_(None))
    if team_id is not None:
        ours = _T.id.in_(entries_of(team_id))
        last, heard, teams = last.where(ours), heard.where(ours), teams.where(_T.id == team_id)
    known = {row.team_id: row for row in connection.execute(last)}
    confirmed: dict[int, dt.datetime | None] = {row[0]: row[1] for row in connection.execute(heard)}
    rows = connection.execute(teams.order_by(_T.id))
    return [_standing(row, confirmed[row.id], known.get(row.id)) for row in rows]


def _standing(team: Line, confirmed_at: dt.datetime | None, asked: Line | None) -> Standing:
    return Standing(
        id=team.id,
        slug=team.slug,
        zone=team.timezone,
        opted_out=rules.declines_tests(team.profile.get("opt_outs", ())),
        first_seen=team.created_at,
        confirmed_at=confirmed_at,
        answered_at=asked.answered_at if asked else None,
        asked_at=asked.asked_at if asked else None,
        pinged_at=asked.pinged_at if asked else None,
        unsent_at=asked.unsent_at if asked else None,
        is_asked=bool(asked and asked.open),
    )


def to_ask(teams: Iterable[Standing], now: dt.datetime, confirm_after: dt.timedelta) -> list[str]:
    """The slugs of the teams whose confirmation is due and whose moment to be asked has come."""
    return [team.slug for team in teams if not team.is_asked and asked_at(team, confirm_after) <= now]


def asked_at(team: Standing, confirm_after: dt.timedelta) -> dt.datetime:
    """When a team is asked to confirm its entry next, if nobody speaks before."""
    last = max(at for at in (team.heard_at, team.asked_at, team.first_seen) if at)
    due, first = rules.due_at(last, confirm_after), team.heard_at is None and team.asked_at is None
    moment = rules.ask_at(team.slug, due, first=first, zone=team.zone)
    again = team.unsent_at + rules.UNSENT_AGAIN if team.unsent_at else moment
    return max(moment, again)


def next_letter(team_id: int, confirm_after: dt.timedelta) -> dt.datetime | None:
    """When this team is asked to confirm its entry next; None while something is under way."""
    found = standings(team_id)
    return asked_at(found[0], confirm_after) if found and not found[0].is_asked else None


def to_ping(teams: Iterable[Standing], now: dt.datetime, a_year: int) -> list[str]:
    """The slugs of the teams whose reachability is to be tested now."""
    found = []
    for team in teams:
        if team.is_asked or team.opted_out or (team.pinged_at and now - team.pinged_at < rules.PING_APART):
            continue
        if rules.is_ping_time(team.slug, now, a_year=a_year, zone=team.zone, answered_at=team.heard_at):
            found.append(team.slug)
    return found


def grown_old(now: dt.datetime, confirm_after: dt.timedelta) -> list[Line]:
    """Verified addresses none of whose teams has spoken within that time: kind, value and since when."""
    cutoff = now - confirm_after
    rows = db.session().connection().execute(
        select(_A.id, _A.kind, _A.value, _A.state_since, whole_of(_C.team_id).label("team_id"))
        .join(table_of(Channel), _C.address_id == _A.id)
        .where(_A.state == "verified", or_(_A.state_since.is_(None), _A.state_since <= cutoff))
        .order_by(_A.id)
    )  # fmt: skip
    by_address: dict[int, list[Line]] = {}
    for row in rows:
        by_address.setdefault(row.id, []).append(row)
    if not by_address:
        return []
    fresh = {team.id for team in standings() if (team.heard_at or team.first_seen) > cutoff}
    return [users[0] for users in by_address.values() if not any(it.team_id in fresh for it in users)]


def _whole() -> Select[Check]:
    """With their teams and addresses. No constant: SQLAlchemy would set up all tables for it while loading."""
    return select(Check).options(joinedload(Check.team), joinedload(Check.address))


def under_way(session: Session | None = None, *, team_id: int | None = None) -> Sequence[Check]:
    """Checks that are not closed, oldest first."""
    statement = _whole().where(Check.closed_at.is_(None)).order_by(Check.id)
    if team_id is not None:
        statement = statement.where(Check.team_id.in_(entries_of(team_id)))
    return (session or db.session()).scalars(statement).all()


def unsettled(session: Session | None = None) -> Sequence[Check]:
    """Checks that came to their end without an answer, and have not yet counted against the address."""
    statement = _whole().where(Check.result == rules.UNANSWERED, Check.settled_at.is_(None))
    return (session or db.session()).scalars(statement.order_by(Check.id)).all()


def in_use(teams: Collection[int]) -> set[tuple[int, str, str]]:
    """(team, kind, value) of every address in force in the entries of these teams, whatever its state."""
    found = in_force.channels_of(sorted(teams), entries.EVERYBODY) if teams else {}
    return {(team, it.kind, it.value) for team, channels in found.items() for it in channels}


def slugs_of(team_id: int) -> list[str]:
    """The names in links of a team and of the entries that are part of it."""
    chosen = select(_T.slug).where(_T.id.in_(entries_of(team_id)))
    return list(db.session().connection().execute(chosen).scalars())


def check_by_ref(ref: str, session: Session | None = None, *, lock: bool = False) -> Check | None:
    """One check, or None."""
    statement = select(Check).where(Check.ref == ref)
    return (session or db.session()).scalar(statement.with_for_update() if lock else statement)


def of_team(team_id: int, limit: int = 10) -> Sequence[Check]:
    """The last checks of a team, newest first: for the team itself and stewards."""
    ours = Check.team_id.in_(entries_of(team_id))
    statement = select(Check).where(ours).order_by(Check.id.desc()).limit(limit)
    return db.session().scalars(statement).all()


def waiting(now: dt.datetime) -> list[Waiting]:
    """What of addresses and confirmations needs a steward."""
    return [*_unreachable(), *_not_confirmed(), *_words(now)]


def _unreachable() -> Iterator[Waiting]:
    """National teams with a bouncing address; other teams only where no address is left to write to."""
    slugs = _slugs_with(["bouncing"])
    named = entries.entries([_T.slug.in_(slugs)]) if slugs else []
    answering = set(db.session().connection().execute(national()).scalars()) if named else set()
    for entry in named:
        team, bouncing = entry.team, [it for it in entry.channels if it.state == "bouncing"]
        alive = any(it.state not in DEAD_STATES for it in entry.channels)
        is_national = team.kind == "national" or team.id in answering
        if team.retired_at is not None or not bouncing or (not is_national and alive):
            continue
        yield steward.waiting(
            "bouncing_national" if is_national else "unreachable",
            slug=team.slug,
            since=min(_at(it.state_since) for it in bouncing),
            what=bouncing[0].value,
            where=f"/teams/{team.slug}",
        )


def _not_confirmed() -> Iterator[Waiting]:
    """National teams whose check came to its end without an answer, until that counts."""
    asked = (
        select(_T.slug, _A.value, _K.closed_at)
        .join(table_of(Team), _K.team_id == _T.id)
        .join(table_of(Address), _K.address_id == _A.id)
        .where(_K.result == rules.UNANSWERED, _K.settled_at.is_(None))
        .where(or_(_T.kind == "national", _T.id.in_(national())), _T.retired_at.is_(None))
    )
    for slug, value, closed in db.session().connection().execute(asked):
        ends = closed + rules.GRACE
        yield steward.waiting(
            "not_confirmed", slug=slug, since=closed, default_at=ends, what=value, where=f"/teams/{slug}"
        )


def _words(now: dt.datetime) -> Iterator[Waiting]:
    """What persons have written in answer to our letters, until a steward has read it."""
    for row, slug in letters.waiting_words(MOST_WORDS, since=now - WORDS_STAY):
        yield steward.waiting(
            "reply", slug=slug, since=row.received_at, what=row.sender, where=f"/inbox/{row.ref}"
        )


def _slugs_with(states: Collection[str]) -> list[str]:
    channel = and_(whole_of(_C.team_id) == _T.id, _C.withdrawn.is_(False), _C.address_id == _A.id)
    chosen = select(_T.slug).where(_T.retired_at.is_(None), exists().where(channel, _A.state.in_(states)))
    return list(db.session().connection().execute(chosen).scalars())


def _at(day: str | None) -> dt.datetime:
    return dt.datetime.fromisoformat(day or "1970-01-01").replace(tzinfo=dt.UTC)
