"""What fell due, was moved, paused or answered, and what no order of events may change."""

from __future__ import annotations

import datetime as dt
import random
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.core.times import isoformat
from pocdir.ledger.rules.admission import check_event
from pocdir.ledger.rules.events import PRECISIONS, Event
from pocdir.ledger.rules.vocabulary import SENT_LEVELS, VOCABULARY
from pocdir.outreach.rules.expectations import (
    Expected,
    due_at,
    due_lapses,
    expected,
    lapse_key,
    lapse_payload,
)
from pocdir.outreach.rules.fold import CLOCK, OUTCOME, RESPONSE, TRANSPORT, First, state_of
from tests.outreach import test_rules_fold as of_the_axes
from tests.outreach.test_rules_fold import HOUR, START

record = of_the_axes.record

# Clocks


def test_no_answer_is_recorded_when_it_fell_due(record):
    asked = record.expect()
    assert due_lapses(record.state.expectations, START + 47 * HOUR) == ()
    (due,) = due_lapses(record.state.expectations, START + 24 * 7 * HOUR)
    assert lapse_payload(due, sent_level="P0") == {
        "expectation": asked.id, "of": "acknowledgement", "due_at": "2026-03-06T10:00:00Z", "level": 1,
        "sent_level": "P0",
    }  # fmt: skip
    record.lapse(asked, 48)
    assert (record.state.clock, record.state.due) == ("lapsed", None)
    assert record.state.expectations[0].lapsed_at == START + 48 * HOUR
    assert due_lapses(record.state.expectations, START + 24 * 7 * HOUR) == ()


def test_the_same_asked_for_twice_by_the_same_time_falls_due_once(record):
    first, _ = record.expect(), record.expect()
    record.lapse(first, 48)
    assert [each.state for each in record.state.expectations] == ["lapsed", "lapsed"]
    assert due_lapses(record.state.expectations, START + 99 * HOUR) == ()


def test_a_back_dated_acknowledgement_leaves_the_lapse_as_what_was_known_then(record):
    asked = record.expect()
    record.lapse(asked, 48)
    record.add("ack.given", 40, recorded=50)
    (expectation,) = record.state.expectations
    assert (record.state.response, record.state.clock, expectation.state) == (
        "acknowledged",
        "stopped",
        "stopped",
    )
    assert (expectation.lapsed_at, expectation.stopped_at) == (START + 48 * HOUR, START + 40 * HOUR)


@pytest.mark.parametrize("type_", ["ack.given", "response.accepted", "outcome.remediation_claimed"])
def test_a_recipients_word_alone_for_a_past_time_is_known_since_it_was_recorded(record, type_):
    asked = record.expect()
    record.lapse(asked, 48)
    said = record.add(type_, 0.001, by="recipient", assurance="A5", recorded=500)
    assert record.state.acknowledgements == (First(START + 500 * HOUR, said.id, "A5", False, True),)
    (expectation,) = record.state.expectations
    assert (record.state.clock, expectation.state) == ("stopped", "stopped")
    assert expectation.stopped_at == said.occurred_at
    assert expectation.lapsed_at == START + 48 * HOUR


@pytest.mark.parametrize(
    ("by", "assurance", "minutes", "undated"),
    [
        ("recipient", "A5", 5, False),
        ("recipient", "A5", 6, True),
        ("recipient", "A2", 6, True),
        ("recipient", "S", 6, False),
        ("sender", "S", 60 * 24 * 30, False),
    ],
)
def test_five_minutes_are_the_clocks_and_the_senders_word_keeps_its_time(
    record, by, assurance, minutes, undated
):
    record.add("ack.given", 1, by=by, assurance=assurance, recorded=1 + minutes / 60)
    assert record.state.first.acknowledgement.is_bounded == undated


def test_no_precision_that_the_recipient_chooses_makes_a_past_time_its_own(record):
    said = record.add("ack.given", 1, by="recipient", assurance="A5", recorded=9)
    for precision in PRECISIONS:
        assert state_of(
            [record.events[0], said._replace(precision=precision)]
        ).first.acknowledgement.is_bounded


def test_a_back_dated_word_does_not_hide_the_time_that_was_known_before_it(record):
    known = record.add("ack.given", 300)
    record.add("ack.given", 0.001, by="recipient", assurance="A5", recorded=500)
    assert record.state.first.acknowledgement == First(START + 300 * HOUR, known.id, "S", False)


def test_each_expectation_has_its_own_clock(record):
    asked = {of: record.expect(of).id for of in ("acknowledgement", "answer", "remediation", "sample")}

    def stopped():
        return {each.of for each in record.state.expectations if each.state == "stopped"}

    record.add("reply.human", 1)
    assert stopped() == {"acknowledgement"}
    record.add("response.accepted", 2)
    assert stopped() == {"acknowledgement", "answer"}
    record.add("outcome.remediation_observed", 3)
    assert stopped() == {"acknowledgement", "answer", "remediation"}
    assert record.state.clock == "running"
    record.add("expectation.changed", 4, expectation=asked["sample"], state="met")
    assert record.state.clock == "stopped"


