"""Latency: an answer that never comes stays in the figure, and a figure that is not known is not given."""

from __future__ import annotations

import csv
import json
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.latency import rules

DAY = rules.DAY
EXACT = 1e-9

lived = st.tuples(st.integers(0, 12), st.booleans())
cohorts = st.lists(lived, min_size=1, max_size=60)
ended = st.tuples(st.integers(0, 12), st.sampled_from(["answered", "bounced", "misdirected", None]))


@pytest.fixture(autouse=True)
def _no_division_by_nothing():
    """The rules themselves divide by zero nowhere (lifelines switches numpy's warnings off for all)."""
    with np.errstate(all="raise"):
        yield


def curve_of(cohort):
    durations, observed = zip(*cohort, strict=True) if cohort else ((), ())
    return rules.survival_curve(durations, observed)


def figures(durations, observed):
    return rules.as_json(rules.group("all", "All", rules.survival_curve(durations, observed)))


def lifelines_fit(durations, observed):
    from lifelines import KaplanMeierFitter

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KaplanMeierFitter().fit(np.asarray(durations, float), np.asarray(observed, bool))


def banded(fit):
    """The band where it is defined; lifelines closes it to the estimate at 0 and 1, and we give none there."""
    share = fit.survival_function_.iloc[:, 0]
    return fit.confidence_interval_[(share > EXACT) & (share < 1)].reindex(share.index)


def lifelines_time(column, share):
    """First time at or below the share; 12 digits, since lifelines' 0.5 may be 0.5000000000000001."""
    below = column.index[column.round(12) <= share]
    return float(below[0]) if len(below) else None


def test_median_quartiles_and_shares_of_five_answers():
    shape = figures([1 * DAY, 2 * DAY, 3 * DAY, 4 * DAY, 5 * DAY], [True] * 5)
    assert shape == {
        "key": "all",
        "label": "All",
        "n": 5,
        "events": 5,
        "censored": 0,
        "undated": 0,
        "ended_otherwise": {"undeliverable": 0, "misdirected": 0},
        "median_seconds": 3 * DAY,
        "band": [1 * DAY, None],
        "quartiles": [2 * DAY, 4 * DAY],
        "within": {"P1D": 0.2, "P3D": 0.6, "P7D": 1.0, "P30D": 1.0},
        "promise": {
            "n": 0,
            "share": None,
            "band": [None, None],
            "shortest_seconds": None,
            "longest_seconds": None,
        },
        "states": [],
        "suppressed": False,
    }
    assert json.loads(json.dumps(shape)) == shape


def test_who_never_answers_stays_in_the_figure():
    answered = figures([DAY, 2 * DAY, 3 * DAY], [True] * 3)
    with_three_still_open = figures([DAY, 2 * DAY, 3 * DAY] + [40 * DAY] * 3, [True] * 3 + [False] * 3)
    assert answered["median_seconds"] == 2 * DAY
    assert with_three_still_open["median_seconds"] == 3 * DAY
    assert with_three_still_open["within"]["P30D"] == 0.5
    assert with_three_still_open["censored"] == 3


def test_fewer_than_half_answered_is_not_reached_and_not_the_last_time_seen():
    shape = figures([DAY] * 10 + [40 * DAY] * 90, [True] * 10 + [False] * 90)
    assert shape["median_seconds"] is None
    assert shape["band"] == [None, None]
    assert shape["quartiles"] == [None, None]
    assert shape["within"] == {"P1D": 0.1, "P3D": 0.1, "P7D": 0.1, "P30D": 0.1}


def test_share_within_a_window_nobody_was_followed_for_is_unknown():
    shape = figures([DAY, 2 * DAY, 5 * DAY], [True, True, False])
    assert shape["within"]["P3D"] == pytest.approx(2 / 3, abs=EXACT)
    assert shape["within"]["P7D"] is None
    assert shape["within"]["P30D"] is None


def test_once_all_have_answered_every_later_window_is_known():
    assert figures([2 * DAY], [True])["within"] == {"P1D": 0.0, "P3D": 1.0, "P7D": 1.0, "P30D": 1.0}


def test_answer_exactly_at_the_end_of_the_window_is_within_it():
    assert figures([DAY, DAY + 1], [True, True])["within"]["P1D"] == 0.5


