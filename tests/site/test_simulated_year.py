"""A year of a directory that is kept true by half a steward: few acts, few letters, nothing lost."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import statistics
from collections import Counter
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import select

from pocdir.db import db
from pocdir.directory.checks.models import Check
from pocdir.directory.checks.queries import standings
from pocdir.directory.models import Address, Channel
from pocdir.directory.rules import checks as rules
from pocdir.ledger import queries as ledger
from pocdir.site.queries.ledger import verified
from pocdir.site.queries.steward import desk
from tests.conftest import empty_sqlite
from tests.directory import made
from tests.site.simulated import DAY, World, letters_about_entries

WARM = 240  # days before the year that is looked at: at first nobody has ever been asked
TESTS = 1  # of reachability, a year
ROUND = DAY  # how late the daily round may see what fell due


@pytest.fixture
def app_(sqlite_app: Flask) -> Iterator[Flask]:
    """One database is enough for a whole world: each act in it is tested on both."""
    kept = sqlite_app.extensions["pocdir"]
    logging.disable(logging.WARNING)
    with sqlite_app.app_context():
        empty_sqlite(sqlite_app)
        switch(sqlite_app, confirmations=True, pings=TESTS)
        yield sqlite_app
        db.session.remove()
    sqlite_app.extensions["pocdir"] = kept
    logging.disable(logging.NOTSET)


def switch(app: Flask, **settings: object) -> None:
    app.extensions["pocdir"] = dataclasses.replace(app.extensions["pocdir"], **settings)  # type: ignore[arg-type]


def lived(app: Flask, *, teams: int, days: int, seed: int) -> World:
    world = World(app, teams=teams, seed=seed, start=made.NOW - WARM * DAY)
    for number in range(days):
        world.day(number)
    return world


def test_a_small_directory_is_kept_true(app_: Flask) -> None:
    switch(app_, confirm_after=45 * 86_400.0)  # so that a few months hold all that a year does
    world = lived(app_, teams=24, days=160, seed=11)
    everything_holds(world)
    assert world.acted.total() > 0
    results = Counter(db.session.scalars(select(Check.result)))
    assert min(results[it] for it in (rules.CONFIRMED, rules.UNANSWERED)) > 0


@pytest.mark.long
def test_600_teams_need_at_most_eight_acts_in_the_median_week(app_: Flask) -> None:
    world = lived(app_, teams=600, days=WARM + 365, seed=7)
    everything_holds(world)
    year = world.weeks[WARM // 7 :]
    assert len(year) >= 51
    assert statistics.median(year) <= 8, (sorted(year), world.acted)


def everything_holds(world: World) -> None:
    few_letters(world)
    every_check_comes_to_its_end(world)
    every_state_has_its_event()
    what_is_verified_was_confirmed(world)
    the_desk_is_what_needs_a_person(world)
    nothing_is_lost(world)


def few_letters(world: World) -> None:
    written = letters_about_entries()
    assert set(written) <= set(world.desks)
    for slug, days in written.items():
        for at in days:
            assert sum(at <= other < at + rules.YEAR for other in days) <= rules.MOST_A_YEAR, slug
    tests: dict[int, list[dt.datetime]] = {}
    chosen = select(Check.team_id, Check.queued_at).where(Check.kind == rules.PING)
    for team, at in db.session.execute(chosen.order_by(Check.queued_at)):
        tests.setdefault(team, []).append(at)
    for days in tests.values():
        assert all(sum(at <= other < at + rules.YEAR for other in days) <= TESTS for at in days)


def every_check_comes_to_its_end(world: World) -> None:
    for check in db.session.scalars(select(Check)):
        if check.sent_at is None:
            assert check.closed_at or world.now - check.queued_at <= rules.UNSENT_BY + ROUND
            continue
        course = rules.course(check.kind, check.sent_at, check.team.timezone)
        if check.closed_at is None:
            assert world.now <= course.closed_at + ROUND
        elif check.result == rules.UNANSWERED:
            assert course.closed_at <= check.closed_at <= course.closed_at + ROUND
            late = world.now > course.unresponsive_at + ROUND
            assert check.settled_at is not None or not late
        if check.reminded_at is not None:
            assert course.reminded_at <= check.reminded_at <= course.closed_at + ROUND


def every_state_has_its_event() -> None:
    """An address stands as the last event that speaks of it says; what no event speaks of was never touched."""
    last: dict[str, str] = {}
    for row in ledger.stored():
        if row.type.startswith("contact.") and "state" in row.payload:
            value = ledger.values_of([row.id])[row.id]["value"][1]
            last[value] = row.payload["state"]
    for address in db.session.scalars(select(Address)):
        assert address.state == last.get(address.value, "unverified"), address.value


def what_is_verified_was_confirmed(world: World) -> None:
    heard = {team.id: team.heard_at for team in standings()}
    users: dict[int, list[int]] = {}
    for address_id, team_id in db.session.execute(select(Channel.address_id, Channel.team_id)):
        users.setdefault(address_id, []).append(team_id)
    after = dt.timedelta(seconds=world.app.extensions["pocdir"].confirm_after)
    since = world.now - after - ROUND
    asked = set(db.session.scalars(select(Check.address_id).where(Check.settled_at.is_(None))))
    for address in db.session.scalars(select(Address).where(Address.state.in_(("verified", "in-check")))):
        if address.state == "in-check":
            assert address.id in asked, address.value
        elif users.get(address.id):
            spoken = [heard.get(team) for team in users[address.id]]
            fresh = [at for at in (*spoken, address.state_since) if at is not None and at >= since]
            assert fresh, address.value


def the_desk_is_what_needs_a_person(world: World) -> None:
    items = desk(world.now)
    assert all(it.default_at is None or it.default_at > world.now for it in items)
    assert [it.harm for it in items] == sorted((it.harm for it in items), reverse=True)
    kinds = {slug: it.kind for slug, it in world.desks.items()}
    for it in items:
        if it.kind in ("bouncing_national", "not_confirmed"):
            assert kinds[it.slug or ""] == "national"


def nothing_is_lost(world: World) -> None:
    assert verified().faults == ()
    known = {team.slug for team in standings()}
    assert {slug for slug, it in world.desks.items() if it.lists} <= known
    world.work()
    events = ledger.event_count()
    assert world.work() == 0, "going round again finds nothing to do"
    assert ledger.event_count() == events