def test_we_answered_already_answers_what_was_asked(record):
    record.expect("answer")
    record.add("ack.given", 1, by="recipient", assurance="A2")
    assert record.state.clock == "running"
    record.add("ack.given", 2, by="recipient", assurance="A2", already=True)
    assert record.state.clock == "stopped"


def test_an_earlier_answer_does_not_answer_a_later_question(record):
    record.add("response.info_requested", 1)
    record.add("expectation.set", 2, of="answer", within="P1D")
    record.add("expectation.set", 2, of="acknowledgement", within="P1D")
    assert [each.state for each in record.state.expectations] == ["running", "stopped"]


def test_a_due_time_that_was_moved_on_runs_again_and_keeps_its_lapse(record):
    asked = record.expect()
    record.lapse(asked, 48)
    record.add("expectation.changed", 50, expectation=asked.id, due_at=isoformat(START + 100 * HOUR), level=2)
    (expectation,) = record.state.expectations
    assert (expectation.state, expectation.level, expectation.due_at) == ("running", 2, START + 100 * HOUR)
    assert expectation.lapsed_at == START + 48 * HOUR
    record.lapse(asked, 100)
    assert record.state.clock == "lapsed"


def test_a_longer_time_moves_the_due_time(record):
    asked = record.expect()
    record.add("expectation.changed", 1, expectation=asked.id, within="P3D")
    assert record.state.due == START + 72 * HOUR
    assert record.state.expectations[0].within == "P3D"


def test_a_pause_is_added_to_the_time_left(record):
    record.expect()
    record.add("expectation.paused", 10)
    assert (record.state.clock, record.state.due) == ("paused", None)
    record.add("expectation.resumed", 30)
    assert (record.state.clock, record.state.due) == ("running", START + 68 * HOUR)


def test_what_was_due_before_the_pause_stays_due(record):
    asked = record.expect()
    record.add("expectation.paused", 60, expectation=asked.id)
    record.add("expectation.resumed", 90, expectation=asked.id)
    assert record.state.due == START + 48 * HOUR


def test_next_steps_show_on_the_clock_until_none_is_left(record):
    asked = record.expect()
    record.lapse(asked, 48)
    record.add("escalation.step_taken", 49, by="clock", expectation=asked.id, step=1)
    assert record.state.clock == "escalated"
    record.add("escalation.exhausted", 60, by="clock", expectation=asked.id)
    assert record.state.clock == "exhausted"
    record.add("ack.given", 70)
    assert record.state.clock == "stopped"


def test_a_withdrawn_notification_awaits_nothing(record):
    record.expect()
    record.expect("sample")
    record.add("notification.withdrawn", 3, reason="mistake")
    assert (record.state.clock, record.state.due, record.state.withdrawn_at) == (
        "stopped",
        None,
        START + 3 * HOUR,
    )


def test_the_clock_that_needs_a_person_most_is_shown(record):
    lapsing, _ = record.expect("sample", 1), record.expect()
    assert record.state.clock == "running"
    record.lapse(lapsing, 1)
    assert (record.state.clock, record.state.due) == ("lapsed", START + 48 * HOUR)


def test_a_notification_expects_what_was_asked_or_the_default():
    asked = (Expected("sample", "PT24H"), Expected("acknowledgement", "P5D"))
    assert expected(asked, answer_asked=True) == asked
    assert expected(None, answer_asked=True) == (Expected("acknowledgement", "P2D"),)
    assert expected(None, answer_asked=False) == ()
    assert expected((), answer_asked=True) == ()
    assert expected((Expected("remediation", "P9D"),), answer_asked=False) == (
        Expected("remediation", "P9D"),
    )


@pytest.mark.parametrize(
    ("asked", "answer_asked", "code"),
    [
        ([Expected("acknowledgement", "P2D")], False, "expectation_invalid"),
        ([Expected("thanks", "P2D")], True, "expectation_invalid"),
        ([Expected("sample", "P2D"), Expected("sample", "P3D")], True, "expectation_invalid"),
        ([Expected("sample", "soon")], True, "duration_invalid"),
    ],
)
def test_a_contradictory_expectation_is_refused(asked, answer_asked, code):
    with pytest.raises(Invalid) as refused:
        expected(asked, answer_asked=answer_asked)
    assert refused.value.code == code


def test_a_lapse_has_one_key_however_often_it_is_found():
    due = due_at(START, "P2D")
    assert due == START + 48 * HOUR
    key = lapse_key("n", "1", 1, "sample", due)
    assert key == lapse_key("n", "1", 1, "sample", due.astimezone(dt.timezone(dt.timedelta(hours=5))))
    others = [
        ("m", "1", 1, "sample", due), ("n", "2", 1, "sample", due), ("n", "1", 2, "sample", due),
        ("n", "1", 1, "answer", due), ("n", "1", 1, "sample", due + HOUR),
    ]  # fmt: skip
    assert len({key, *(lapse_key(*other) for other in others)}) == 6


# Any history