def test_share_answered_carries_the_band_of_the_curve():
    curve = rules.survival_curve([1, 2, 3, 4], [True, True, True, False])
    known = rules.answered_by(curve, 2)
    assert known == pytest.approx((0.5, 1 - curve.hi[2], 1 - curve.lo[2]), abs=EXACT)
    assert 0 < known.lo < known.share < known.hi < 1


def test_without_notifications_nothing_is_known():
    curve = rules.survival_curve([], [])
    assert curve.points == ()
    shape = figures([], [])
    assert (shape["n"], shape["events"], shape["censored"]) == (0, 0, 0)
    assert shape["median_seconds"] is None
    assert shape["within"] == dict.fromkeys(rules.WINDOWS)


def test_one_answer_is_its_own_median():
    shape = figures([5.5], [True])
    assert (shape["median_seconds"], shape["quartiles"]) == (5.5, [5.5, 5.5])


def test_too_few_for_a_band_have_none():
    one = figures([9.8 * DAY], [True])
    assert (one["median_seconds"], one["band"]) == (9.8 * DAY, [None, None])
    curve = rules.survival_curve([9.8 * DAY], [True])
    assert [(p.s, p.lo, p.hi) for p in curve.points] == [(1, None, None), (0, None, None)]
    assert rules.answered_by(curve, 30 * DAY) == (1, None, None)
    assert [p[2:4] for p in rules.still_open_at(curve, [0, DAY, 9.8 * DAY])] == [(None, None)] * 3
    assert figures([1, 2], [True, False])["band"] == [None, None]
    assert figures([5] * 10, [True] * 10)["band"] == [None, None]
    assert figures([5] * 10 + [6], [True] * 10 + [False])["band"] == [None, None]


def test_one_open_notification_says_nothing_but_that_it_is_open():
    assert rules.survival_curve([9], [False]).points == ((0, 1, None, None, 1), (9, 1, None, None, 1))
    assert figures([9], [False])["median_seconds"] is None


def test_answer_after_no_time_at_all_counts():
    curve = rules.survival_curve([0, 0, 10, 10], [True, False, True, True])
    assert [(p.t, p.s, p.at_risk) for p in curve.points] == [(0, 0.75, 4), (10, 0, 2)]


def test_answer_and_end_of_following_at_one_time_count_the_answer_first():
    curve = rules.survival_curve([5, 5, 9], [True, False, False])
    assert curve.points[1].s == pytest.approx(2 / 3, abs=EXACT)


def test_half_by_rounding_is_half():
    """A product of fractions may come out as 0.5000000000000001; seven of fourteen are half all the same."""
    for n in range(2, 400, 2):
        assert figures(range(1, n + 1), [True] * n)["median_seconds"] == n / 2


@pytest.mark.parametrize("durations", [[-1.0], [math.nan], [math.inf]])
def test_duration_that_is_none_is_refused(durations):
    with pytest.raises(ValueError, match="durations"):
        rules.survival_curve(durations, [True])


def test_columns_of_unequal_length_are_refused():
    with pytest.raises(ValueError, match="length"):
        rules.survival_curve([1, 2], [True])
    with pytest.raises(ValueError, match="length"):
        rules.cumulative_incidence([1, 2], [None])


@given(cohorts)
def test_curve_falls_from_one_within_its_band(cohort):
    curve = curve_of(cohort)
    assert (np.diff(curve.s) <= 0).all()
    assert (np.diff(curve.at_risk) <= 0).all()
    known = (curve.s > 0) & (curve.s < 1)
    for edge in (curve.lo, curve.hi):
        assert (np.isnan(edge) == ~known).all()
    s, lo, hi = (column[known] for column in (curve.s, curve.lo, curve.hi))
    assert ((lo >= 0) & (lo <= s) & (s <= hi) & (hi <= 1) & (lo < hi)).all()
    assert curve.n == curve.events + curve.censored == curve.at_risk[0]


@given(cohorts)
def test_a_band_contains_its_estimate_and_has_a_width(cohort):
    curve = curve_of(cohort)
    bands = [(rules.time_answered(curve, 0.5), *rules.median_band(curve))]
    bands += [known for t in range(14) if (known := rules.answered_by(curve, t)) is not None]
    bands += [(p.s, p.lo, p.hi) for p in rules.still_open_at(curve, range(14))]
    for estimate, lo, hi in bands:
        assert lo is None or estimate is None or lo <= estimate
        assert hi is None or lo < hi
        assert hi is None or estimate is not None
        assert hi is None or estimate <= hi


