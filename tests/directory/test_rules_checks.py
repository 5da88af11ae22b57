"""When a team is asked about its own entry: few letters, spread, and each with its end."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.directory.rules import checks
from pocdir.directory.rules.record import Channel

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)  # a Sunday
DAY = dt.timedelta(days=1)
ZONES = st.sampled_from(["Europe/Vienna", "Asia/Tehran", "Pacific/Auckland", "America/Lima", None])
SLUGS = st.text("abcdefghij-", min_size=1, max_size=20)
MOMENTS = st.datetimes(dt.datetime(2025, 1, 1), dt.datetime(2031, 1, 1), timezones=st.just(dt.UTC))


def channel(value: str, *, state: str = "verified", purpose: str = "incident", **more) -> Channel:
    return Channel("email", value, purpose, more.pop("preference", 1), state=state, **more)


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from(checks.LETTERS)), max_size=200))
def test_no_365_days_see_a_fifth_letter(days):
    now, written = NOW, []
    for pause, kind in days:
        now += pause * DAY
        if checks.may_write(kind, written, now):
            written.append(now)
    for at in written:
        assert sum(at <= other < at + checks.YEAR for other in written) <= checks.MOST_A_YEAR


def test_a_test_leaves_a_letter_for_the_confirmation():
    assert checks.may_write("ping", [NOW], NOW)
    assert not checks.may_write("ping", [NOW, NOW], NOW)
    assert checks.may_write("confirmation", [NOW, NOW, NOW], NOW)
    assert not checks.may_write("confirmation", [NOW] * 4, NOW)
    assert checks.may_write("confirmation", [NOW] * 4, NOW + 365 * DAY)


@given(SLUGS, MOMENTS, st.integers(1, 26), ZONES)
def test_a_teams_moment_is_a_working_day_and_hour_of_its_own_zone(slug, start, weeks, zone):
    moment = checks.slot(slug, start, weeks=weeks, zone=zone)
    there = moment.astimezone(ZoneInfo(zone or "UTC"))
    assert there.weekday() in checks.WORKING
    assert there.hour in checks.HOURS
    assert start - DAY < moment < start + (weeks + 1) * checks.WEEK
    assert moment == checks.slot(slug, start, weeks=weeks, zone=zone)


def test_moments_are_spread_over_weeks_days_and_hours():
    moments = [checks.slot(f"team-{n}", NOW, weeks=8, zone="UTC") for n in range(4000)]
    for part, many in (("week", 8), ("weekday", 4), ("hour", 7)):
        counted = Counter(
            (at - moments[0]).days // 7 if part == "week" else at.weekday() if part == "weekday" else at.hour
            for at in moments
        )
        assert len(counted) >= many
    busiest = Counter(at.date() for at in moments).most_common(1)[0][1]
    assert busiest < 4000 / 32 * 1.5


@pytest.mark.parametrize("a_year", [1, 2])
@settings(max_examples=10)
@given(slug=SLUGS, start=MOMENTS, zone=ZONES)
def test_nobody_is_tested_more_often_than_the_setting_says(a_year, slug, start, zone):
    tested = []
    for day in range(0, 800):
        now = start + day * DAY
        soon = tested and now - tested[-1] < checks.WEEK
        if not soon and checks.is_ping_time(slug, now, a_year=a_year, zone=zone, answered_at=None):
            tested.append(now)
    moments = {checks.ping_at(slug, at, a_year=a_year, zone=zone) for at in tested}
    assert len(moments) == len(tested)
    for at in moments:
        assert sum(at <= other < at + checks.YEAR for other in moments) <= a_year


def test_who_answered_of_late_is_not_tested():
    moment = checks.ping_at("cert-example", NOW, a_year=2, zone=None)
    asked = {"a_year": 2, "zone": None}
    assert checks.is_ping_time("cert-example", moment, **asked, answered_at=None)
    assert checks.is_ping_time("cert-example", moment, **asked, answered_at=moment - 61 * DAY)
    assert not checks.is_ping_time("cert-example", moment, **asked, answered_at=moment - 59 * DAY)
    assert not checks.is_ping_time("cert-example", moment + 7 * DAY, **asked, answered_at=None)


def test_three_working_days_are_three_wherever_the_weekend_lies():
    wednesday = dt.datetime(2026, 11, 25, 9, 0, tzinfo=dt.UTC)
    assert checks.working_days_after(wednesday, 3, "UTC") == dt.datetime(2026, 12, 1, 9, 0, tzinfo=dt.UTC)
    monday = dt.datetime(2026, 11, 23, 9, 0, tzinfo=dt.UTC)
    assert checks.working_days_after(monday, 3, "UTC") == dt.datetime(2026, 11, 26, 9, 0, tzinfo=dt.UTC)


@given(MOMENTS, ZONES, st.sampled_from(checks.KINDS))
def test_a_check_is_reminded_then_closed_then_counts(sent, zone, kind):
    course = checks.course(kind, sent, zone)
    assert sent < course.reminded_at < course.closed_at < course.unresponsive_at


def test_the_first_incident_address_in_use_is_asked():
    asked = checks.address_to_ask(
        [
            channel("general@cert.example", purpose="general"),
            channel("bounced@cert.example", state="bouncing"),
            channel("second@cert.example", preference=2),
            channel("first@cert.example", state="due"),
            Channel("phone", "+43 1 1", "incident", 1),
        ]
    )
    assert asked.value == "first@cert.example"


def test_who_did_not_answer_is_asked_last():
    quiet, other = (
        channel("a@cert.example", state="unresponsive"),
        channel("b@cert.example", purpose="sample"),
    )
    assert checks.address_to_ask([quiet, other]) == other
    assert checks.address_to_ask([quiet]) == quiet
    assert checks.address_to_ask([channel("a@cert.example", state="withdrawn")]) is None


def test_what_is_posted_within_a_minute_may_be_a_machines():
    assert checks.may_be_automatic(NOW + dt.timedelta(seconds=59), NOW)
    assert not checks.may_be_automatic(NOW + dt.timedelta(seconds=60), NOW)
    assert not checks.may_be_automatic(NOW, None)
