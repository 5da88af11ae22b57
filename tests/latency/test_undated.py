"""Answers without a date, or with one that only its giver says: they count, and make no answer time."""

from __future__ import annotations

import datetime as dt

import pytest
from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.db import transaction
from pocdir.latency import queries
from pocdir.latency.queries import figures
from pocdir.latency.rules import became_by, verdict_matrix
from pocdir.outreach.actions.notifications import record_event
from pocdir.outreach.queries.notifications import own_notification_to_change
from tests.latency.made import DAY, Own, days, event, figure, told
from tests.outreach import made


@pytest.fixture(autouse=True)
def _teams(app: Flask, now: dt.datetime) -> None:
    made.teams(now - 400 * DAY)


@pytest.fixture
def start(now: dt.datetime) -> dt.datetime:
    return now - 100 * DAY


def bare_yes(lab: Workspace, ref: str, *, at: dt.datetime, type_: str = "ack.given") -> None:
    """Answered (or bounced) by then, and nobody knows when."""
    with transaction() as session:
        record_event(
            session, own_notification_to_change(ref, Own(lab.id), session), type=type_, payload={}, occurred_at=at,
            now=at, precision="bounded", actor="user:a", claimed_by="sender", assurance="S",
        )  # fmt: skip


def test_an_answer_without_a_date_is_an_answer_and_no_time(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    bare_yes(lab, told(lab, at=start), at=now)
    event(lab, told(lab, at=start), "ack.given", at=start + DAY)
    told(lab, at=start)
    found = figure(lab, now)
    assert [(each.end, each.seconds / 86_400) for each in found] == [
        ("undated", 0), ("answered", 1), (None, 100),
    ]  # fmt: skip
    (all_,) = figures(found, None)
    assert (all_.n, all_.events, all_.undated, all_.censored) == (3, 2, 1, 1)
    assert all_.median_seconds == 86_400
    assert all_.within["P30D"] == 0.5
    assert sum(verdict_matrix(each.verdict for each in found)["answered"].values()) == 2
    became = became_by(queries.incidence(found), [30 * 86_400])[0]
    assert (became.answered, became.still_open) == pytest.approx((0.5, 0.5))


def test_a_team_cannot_back_date_its_own_answer(lab: Workspace, now: dt.datetime, start: dt.datetime) -> None:
    second = dt.timedelta(seconds=1)
    for _ in range(3):
        event(lab, told(lab, at=start), "ack.given", at=start + 9 * DAY)
    honest = figures(figure(lab, now), None)[0]
    ref = told(lab, at=start)
    event(lab, ref, "ack.given", at=start + second, recorded=now, by=("recipient", "A5"))
    found = figure(lab, now)
    assert [(each.end, each.seconds) for each in found[3:]] == [("undated", 0)]
    (all_,) = figures(found, None)
    assert (all_.n, all_.events, all_.undated) == (4, 4, 1)
    assert (all_.median_seconds, all_.quartiles) == (honest.median_seconds, honest.quartiles)
    assert (all_.band, all_.within) == (honest.band, honest.within)
    assert sum(verdict_matrix(each.verdict for each in found)["answered"].values()) == 4


def test_nor_the_word_that_it_is_not_for_them(lab: Workspace, now: dt.datetime, start: dt.datetime) -> None:
    ref = told(lab, at=start)
    event(lab, ref, "response.misdirected", at=start + DAY, recorded=now, by=("recipient", "A5"))
    assert [(each.end, each.seconds) for each in figure(lab, now, "remediation_claimed")] == [
        ("misdirected", 0)
    ]


def test_what_the_sender_says_of_a_past_time_is_a_time(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    event(lab, told(lab, at=start), "ack.given", at=start + DAY, recorded=now)
    assert days(figure(lab, now)) == [(1, True)]


def test_answers_without_dates_alone_make_no_median(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    for _ in range(2):
        bare_yes(lab, told(lab, at=start), at=now)
    (all_,) = figures(figure(lab, now), None)
    assert (all_.n, all_.events, all_.undated, all_.censored) == (2, 2, 2, 0)
    assert all_.median_seconds is None
    assert set(all_.within.values()) == {None}


def test_a_date_that_is_found_later_makes_it_a_time(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    ref = told(lab, at=start)
    bare_yes(lab, ref, at=now)
    event(lab, ref, "ack.given", at=start + 2 * DAY, recorded=now)
    assert days(figure(lab, now)) == [(2, True)]


def test_a_bounce_without_a_date_counts_from_the_start(
    lab: Workspace, now: dt.datetime, start: dt.datetime
) -> None:
    bare_yes(lab, told(lab, at=start), at=now, type_="delivery.failed")
    (found,) = figure(lab, now)
    assert (found.end, found.seconds) == ("undeliverable", 0)