def random_history(chance: random.Random) -> list[Event]:
    """Up to 30 events of any type at few distinct times, naming one another at random."""
    ids = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(chance.randint(0, 30))]

    def value(name):
        return {
            "choice": lambda: chance.choice(name.choices),
            "ref": lambda: chance.choice(ids),
            "time": lambda: isoformat(START + chance.randint(0, 9) * HOUR),
            "duration": lambda: f"PT{chance.randint(1, 9)}H",
            "integer": lambda: chance.randint(1, 3),
            "boolean": lambda: chance.random() < 0.5,
            "status": lambda: chance.choice(["550", "5.1.1"]),
            "language": lambda: "en",
            "choices": lambda: chance.choices(name.choices, k=2),
            "texts": lambda: ["a"],
            "objects": lambda: [],
        }.get(name.form, lambda: chance.choice(["a", "b"]))()

    favourites = ["expectation.set", "expectation.lapsed", *chance.choices(list(VOCABULARY), k=8)]

    def event(ref):
        type_ = chance.choice(favourites)
        known = VOCABULARY[type_]
        names = {
            key: value(name) for key, name in known.names.items() if name.required or chance.random() < 0.5
        }
        plain, sealed = check_event(type_, names)
        return Event(
            id=ref,
            type=type_,
            occurred_at=START + chance.randint(0, 9) * HOUR,
            recorded_at=START + 99 * HOUR,
            claimed_by=chance.choice(known.claimed_by),
            actor="user:1",
            assurance=chance.choice([None, "S", "A2", "A5"]),
            notification="n",
            payload=plain,
            sealed=sealed,
        )

    return [event(ref) for ref in ids]


@settings(max_examples=500, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_history_gives_one_state_in_any_order_and_repeated(seed):
    chance = random.Random(seed)
    history = random_history(chance)
    state = state_of(history)
    again = history + chance.choices(history, k=len(history))
    chance.shuffle(again)
    assert state_of(again) == state
    assert state.transport in TRANSPORT
    assert state.response in RESPONSE
    assert state.outcome in OUTCOME
    assert state.clock in CLOCK
    assert all(each.state in CLOCK for each in state.expectations)
    assert (state.due is None) == ("running" not in {each.state for each in state.expectations})


@pytest.mark.long
def test_ten_thousand_histories_shuffled_and_repeated_give_the_same_states():
    for seed in range(10_000):
        chance = random.Random(seed)
        history = random_history(chance)
        again = history + chance.choices(history, k=len(history))
        chance.shuffle(again)
        assert state_of(again) == state_of(history)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_erasing_every_personal_value_changes_no_state(seed):
    history = random_history(random.Random(seed))
    assert state_of([event._replace(sealed={}) for event in history]) == state_of(history)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_more_events_never_lower_the_sent_level_nor_remove_a_lapse(seed):
    history = random_history(random.Random(seed))
    level, lapsed = 0, set()
    for length in range(len(history) + 1):
        known = history[:length]
        state = state_of(known)
        assert SENT_LEVELS.index(state.sent_level) >= level
        level = SENT_LEVELS.index(state.sent_level)
        standing = {each.id for each in state.expectations}
        now_lapsed = {each.id for each in state.expectations if each.lapsed_at}
        assert lapsed & standing <= now_lapsed
        lapsed |= now_lapsed


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_senders_word_alone_proves_no_sending(seed):
    history = [event._replace(claimed_by="sender") for event in random_history(random.Random(seed))]
    assert state_of(history).sent_level == "P0"


# A letter that the service sends


def test_a_letter_that_leaves_soon_moves_no_due_time(record):
    record.expect()
    record.add("message.queued", 0, by="service", attempt=1)
    assert (record.state.clock, record.state.due) == ("running", START + 48 * HOUR)
    record.add("message.submitted", 0.5, by="service", attempt=1, hop="relay")
    assert (record.state.due, record.state.sent_level) == (START + 48 * HOUR, "P1")


def test_a_letter_that_waited_moves_what_was_asked_by_that_long(record):
    record.expect()
    record.add("message.queued", 0, by="service", attempt=1)
    record.add("message.stale", 40, by="service", attempt=1)
    assert (record.state.unsent, record.state.clock, record.state.due) == (True, "paused", None)
    record.add("message.queued", 60, by="service", attempt=2)
    assert (record.state.unsent, record.state.transport) == (False, "queued")
    record.add("message.submitted", 61, by="service", attempt=2, hop="relay")
    assert (record.state.clock, record.state.due) == ("running", START + (48 + 61) * HOUR)


def test_what_was_refused_on_its_way_out_runs_no_clock_and_one_that_came_back_does(record):
    record.expect()
    record.add("message.queued", 0, by="service", attempt=1)
    record.add("delivery.failed", 1, by="service", attempt=1)
    assert (record.state.transport, record.state.clock, record.state.sent_level) == ("failed", "paused", "P0")
    record.add("message.submitted", 0.5, by="service", attempt=1, hop="relay")
    assert (record.state.transport, record.state.clock) == ("failed", "running")