@given(cohorts, st.randoms())
def test_order_of_the_notifications_does_not_matter(cohort, random):
    shuffled = random.sample(cohort, len(cohort))
    assert curve_of(cohort).points == curve_of(shuffled).points


@given(cohorts)
@settings(max_examples=100, deadline=None)
def test_curve_equals_lifelines(cohort):
    curve = curve_of(cohort)
    fit = lifelines_fit(*zip(*cohort, strict=True))
    assert curve.t.tolist() == fit.survival_function_.index.tolist()
    assert curve.s == pytest.approx(fit.survival_function_.iloc[:, 0].to_numpy(), abs=EXACT)
    lower, upper = (banded(fit).iloc[:, column] for column in (0, 1))
    assert curve.lo == pytest.approx(lower.to_numpy(), abs=EXACT, nan_ok=True)
    assert curve.hi == pytest.approx(upper.to_numpy(), abs=EXACT, nan_ok=True)
    assert curve.at_risk.tolist() == fit.event_table["at_risk"].tolist()
    for share in (0.25, 0.5, 0.75):
        expected = lifelines_time(fit.survival_function_.iloc[:, 0], 1 - share)
        assert rules.time_answered(curve, share) == expected
    lo, hi = lifelines_time(lower, 0.5), lifelines_time(upper, 0.5)
    too_few = curve.events < 2 or lo == hi
    assert rules.median_band(curve) == ((None, None) if too_few else (lo, hi))


def test_large_cohort_equals_lifelines():
    random = np.random.default_rng(20261122)
    durations, observed = random.exponential(3 * DAY, 10_000), random.random(10_000) < 0.6
    curve, fit = rules.survival_curve(durations, observed), lifelines_fit(durations, observed)
    assert curve.s == pytest.approx(fit.survival_function_.iloc[:, 0].to_numpy(), abs=EXACT)
    assert curve.hi == pytest.approx(banded(fit).iloc[:, 1].to_numpy(), abs=EXACT, nan_ok=True)
    assert rules.time_answered(curve, 0.5) == pytest.approx(fit.median_survival_time_, abs=EXACT)


COLUMNS = {
    "waltons": ("T", "E"),
    "lung": ("time", "status"),
    "rossi": ("week", "arrest"),
    "leukemia": ("t", "status"),
}


def test_classic_data_sets_give_their_published_medians(shared_data):
    folder = shared_data / "survival"
    oracle = json.loads((folder / "km_oracle.json").read_text())["km"]
    assert {case["dataset"] for case in oracle} == set(COLUMNS)
    for case in oracle:
        time, status = COLUMNS[case["dataset"]]
        column, _, value = case["group"].partition("=")
        with (folder / f"{case['dataset']}.csv").open(newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if not value or row[column] == value]
        shape = figures([float(row[time]) for row in rows], [float(row[status]) == 1 for row in rows])
        found = (shape["median_seconds"], *shape["band"], *shape["quartiles"])
        expected = (case[k] for k in ("median", "ci_low", "ci_high", "q25_surv75", "q75_surv25"))
        assert (shape["n"], shape["events"]) == (case["n"], case["events"])
        assert found == tuple(None if math.isinf(known) else known for known in expected), case["group"]


def test_bounced_reports_cannot_be_answered_any_more():
    incidence = rules.cumulative_incidence([1, 2, 3, 4], ["bounced", "answered", "bounced", "answered"])
    assert incidence.t.tolist() == [0, 1, 2, 3, 4]
    assert incidence.ended["answered"] == pytest.approx([0, 0, 0.25, 0.25, 0.5], abs=EXACT)
    assert incidence.ended["bounced"] == pytest.approx([0, 0.25, 0.25, 0.5, 0.5], abs=EXACT)


def test_answer_and_bounce_at_one_time_share_those_still_open_before():
    incidence = rules.cumulative_incidence([5, 5, 9, 9], ["answered", "bounced", None, None])
    assert incidence.ended["answered"].tolist() == incidence.ended["bounced"].tolist() == [0, 0.25, 0.25]


def test_what_became_of_all_adds_up_at_every_window():
    # Bounced at once and after 2 days, answered after 1 and 4, one open for 10.
    ends = ["undeliverable", "answered", "undeliverable", "answered", None]
    incidence = rules.cumulative_incidence([0, DAY, 2 * DAY, 4 * DAY, 10 * DAY], ends)
    found = rules.became_by(incidence, rules.WINDOWS.values())
    shares = [(each.answered, each.ended_otherwise["undeliverable"], each.still_open) for each in found]
    assert shares == [pytest.approx(row) for row in ((0.2, 0.2, 0.6), (0.2, 0.4, 0.4), (0.4, 0.4, 0.2))]
    assert found[0].ended_otherwise["misdirected"] == 0


