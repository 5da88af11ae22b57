"""Which statement is in force, and what changes from one to the next."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pocdir.directory.rules import record as rules
from pocdir.directory.rules.record import Statement


def row(origin="imported", confidence="medium", kind=None, as_of="2026-01-01", source="a"):
    return (origin, confidence, kind, as_of, source)


def first(*rows):
    return rules.in_force(rows, lambda _: "one", lambda it: rules.precedence(*it))["one"]


def test_a_manual_row_overrides_an_imported_one():
    manual = row("manual", "low", None, "", "z")
    assert first(row(confidence="high", kind="first_party"), manual) == manual


def test_the_surer_then_the_better_kind_then_the_newer_then_the_name():
    assert first(row(confidence="medium"), row(confidence="high", as_of="2001")) == row(
        confidence="high", as_of="2001"
    )
    better = row(kind="first_party", as_of="2001")
    assert first(row(kind="registry"), better, row()) == better
    assert first(row(as_of="2026"), row(as_of="2026-02"), row(as_of="")) == row(as_of="2026-02")
    assert first(row(source="b"), row(source="a")) == row(source="a")


ROWS = st.builds(
    row,
    st.sampled_from(rules.ORIGINS),
    st.sampled_from(rules.CONFIDENCES),
    st.sampled_from((*rules.SOURCE_KINDS, None)),
    st.sampled_from(["", "2012", "2012-03-29", "2026-06"]),
    st.sampled_from("abc"),
)


@given(st.lists(ROWS, min_size=1, unique=True), st.randoms())
def test_what_is_in_force_does_not_depend_on_the_order_of_arrival(rows, dice: random.Random):
    shuffled = list(rows)
    dice.shuffle(shuffled)
    assert first(*shuffled) == first(*rows)


KEYS = st.sampled_from(
    [("fact", "a", "name"), ("channel", "a", "email", "x@y.example", "incident"), ("fact", "b", "name")]
)
SAID = st.dictionaries(
    KEYS, st.builds(Statement, st.builds(dict, value=st.integers(0, 2)), st.sampled_from(["2025", "2026"]))
)


@given(SAID, SAID)
def test_a_diff_leads_from_before_to_after(before, after):
    change = rules.diff(before, after)
    reached = {key: it for key, it in before.items() if key not in change.removed}
    reached |= change.added | {key: pair[1] for key, pair in change.changed.items()} | change.redated
    assert reached == after
    assert bool(change) == (before != after)


@given(SAID, SAID, SAID)
def test_after_an_edit_the_wanted_is_in_force(ours, others, wanted):
    change = rules.edited(ours, others, wanted)
    after = {key: it for key, it in ours.items() if key not in change.removed}
    after |= change.added | {key: pair[1] for key, pair in change.changed.items()} | change.redated
    for key, statement in wanted.items():
        assert {**others, **after}[key].values == statement.values


def test_who_may_see_which_channels():
    assert rules.audiences(["anonymous"]) == {"public"}
    assert rules.audiences(["anonymous", "owner"]) == {"public", "members"}
    assert rules.audiences(["anonymous", "auditor"]) == {"public"}
    assert rules.audiences(["anonymous", "steward"]) == {"public", "members", "stewards"}
