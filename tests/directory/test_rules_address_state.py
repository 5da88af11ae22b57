"""The state of an address: one table of moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.directory.rules.address_state import (
    ASKED,
    BOUNCED,
    CONFIRMED,
    DUE,
    ENDED,
    MOVES,
    OCCASIONS,
    UNANSWERED,
    VOUCHED,
    after,
)
from pocdir.directory.rules.record import ADDRESS_STATES

STATES, HAPPENINGS = st.sampled_from(ADDRESS_STATES), st.sampled_from(OCCASIONS)


def test_a_year_of_an_address_that_answers():
    state = "unverified"
    seen = [state := after(state, it) for it in (ASKED, CONFIRMED, DUE, ASKED, VOUCHED, DUE)]
    assert seen == ["in-check", "verified", "due", "in-check", "verified", "due"]


def test_an_address_that_does_not_answer_is_unresponsive_until_a_person_there_speaks():
    assert after("in-check", UNANSWERED) == "unresponsive"
    assert after("unresponsive", ASKED) == "unresponsive"
    assert after("unresponsive", VOUCHED) == "unresponsive"
    assert after("unresponsive", CONFIRMED) == "verified"


def test_mail_that_bounces_is_not_cured_by_somebody_elsewhere():
    assert after("verified", BOUNCED) == "bouncing"
    assert after("bouncing", VOUCHED) == "bouncing"
    assert after("bouncing", CONFIRMED) == "verified"


def test_what_is_no_state_is_refused():
    with pytest.raises(ValueError, match="no state"):
        after("confirmed", DUE)
    with pytest.raises(ValueError, match="no state"):
        after("verified", "ignored")


def test_every_state_is_reached_by_a_move_or_by_hand():
    reached = {state for moves in MOVES.values() for state in moves.values()}
    assert set(ADDRESS_STATES) - reached == {"unverified", "withdrawn"}


@given(STATES, HAPPENINGS)
def test_the_same_occasion_twice_is_the_same_as_once(state, occasion):
    assert after(after(state, occasion), occasion) == after(state, occasion)


@given(STATES, st.lists(st.sampled_from([DUE, ASKED, UNANSWERED, ENDED, BOUNCED]), max_size=20))
def test_nobody_but_a_person_makes_an_address_verified(state, occasions):
    for occasion in occasions:
        before, state = state, after(state, occasion)
        assert state != "verified" or before == "verified"


@given(st.lists(HAPPENINGS, max_size=20))
def test_what_is_withdrawn_stays_so(occasions):
    state = "withdrawn"
    for occasion in occasions:
        state = after(state, occasion)
    assert state == "withdrawn"


@given(st.lists(st.sampled_from([o for o in OCCASIONS if o != CONFIRMED]), max_size=20))
def test_bouncing_ends_with_a_word_from_that_address_only(occasions):
    state = "bouncing"
    for occasion in occasions:
        state = after(state, occasion)
    assert state == "bouncing"


@given(STATES)
def test_a_word_from_the_address_settles_everything_but_withdrawal(state):
    assert after(state, CONFIRMED) == ("withdrawn" if state == "withdrawn" else "verified")
