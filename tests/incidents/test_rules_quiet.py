"""Quiet means: not seen for so long while somebody measured who would have seen it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.incidents.rules.quiet import (
    LONG_AGO,
    NEVER,
    MeasuredTime,
    Silences,
    Stretches,
    Windows,
    silences,
    still_seen,
    turns,
)

ASSETS, QUIET_AFTER = 3, 5
SINKHOLE, SCAN = 0, 1


class W(NamedTuple):
    """A window, and who was seen in it when: {asset: [moment]}."""

    begin: int
    end: int
    method: int = SINKHOLE
    seen: tuple[tuple[int, int], ...] = ()  # asset, moment
    posted: int = 0


def of(*windows: W, added: tuple[int, ...] = (0,) * ASSETS) -> Silences:
    rows = np.array([(w.method, w.begin, w.end, w.posted) for w in windows], dtype=np.int64).reshape(-1, 4)
    seen = [(asset, w.method, at, at) for w in windows for asset, at in w.seen]
    columns = np.array(seen, dtype=np.int64).reshape(-1, 4)
    return silences(added, Windows(*rows.T), Stretches(*columns.T))


def states(*windows: W, added: tuple[int, ...] = (0,) * ASSETS) -> list[str]:
    return of(*windows, added=added).states(QUIET_AFTER).tolist()


def test_who_is_not_seen_while_it_is_measured_long_enough_is_quiet() -> None:
    assert states(W(0, 5, seen=((0, 4),))) == ["seen", "quiet", "quiet"]
    assert states(W(0, 4, seen=((0, 4),))) == ["seen", "unknown", "unknown"]
    assert states(W(0, 5, seen=((0, 4),)), W(5, 9)) == ["quiet", "quiet", "quiet"]


def test_nothing_is_known_where_nothing_was_measured() -> None:
    assert states() == ["unknown"] * ASSETS


def test_a_gap_between_windows_is_no_measured_time() -> None:
    assert states(W(0, 3, seen=((0, 0),)), W(1000, 1001)) == ["seen", "unknown", "unknown"]
    quiets = of(W(0, 3, seen=((0, 0),)), W(1000, 1004)).quiets(QUIET_AFTER)
    assert (quiets.at[0], quiets.since[0]) == (1002, 0)


def test_windows_that_overlap_count_once_also_of_two_sensors() -> None:
    assert states(W(0, 4), W(1, 4), W(0, 4, SCAN)) == ["unknown"] * ASSETS
    assert states(W(0, 4), W(1, 5)) == ["quiet"] * ASSETS


def test_a_sensor_that_never_saw_it_may_be_blind_to_it() -> None:
    blind = W(2, 100, SCAN, seen=((1, 98),))
    assert states(W(0, 2, SINKHOLE, seen=((0, 1),)), blind) == ["seen", "seen", "quiet"]
    assert states(W(0, 2, SINKHOLE, seen=((0, 1),)), W(2, 100, SCAN, seen=((0, 3),)))[0] == "quiet"


def test_seen_again_after_quiet_ends_it_and_what_comes_later_changes_nothing_before() -> None:
    first = (W(0, 10, seen=((0, 0),)), W(10, 20, seen=((0, 12),)))
    quiets = of(*first).quiets(QUIET_AFTER, of=np.array([0]))
    assert list(zip(quiets.since, quiets.at, quiets.until, strict=True)) == [(0, 5, 12), (12, 17, NEVER)]
    later = of(*first, W(30, 50, SCAN, seen=((0, 40),))).quiets(QUIET_AFTER, of=np.array([0]))
    assert list(later.at[:2]) == [5, 17]


def test_a_window_that_was_posted_before_an_asset_was_added_does_not_speak_of_it() -> None:
    assert states(W(0, 9, posted=1), added=(0, 1, 2)) == ["quiet", "quiet", "unknown"]
    assert states(W(0, 9, posted=1), W(9, 14, posted=3), added=(0, 1, 2)) == ["quiet"] * 3


def test_of_several_assets_the_last_one_decides_and_the_first_one_back_ends_it() -> None:
    kept = of(W(0, 20, seen=((0, 3), (1, 8), (1, 16))))
    assert list(turns(kept.quiets(QUIET_AFTER, of=np.array([0, 1])), 2)) == [
        (13, "observed", 8),
        (16, "relapsed", None),
    ]
    assert list(turns(kept.quiets(QUIET_AFTER, of=np.array([0])), 1)) == [(8, "observed", 3)]


def test_from_a_start_on_nothing_before_counts() -> None:
    kept = of(W(0, 20, seen=((0, 3), (0, 18))))
    assert list(turns(kept.quiets(QUIET_AFTER, of=np.array([0]), start=10), 1, 10)) == [
        (15, "observed", None),
        (18, "relapsed", None),
    ]
    assert list(turns(kept.quiets(QUIET_AFTER, of=np.array([0]), start=15), 1, 15)) == []


def test_the_curve_falls_with_the_last_sighting_and_rises_with_the_next() -> None:
    kept = of(W(0, 30, seen=((0, 3), (1, 4), (1, 20), (2, 29))))
    times, still = still_seen(kept.quiets(QUIET_AFTER), ASSETS, 0)
    assert list(zip(times.tolist(), still.tolist(), strict=True)) == [
        (0, 2), (3, 1), (4, 0), (20, 0), (29, 1)
    ]  # fmt: skip


windows = st.lists(
    st.builds(
        lambda begin, length, method, seen: W(
            begin, begin + length, method, tuple((asset, begin + at % (length + 1)) for asset, at in seen)
        ),
        st.integers(0, 40),
        st.integers(1, 15),
        st.sampled_from([SINKHOLE, SCAN]),
        st.lists(st.tuples(st.integers(0, ASSETS - 1), st.integers(0, 20)), max_size=6),
    ),
    max_size=8,
)


def known(kept: Silences) -> list[object]:
    quiets = kept.quiets(QUIET_AFTER)
    columns = (quiets.asset, quiets.since, quiets.at, quiets.until)
    rows = sorted(zip(*(column.tolist() for column in columns), strict=True))
    return [kept.states(QUIET_AFTER).tolist(), rows, list(turns(quiets, ASSETS))]


@given(windows, st.randoms())
def test_order_of_arrival_and_duplicates_change_nothing(brought: list[W], draw: object) -> None:
    again = brought + brought[: len(brought) // 2]
    draw.shuffle(again)  # type: ignore[attr-defined]
    assert known(of(*again)) == known(of(*brought))


@given(windows, st.integers(0, 60))
def test_a_window_cut_in_two_changes_nothing(brought: list[W], at: int) -> None:
    pieces = []
    for each in brought:
        if each.begin < at < each.end:
            pieces.append(each._replace(end=at, seen=tuple(it for it in each.seen if it[1] <= at)))
            pieces.append(each._replace(begin=at, seen=tuple(it for it in each.seen if it[1] > at)))
        else:
            pieces.append(each)
    assert known(of(*pieces)) == known(of(*brought))


@given(windows)
def test_the_states_are_those_of_counting_second_by_second(brought: list[W]) -> None:
    assert of(*brought).states(QUIET_AFTER).tolist() == [plain_state(brought, n) for n in range(ASSETS)]


def plain_state(brought: list[W], asset: int) -> str:
    sightings = [(at, w.method) for w in brought for who, at in w.seen if who == asset]
    last = max((at for at, _ in sightings), default=-1)
    methods = {method for _, method in sightings} or {SINKHOLE, SCAN}
    measured = sum(
        any(w.begin <= second < w.end for w in brought if w.method in methods)
        for second in range(max(last, 0), 100)
    )
    return "quiet" if measured >= QUIET_AFTER else "seen" if sightings else "unknown"


@pytest.mark.parametrize("at", [LONG_AGO, 0, 7])
def test_no_time_is_measured_without_a_window(at: int) -> None:
    clock = MeasuredTime([], [])
    assert clock.until(np.array([at])).tolist() == [0]
    assert clock.when(np.array([1])).tolist() == [NEVER]