def test_once_all_have_ended_every_later_window_is_known():
    ended = rules.became_by(rules.cumulative_incidence([5, 6], ["answered", "undeliverable"]), [DAY])
    assert [(each.answered, each.still_open) for each in ended] == [(0.5, 0)]
    assert rules.became_by(rules.cumulative_incidence([], []), [DAY]) == ()


def test_figures_tell_what_ended_otherwise_from_what_is_open():
    ends = ["answered", "undeliverable", "misdirected", None, None]
    curve = rules.survival_curve([1, 2, 3, 4, 5], [end == "answered" for end in ends])
    shape = rules.as_json(rules.group("all", "all", curve, ends))
    assert (shape["n"], shape["events"], shape["censored"]) == (5, 1, 2)
    assert shape["ended_otherwise"] == {"undeliverable": 1, "misdirected": 1}


def test_classic_data_with_one_kind_of_end_have_the_incidence_that_their_curve_leaves(shared_data):
    time, status = COLUMNS["leukemia"]
    with (shared_data / "survival" / "leukemia.csv").open(newline="") as lines:
        cohort = [(float(row[time]), float(row[status]) == 1) for row in csv.DictReader(lines)]
    incidence = rules.cumulative_incidence(
        [t for t, _ in cohort], ["answered" if e else None for _, e in cohort]
    )
    assert 1 - incidence.ended["answered"] == pytest.approx(curve_of(cohort).s, abs=EXACT)


def test_without_ends_there_is_no_incidence():
    assert rules.cumulative_incidence([], []).ended == {}
    assert rules.cumulative_incidence([3], [None]).still_open.tolist() == [1, 1]


@given(st.lists(ended, min_size=1, max_size=60))
def test_every_notification_is_open_or_ended_in_one_way(cohort):
    incidence = rules.cumulative_incidence(*zip(*cohort, strict=True))
    total = sum(incidence.ended.values()) + incidence.still_open
    assert total == pytest.approx(np.ones_like(incidence.t), abs=EXACT)


@given(cohorts)
def test_with_one_kind_of_end_incidence_is_what_the_curve_leaves(cohort):
    incidence = rules.cumulative_incidence(
        [t for t, _ in cohort], ["answered" if e else None for _, e in cohort]
    )
    assert incidence.still_open == pytest.approx(curve_of(cohort).s, abs=EXACT)


def test_incidence_equals_lifelines_where_no_two_ends_share_a_time():
    from lifelines import AalenJohansenFitter

    random = np.random.default_rng(7)
    for n in (1, 2, 17, 300):
        durations, code = random.permutation(np.arange(1.0, n + 1)), random.integers(0, 4, n)
        names = [None, "answered", "bounced", "misdirected"]
        incidence = rules.cumulative_incidence(durations, [names[c] for c in code])
        for kind in set(code.tolist()) - {0}:
            with np.errstate(all="ignore"):
                fitter = AalenJohansenFitter(calculate_variance=False)
                expected = fitter.fit(durations, code, event_of_interest=kind).cumulative_density_
            assert incidence.t.tolist() == expected.index.tolist()
            assert incidence.ended[names[kind]] == pytest.approx(expected.iloc[:, 0].to_numpy(), abs=EXACT)


def test_no_answer_yet_no_longer_seen_is_a_cell_of_its_own():
    verdicts = [("no_answer", "observed"), ("answered", "claimed"), ("no_answer", "observed")]
    matrix = rules.verdict_matrix(verdicts)
    assert matrix["no_answer"] == {"observed": 2, "claimed": 0, "none": 0, "unknown": 0}
    assert sum(sum(row.values()) for row in matrix.values()) == 3


def test_empty_verdict_matrix_has_every_cell():
    matrix = rules.verdict_matrix([])
    assert list(matrix) == ["answered", "ticket_only", "no_answer", "undeliverable"]
    assert all(list(row) == ["observed", "claimed", "none", "unknown"] for row in matrix.values())


@pytest.mark.parametrize("verdict", [("silent", "none"), ("answered", "clean")])
def test_verdict_outside_the_vocabulary_is_refused(verdict):
    with pytest.raises(ValueError, match="verdict"):
        rules.verdict_matrix([verdict])
