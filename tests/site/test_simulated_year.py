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
from pocdir.directory.models import Address, Channel, Team
from pocdir.directory.rules import checks as rules
from pocdir.directory.rules.steward import KINDS
from pocdir.ledger import queries as ledger
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.rules.vocabulary import ADDRESS_STATES
from pocdir.site.queries.ledger import verified
from pocdir.site.queries.steward import desk
from tests.directory import made
from tests.site.simulated import World, letters_about_entries

DAY = dt.timedelta(days=1)
WARM = 240  # days before the year that is looked at: until then nobody has ever been asked


@pytest.fixture
def sqlite(sqlite_app: Flask) -> Iterator[Flask]:
    """One database is enough: no act of the service differs on the other, and other tests show that."""
    kept = sqlite_app.extensions["pocdir"]
    sqlite_app.extensions["pocdir"] = dataclasses.replace(kept, confirmations=True, pings=1)
    logging.disable(logging.WARNING)
    yield sqlite_app
    logging.disable(logging.NOTSET)
    sqlite_app.extensions["pocdir"] = kept


def lived(app: Flask, *, teams: int, days: int, seed: int) -> World:
    world = World(app, teams=teams, seed=seed, start=made.NOW - WARM * DAY)
    for number in range(days):
        world.day(number)
    return world


def test_a_small_directory_is_kept_true_for_a_year(app: Flask, request: pytest.FixtureRequest) -> None:
    if "postgresql" in request.node.name:
        pytest.skip("one database is enough for the world; each act of it is tested on both")
    kept = app.extensions["pocdir"]
    app.extensions["pocdir"] = dataclasses.replace(kept, confirmations=True, pings=2)
    try:
        world = lived(app, teams=16, days=WARM + 160, seed=3)
        everything_holds(world)
    finally:
        app.extensions["pocdir"] = kept


@pytest.mark.long
def test_a_year_with_600_teams_needs_a_steward_half_of_the_time(app: Flask) -> None:
    ...
