"""Three dates of a team, never one: confirmed by it, reachable, last outcome; read from the ledger."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, text

from pocdir.db import Line, Rows, db
from pocdir.directory.models import PAST
from pocdir.directory.queries import parts
from pocdir.directory.queries.reading import NOW, Reading, whole
from pocdir.ledger.models import ANSWERS, LedgerEvent

ANSWERED = ("reply.human", "ack.given", "outcome.remediation_claimed")  # and every response.*
OUTCOMES = ("outcome.remediation_claimed", "outcome.remediation_observed")
BATCH = 500
_E = LedgerEvent.__table__.c
# Literal, so that both databases see that the partial index holds all of it.
_IN_INDEX = text(re.sub(r"\b(?=notification |claimed_by |type )", "events.", f"({ANSWERS})"))


class Viewer(Protocol):
    """Who asks: a steward reads what anybody recorded of a team, a team what was recorded of itself."""

    @property
    def site_roles(self) -> Collection[str]: ...
    @property
    def team_id(self) -> int | None: ...


def of_teams(
    teams: Sequence[Line], viewer: Viewer, *, reading: Reading = NOW
) -> dict[str, dict[str, dt.datetime | None]]:
    """The three dates of each team by slug (`confirmed`, `reachable`, `outcome`), None where none is known or shown.

    Everybody reads what the directory's own letters brought: confirmations, tests that were delivered or answered,
    addresses in the state *verified*. Answers to notifications, and outcomes, would tell that somebody wrote to
    the team: the team itself and stewards read them, and a sender's word that it was answered counts for nothing.
    """
    found: dict[str, dict[str, dt.datetime | None]] = {
        team.slug: {"confirmed": team.confirmed_at, "reachable": None, "outcome": None} for team in teams
    }
    all_of_them = "steward" in viewer.site_roles
    teams_of = {slug: into for slug, (into, _) in parts.merged(reading).items() if into in found}
    teams_of |= {slug: slug for slug in found}
    seen = {team.slug for team in teams if all_of_them or team.id == viewer.team_id}
    inner = [slug for slug, into in teams_of.items() if into in seen]
    for slug, at in _latest(teams_of, _confirmations, reading.at):
        _later(found[teams_of[slug]], ("confirmed", "reachable"), at)
    for slug, at in _latest(teams_of, _tests, reading.at):
        _later(found[teams_of[slug]], ("reachable",), at)
    for slug, at in _latest(inner, _answers, reading.at):
        _later(found[teams_of[slug]], ("reachable",), at)
    for slug, at in _latest(inner, _outcomes, reading.at):
        _later(found[teams_of[slug]], ("outcome",), at)
    slugs = {team.id: team.slug for team in teams}
    for number, at in _verified(list(slugs), reading):
        _later(found[slugs[number]], ("reachable",), at)
    return found


def _later(dates: dict[str, dt.datetime | None], names: Iterable[str], at: dt.datetime) -> None:
    for name in names:
        known = dates[name]
        dates[name] = at if known is None else max(known, at)


def _latest(slugs: Collection[str], events: Any, at: dt.datetime | None) -> Iterable[tuple[str, dt.datetime]]:
    connection, named = db.session().connection(), sorted(slugs)
    for start in range(0, len(named), BATCH):
        statement = events(named[start : start + BATCH], at)
        yield from ((row[0], row[1]) for row in connection.execute(statement))


def _confirmations(slugs: Sequence[str], at: dt.datetime | None) -> Rows:
    last = select(_E.team, func.max(_E.occurred_at)).where(_E.team.in_(slugs), _E.type == "contact.confirmed")
    return last.where(_E.notification.is_(None), *_by(_E, at)).group_by(_E.team)


def _answers(slugs: Sequence[str], at: dt.datetime | None) -> Rows:
    answered = and_(_E.claimed_by == "recipient", _is_answer(_E))
    last = select(_E.team, func.max(_E.occurred_at)).where(_IN_INDEX, _E.team.in_(slugs), answered)
    return last.where(*_by(_E, at), _stands(_E)).group_by(_E.team)


def _outcomes(slugs: Sequence[str], at: dt.datetime | None) -> Rows:
    last = select(_E.team, func.max(_E.occurred_at)).where(_IN_INDEX, _E.team.in_(slugs))
    return last.where(_E.type.in_(OUTCOMES), *_by(_E, at), _stands(_E)).group_by(_E.team)


def _tests(slugs: Sequence[str], at: dt.datetime | None) -> Rows:
    """What came back of the tests that were sent: delivered, or answered."""
    back = LedgerEvent.__table__.alias("back").c
    came = or_(back.type == "delivery.delivered", and_(back.claimed_by == "recipient", _is_answer(back)))
    last = (
        select(_E.team, func.max(back.occurred_at))
        .where(_IN_INDEX, _E.type == "ping.sent", _E.team.in_(slugs))
        .where(back.notification == _E.notification, came)
        .where(*_by(back, at), _stands(back))
    )
    return last.group_by(_E.team)


def _is_answer(event: Any) -> ColumnElement[bool]:
    return or_(event.type.in_(ANSWERED), event.type.like("response.%"))


def _by(event: Any, at: dt.datetime | None) -> list[ColumnElement[bool]]:
    return [] if at is None else [event.recorded_at <= at]


def _stands(event: Any) -> ColumnElement[bool]:
    """Nobody has taken it back."""
    taken = LedgerEvent.__table__.alias("taken").c
    return ~exists().where(
        taken.notification == event.notification,
        taken.type == "event.corrected",
        taken.payload["event"].as_string() == event.id,
    )


def _verified(teams: Sequence[int], reading: Reading) -> Iterable[tuple[int, dt.datetime]]:
    """Since when an address is verified, and since when one was that is something else by now."""
    connection = db.session().connection()
    was = PAST["addresses"].c
    by = [] if reading.at is None else [was.recorded_at <= reading.at]
    for address, also in ((reading.tables.addresses.c, []), (was, by)):
        statement = _since(address, reading).where(*also)
        for start in range(0, len(teams), BATCH):
            chosen = statement.where(whole(reading.tables.teams.c).in_(teams[start : start + BATCH]))
            yield from ((row[0], row[1]) for row in connection.execute(chosen))


def _since(address: Any, reading: Reading) -> Rows:
    channel, team = reading.tables.channels.c, reading.tables.teams.c
    of = whole(team)
    return (
        select(of, func.max(address.state_since))
        .select_from(reading.tables.channels)
        .join(reading.tables.teams, channel.team_id == team.id)
        .join(address.id.table, channel.address_id == address.id)
        .where(address.state == "verified", address.state_since.is_not(None), channel.withdrawn.is_(False))
        .group_by(of)
    )
