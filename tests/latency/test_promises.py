"""What a team kept of its own promise, as it stood when each notification was sent."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter

from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.directory.merging.actions import merge
from pocdir.directory.rules.office import Office
from pocdir.latency import rules
from pocdir.latency.promises import promised
from pocdir.latency.queries import cases, figures
from pocdir.latency.rules import NO_PROMISE, Promise
from tests.directory.made import team_json as team
from tests.latency.made import DAY, HOUR, Own, event, told
from tests.outreach import made

LONG = st.integers(1, 30 * rules.DAY)


@given(st.lists(st.tuples(st.integers(0, 60 * rules.DAY), st.booleans()), max_size=40), LONG)
@settings(max_examples=60, deadline=None)
def test_where_all_promised_the_same_it_is_the_share_answered_by_then(
    cohort: list[tuple[int, bool]], within: int
) -> None:
    seconds, answered = [each[0] for each in cohort], [each[1] for each in cohort]
    found = rules.within_promise(seconds, answered, [within] * len(cohort))
    if not cohort:
        assert found == NO_PROMISE
        return
    known = rules.answered_by(rules.survival_curve(seconds, answered), within)
    assert (found.n, found.share) == (len(cohort), known.share if known else None)
    assert found.band == pytest.approx((known.lo, known.hi) if known else (None, None))


def test_different_promises_are_counted_together_as_lifelines_counts_their_quotients() -> None:
    random = np.random.default_rng(20261123)
    seconds, answered = random.exponential(3 * rules.DAY, 500), random.random(500) < 0.7
    lengths = random.choice([rules.DAY / 2, rules.DAY, 3 * rules.DAY], 500)
    found = rules.within_promise(seconds, answered, lengths)
    fit = KaplanMeierFitter().fit(seconds / lengths, answered)
    assert found.share == pytest.approx(1 - float(fit.predict(1.0)), abs=1e-9)
    assert (found.n, found.shortest_seconds, found.longest_seconds) == (500, rules.DAY / 2, 3 * rules.DAY)


def test_the_promise_is_that_which_stood_when_it_was_sent(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 400 * DAY)
    for sent in (
        90,
        60,
        59,
        30,
        5,
    ):  # before any promise, twice within one, once within another, after it was taken back
        ref = told(lab, at=now - sent * DAY)
        if sent != 59:
            event(lab, ref, "ack.given", at=now - sent * DAY + 30 * HOUR)
    made.teams(now - 80 * DAY, promise={"acknowledgement": "P2D", "answer": "P1D"})
    made.teams(now - 40 * DAY, promise={"acknowledgement": "PT24H"})
    made.teams(now - 10 * DAY)
    db.session.rollback()
    found = cases(Own(lab.id), level="acknowledgement", now=now)
    lengths = promised(found, "acknowledgement")
    assert [lengths.get(each.ref) for each in found] == [None, 2 * rules.DAY, 2 * rules.DAY, rules.DAY, None]
    assert set(promised(found, "answer").values()) == {float(rules.DAY)}
    assert promised(found, "receipt") == promised(found, "remediation_observed") == {}
    (group,) = figures(found, "team", lengths)
    # Quotients 0.625, (29.5 days open), 1.25: of three one within its own time.
    assert group.promise == Promise(3, pytest.approx(1 / 3), group.promise.band, rules.DAY, 2 * rules.DAY)
    assert (group.n, group.within["P3D"]) == (5, pytest.approx(4 / 5))


def test_of_a_merged_entry_the_promise_of_the_whole_counts_from_then_on(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now - 400 * DAY)
    made.entered(team("whole", kind="provider", promise={"acknowledgement": "P3D"}), now - 300 * DAY)
    before = told(lab, at=now - 60 * DAY, team="isp")
    office = Office(b"secret", "https://pocdir.example", "pocdir.example")
    with transaction() as session:
        merge(
            session,
            slug="isp",
            into="whole",
            reason="a call",
            now=now - 50 * DAY,
            actor="operator",
            office=office,
        )
    after = told(lab, at=now - 40 * DAY, team="isp")
    db.session.rollback()
    found = cases(Own(lab.id), level="acknowledgement", now=now)
    assert {each.ref for each in found} == {before, after}
    assert promised(found, "acknowledgement") == {after: 3.0 * rules.DAY}
