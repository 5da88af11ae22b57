"""A simulated year of next steps: changes of clocks, a leap day, holidays, and a worker that is down for days."""

from __future__ import annotations

import datetime as dt
import random
from zoneinfo import ZoneInfo

import holidays
import pytest
import time_machine
from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.db import db
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach.queries.projections import differences
from tests.latency.made import DAY, HOUR, told
from tests.outreach import made
from tests.outreach.policies import chosen, work

START = dt.datetime(2027, 10, 20, tzinfo=dt.UTC)  # with 2028-02-29 in it
QUARTER = dt.timedelta(minutes=15)
PLACES = {
    "vienna": ("Europe/Vienna", "AT"),
    "york": ("America/New_York", "US"),
    "dubai": ("Asia/Dubai", "AE"),
}
STEPS = ({"wait": "PT10H", "clock": "working"}, {"wait": "P1D"}, {"wait": "PT20H", "clock": "working"})


def places(now: dt.datetime) -> None:
    records = [
        {
            "slug": slug, "name": slug, "kind": "provider", "country": country, "timezone": zone,
            "channels": [{"kind": "email", "value": f"{slug}{n}@x.example", "purpose": "incident", "preference": n}
                         for n in (1, 2)],
            "responsibilities": [],
        }
        for slug, (zone, country) in PLACES.items()
    ]  # fmt: skip
    made._import(records, "places", now)


def worked(start: dt.datetime, hours: int, zone: str, country: str) -> dt.datetime:
    """By the hand of a clock that is looked at four times an hour."""
    there, days, left, at = ZoneInfo(zone), holidays.country_holidays(country), hours * 4, start
    while left:
        local = at.astimezone(there)
        if 9 <= local.hour < 17 and days.is_working_day(local.date()):
            left -= 1
        at += QUARTER
    return at


def expected(sent: dt.datetime, team: str) -> list[tuple[str, dt.datetime]]:
    lapse = sent + 2 * DAY
    first = worked(lapse, 10, *PLACES[team])
    third = worked(first + DAY, 20, *PLACES[team])
    return [
        ("expectation.lapsed", lapse), ("escalation.step_due", first), ("escalation.step_due", first + DAY),
        ("escalation.step_due", third), ("escalation.exhausted", third + 2 * DAY),
    ]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2])
def test_each_lapse_and_each_step_of_a_year_is_recorded_once_and_dated_when_due(
    app: Flask, lab: Workspace, seed: int
) -> None:
    chance = random.Random(seed)
    places(START)
    chosen(lab, START, *({"target": "same_team"} | step for step in STEPS))
    sendings = sorted(
        (START + chance.randrange(360 * 96) * QUARTER, chance.choice(list(PLACES))) for _ in range(40)
    )
    logged: dict[str, tuple[dt.datetime, str]] = {}
    now, up_again = START, START
    while now < START + 420 * DAY:
        while sendings and sendings[0][0] <= now:
            at, team = sendings.pop(0)
            logged[told(lab, at=at, team=team, recorded=now)] = (at, team)
        if chance.random() < 0.02:  # down for up to three weeks
            up_again = now + chance.randrange(21 * 24) * HOUR
        if now >= up_again:
            with time_machine.travel(now, tick=False):
                work(app, now)
        now += 7 * HOUR
    work(app, now)
    assert len(logged) == 40
    for ref, (sent, team) in logged.items():
        db.session.rollback()
        clock = [e for e in events_of_notification(ref) if e.claimed_by == "clock"]
        assert [(e.type, e.occurred_at) for e in clock] == expected(sent, team)
        assert all(e.recorded_at >= e.occurred_at for e in clock)
    assert list(differences()) == []
