"""When steps fall due, as rules: waits, working hours, changes of clocks, holidays, pauses and embargoes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.outreach.escalation.rules.calendar import calendar
from pocdir.outreach.escalation.rules.policy import definition, digest, policy, slug_of, timetable
from tests.outreach import policies as made

ZONES = (
    "Europe/Vienna",
    "America/St_Johns",
    "Asia/Kolkata",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "nowhere",
    None,
)
COUNTRIES = ("AT", "AE", "IN", "WS", "JP", "XX", None)
MOMENTS = st.datetimes(dt.datetime(2023, 1, 1), dt.datetime(2031, 1, 1), timezones=st.just(dt.UTC))
STEPS = st.fixed_dictionaries(
    {
        "wait": st.sampled_from(("PT0S", "PT1H", "PT8H", "PT36H", "P2D", "P14D")),
        "clock": st.sampled_from(("elapsed", "working")),
        "repeat": st.integers(0, 2),
    }
)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@given(
    st.lists(STEPS, min_size=1, max_size=5),
    MOMENTS,
    st.sampled_from(ZONES),
    st.sampled_from(COUNTRIES),
    MOMENTS,
)
def test_a_timetable_never_goes_back_and_working_waits_end_in_working_hours(
    steps: list[dict[str, Any]], start: dt.datetime, zone: str, country: str, not_before: dt.datetime
) -> None:
    read, there = policy(made.policy(*steps)), calendar(zone, country)
    table = timetable(read, start, there)

    assert [each.level for each in table] == list(range(1, len(read.levels) + 1))
    times = [start, *(each.due_at for each in table)]
    assert times == sorted(times)
    for each in table:
        if each.step.wait.clock == "working":
            local = each.due_at.astimezone(there.zone)
            assert there.is_working(local.date())
            opens, closes = there.day(local.date())
            assert opens <= each.due_at <= closes
    assert timetable(read, start, there) == table
    held = timetable(read, start, there, not_before=not_before)
    assert all(each.due_at >= not_before for each in held)
    assert all(late.due_at >= each.due_at for late, each in zip(held, table, strict=True))


@given(MOMENTS, MOMENTS, st.sampled_from(ZONES), st.sampled_from(COUNTRIES), st.integers(0, 60))
def test_who_starts_later_is_not_done_earlier(
    one: dt.datetime, other: dt.datetime, zone: str, country: str, hours: int
) -> None:
    there, length = calendar(zone, country), dt.timedelta(hours=hours)
    first, second = sorted((one, other))
    assert there.after(first, length) <= there.after(second, length)
    end = there.after(first, length)
    assert there.after(end, dt.timedelta(0)) == end


@pytest.mark.parametrize(
    ("zone", "country", "start", "hours", "end"),
    [
        # Vienna: the night of 2026-03-29 has an hour less, that of 2026-10-25 an hour more; a day's work has eight.
        ("Europe/Vienna", "AT", "2026-03-27T15:00", 9, "2026-03-30T15:00"),
        ("Europe/Vienna", "AT", "2026-10-23T14:00", 9, "2026-10-27T16:00"),  # the 26th is a holiday
        # The leap day of 2028 is a Tuesday like others.
        ("UTC", None, "2028-02-28T17:00", 8, "2028-02-29T17:00"),
        # Christmas, the day after, and the weekend.
        ("Europe/Vienna", "AT", "2026-12-24T15:00", 2, "2026-12-28T09:00"),
        # Where the weekend is Saturday and Sunday since 2022, and Friday a working day.
        ("Asia/Dubai", "AE", "2026-11-20T05:00", 8, "2026-11-20T13:00"),
        ("Asia/Kathmandu", "NP", "2026-11-23T03:15", 1, "2026-11-23T04:15"),
    ],
)
def test_working_hours_are_those_of_the_place(
    zone: str, country: str, start: str, hours: int, end: str
) -> None:
    assert calendar(zone, country).after(utc(start), dt.timedelta(hours=hours)) == utc(end)


def test_elapsed_time_knows_no_change_of_clocks() -> None:
    read = policy(made.policy({"wait": "P1D"}, {"wait": "PT0S"}))
    table = timetable(read, utc("2026-03-28T22:30"), calendar("Europe/Vienna", "AT"))
    assert [each.due_at for each in table] == [utc("2026-03-29T22:30")] * 2


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"steps": []}, "steps"),
        ({"steps": [made.STEP] * 13}, "steps"),
        ({"steps": [made.STEP | {"wait": "P1M"}]}, "steps.0.wait"),
        ({"steps": [made.STEP | {"wait": "-PT1H"}]}, "steps.0.wait"),
        ({"steps": [made.STEP, made.STEP | {"wait": "P400D"}]}, "steps.1.wait"),
        ({"steps": [made.STEP | {"target": "press"}]}, "steps.0.target"),
        ({"steps": [made.STEP | {"repeat": 6}]}, "steps.0.repeat"),
        ({"hours": ["17:00", "09:00"]}, "hours"),
        ({"hours": ["9 am", "17:00"]}, "hours"),
        ({"rest": "soon"}, "rest"),
    ],
)
def test_a_policy_that_cannot_be_walked_is_refused_with_its_place(change: dict[str, Any], where: str) -> None:
    with pytest.raises(Invalid) as refused:
        policy(made.POLICY | change)
    assert (refused.value.code, refused.value.where) == ("policy_invalid", where)


def test_the_same_words_have_the_same_digest_and_others_another() -> None:
    words = definition(made.policy({"wait": "P1D"}))
    assert digest(words) == digest(definition(made.policy({"wait": "P1D"})))
    assert digest(words) != digest(definition(made.policy({"wait": "P3D"})))
    assert slug_of("Über alles – 1. Plan") == "uber-alles-1-plan"
