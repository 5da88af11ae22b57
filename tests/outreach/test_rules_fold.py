"""What the events of a notification say together."""

from __future__ import annotations

import datetime as dt
import uuid

import pytest

from pocdir.core.errors import Forbidden, Invalid
from pocdir.ledger.rules.admission import check_event
from pocdir.ledger.rules.events import Event
from pocdir.outreach.rules.corrections import check_correction, counting
from pocdir.outreach.rules.expectations import (
    lapse_payload,
)
from pocdir.outreach.rules.fold import First, level_for_others, state_of

START = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


class Record:
    """A notification's events, written down one after the other."""

    def __init__(self):
        self.events = []

    def add(self, type_, hours=0.0, by="sender", assurance=None, recorded=None, **payload):
        plain, sealed = check_event(type_, {key.rstrip("_"): value for key, value in payload.items()})
        event = Event(
            id=str(uuid.UUID(int=len(self.events) + 1)),
            type=type_,
            occurred_at=START + hours * HOUR,
            recorded_at=START + (hours if recorded is None else recorded) * HOUR,
            claimed_by=by,
            actor="user:1",
            assurance=assurance or ("S" if by == "sender" else None),
            notification="n",
            payload=plain,
            sealed=sealed,
        )
        self.events.append(event)
        return event

    def expect(self, of="acknowledgement", hours=48, **payload):
        return self.add("expectation.set", by="service", of=of, within=f"PT{hours}H", **payload)

    def lapse(self, expectation, hours):
        state = next(each for each in self.state.expectations if each.id == expectation.id)
        payload = lapse_payload(state, sent_level=self.state.sent_level)
        return self.add("expectation.lapsed", hours, by="clock", **payload)

    @property
    def state(self):
        return state_of(self.events)


@pytest.fixture
def record():
    started = Record()
    started.add("notification.logged", kind="report", channel="email", answer_asked=True)
    return started


def test_a_logged_notification_awaits_its_answer(record):
    asked = record.expect()
    state = record.state
    assert (state.transport, state.response, state.outcome, state.clock) == (
        "logged", "awaiting", "unknown", "running",
    )  # fmt: skip
    assert state.sent_level == "P0"
    assert state.due == START + 48 * HOUR
    assert state.expectations[0].id == asked.id
    assert state.first.handed_over.at == START
    assert state.verdict == ("no_answer", "unknown")


def test_nothing_recorded_is_a_state_too():
    state = state_of([])
    assert (state.transport, state.response, state.outcome, state.clock, state.sent_level, state.due) == (
        "none", "awaiting", "unknown", "none", "P0", None,
    )  # fmt: skip


def test_never_answered_yet_the_devices_went_quiet(record):
    acknowledgement = record.expect()
    sample = record.expect("sample", 24)
    record.lapse(sample, 24)
    record.lapse(acknowledgement, 48)
    record.add("outcome.remediation_observed", 47, count=412)
    state = record.state
    assert state.verdict == ("no_answer", "observed")
    assert state.clock == "lapsed"
    assert state.first.remediation_observed.at == START + 47 * HOUR
    assert state.first.acknowledgement is None


# Response: a robot is not a person


def test_ticket_mail_is_no_acknowledgement_and_stops_no_clock(record):
    record.expect()
    record.add("reply.automatic", 0.1, by="recipient", subclass="receipt", ticket="INC-1")
    state = record.state
    assert (state.response, state.clock, state.first.acknowledgement) == ("receipt", "running", None)
    assert state.first.receipt.at == START + 0.1 * HOUR
    assert state.verdict.response == "ticket_only"


@pytest.mark.parametrize("subclass", ["out_of_office", "other"])
def test_an_absence_note_leaves_the_answer_awaited(record, subclass):
    record.add("reply.automatic", 0.1, by="recipient", subclass=subclass)
    assert record.state.response == "awaiting"
    assert record.state.first.receipt is None


@pytest.mark.parametrize("type_", ["disposition.displayed", "disposition.deleted"])
def test_an_opened_mail_is_no_acknowledgement(record, type_):
    record.expect()
    record.add(type_, 1, by="recipient")
    assert (record.state.response, record.state.clock) == ("awaiting", "running")


@pytest.mark.parametrize(
    ("type_", "response"),
    [
        ("ack.given", "acknowledged"),
        ("reply.human", "acknowledged"),
        ("response.accepted", "engaged"),
        ("response.info_requested", "engaged"),
        ("outcome.remediation_claimed", "engaged"),
        ("response.misdirected", "misdirected"),
        ("response.declined", "declined"),
        ("response.passed_on", "passed_on"),
        ("response.contested", "contested"),
    ],
)
def test_a_persons_answer_stops_the_acknowledgement_clock(record, type_, response):
    record.expect()
    answer = record.add(type_, 5, by="recipient", assurance="A3")
    state = record.state
    assert (state.response, state.clock, state.due) == (response, "stopped", None)
    assert state.expectations[0].stopped_at == START + 5 * HOUR
    assert state.first.acknowledgement == First(START + 5 * HOUR, answer.id, "A3", False)
    assert (state.first.answer is None) == (response == "acknowledged")
    assert state.verdict.response == "answered"


def test_the_last_answer_holds(record):
    record.add("response.declined", 1, by="recipient", assurance="A2")
    record.add("response.accepted", 2, by="recipient", assurance="A2")
    record.add("ack.given", 3, by="recipient", assurance="A2")
    assert record.state.response == "engaged"


def test_what_a_machine_may_have_clicked_is_marked_and_a_sure_acknowledgement_goes_before_it(record):
    record.add("ack.given", 0.01, by="recipient", assurance="A2", may_be_automatic=True)
    assert record.state.response == "acknowledged"
    assert record.state.first.acknowledgement.may_be_automatic
    assert record.state.sent_level == "P0"
    record.add("ack.given", 9, by="recipient", assurance="A3")
    first = record.state.first.acknowledgement
    assert (first.at, first.assurance) == (START + 9 * HOUR, "A3")
    assert [each.assurance for each in record.state.acknowledgements] == ["A2", "A3"]


def test_a_retracted_acknowledgement_is_none_and_the_clock_runs_again(record):
    record.expect()
    given = record.add("ack.given", 1, by="recipient", assurance="A2")
    record.add("ack.retracted", 2, by="recipient", assurance="A2", event=given.id)
    assert (record.state.response, record.state.clock) == ("awaiting", "running")
    record.add("ack.given", 3, by="recipient", assurance="A2")
    record.add("ack.retracted", 4, by="recipient", assurance="A2")
    assert record.state.response == "awaiting"
    record.add("ack.given", 5, by="recipient", assurance="A2")
    assert record.state.first.acknowledgement.at == START + 5 * HOUR


def test_nobody_takes_back_anothers_word(record):
    given = record.add("ack.given", 1, by="recipient", assurance="A4")
    for type_, payload in (
        ("ack.retracted", {"event": given.id}),
        ("ack.retracted", {}),
        ("event.corrected", {"event": given.id, "why": "wrong"}),
    ):
        record.add(type_, 2, by="sender", **payload)
        record.add(type_, 2, by="recipient", assurance="A2", **payload)
    assert record.state.response == "acknowledged"


def test_what_was_logged_by_mistake_no_longer_counts(record):
    wrong = record.add("reply.human", 1)
    record.add("event.corrected", 3, event=wrong.id, why="that was another case")
    assert record.state.response == "awaiting"
    assert [event.type for event in counting(record.events)] == ["notification.logged", "event.corrected"]


def test_a_person_may_reclass_a_mail_and_the_last_word_holds(record):
    mail = record.add("reply.human", 1, by="recipient", assurance="A2", may_be_automatic=True)
    record.add("classification.corrected", 2, event=mail.id, class_="automatic", subclass="receipt")
    assert record.state.response == "receipt"
    record.add("classification.corrected", 3, event=mail.id, class_="human")
    assert record.state.response == "acknowledged"
    assert not record.state.first.acknowledgement.may_be_automatic
    record.add("classification.corrected", 4, event=mail.id, class_="bounce")
    assert (record.state.response, record.state.transport) == ("awaiting", "failed")
    record.add("classification.corrected", 5, event=mail.id, class_="unrelated")
    assert (record.state.response, record.state.transport) == ("awaiting", "logged")


def test_reclassing_changes_mail_only(record):
    given = record.add("ack.given", 1, by="recipient", assurance="A2")
    record.add("classification.corrected", 2, event=given.id, class_="unrelated")
    assert record.state.response == "acknowledged"


@pytest.mark.parametrize(
    ("type_", "by", "named", "refusal"),
    [
        ("event.corrected", "sender", None, Invalid),
        ("event.corrected", "sender", "expectation.lapsed", Invalid),
        ("event.corrected", "sender", "notification.logged", Invalid),
        ("event.corrected", "sender", "event.corrected", Invalid),
        ("event.corrected", "recipient", "reply.human", Forbidden),
        ("ack.retracted", "sender", "reply.human", Invalid),
        ("ack.retracted", "recipient", "ack.given", Forbidden),
        ("classification.corrected", "sender", "ack.given", Invalid),
    ],
)
def test_a_correction_that_is_not_ones_own_is_refused(type_, by, named, refusal):
    word = (
        Event("1", named, START, START, "sender", "user:1", assurance="S", notification="n")
        if named
        else None
    )
    correction = Event("2", type_, START, START, by, "user:2", assurance="A5", notification="n")
    with pytest.raises(refusal):
        check_correction(correction, word)


def test_a_correction_of_ones_own_word_is_accepted():
    word = Event("1", "ack.given", START, START, "sender", "user:1", assurance="S", notification="n")
    check_correction(word._replace(id="2", type="event.corrected"), word)
    check_correction(word._replace(id="2", type="ack.retracted"), word)
    with pytest.raises(Invalid) as refused:
        check_correction(word._replace(id="2", type="event.corrected", notification="m"), word)
    assert refused.value.code == "event_not_found"


# Transport


@pytest.mark.parametrize(
    ("events", "transport"),
    [
        (["message.queued"], "queued"),
        (["message.queued", "message.submitted"], "submitted"),
        (["message.submitted", "delivery.delayed"], "delayed"),
        (["message.queued", "message.stale"], "stale"),
        (["message.submitted", "delivery.relayed"], "relayed"),
        (["delivery.expanded", "delivery.delivered"], "delivered"),
        (["delivery.delayed", "delivery.failed"], "failed"),
        (["delivery.failed", "delivery.delivered"], "mixed"),
        (["delivery.delivered", "delivery.failed"], "mixed"),
    ],
)
def test_transport_says_the_last_word_and_erases_no_failure(record, events, transport):
    for hours, type_ in enumerate(events, 1):
        record.add(type_, hours, by="service")
    assert record.state.transport == transport


def test_after_a_failure_the_next_attempt_shows(record):
    record.add("delivery.failed", 1, by="remote_mta", attempt=1)
    assert record.state.verdict.response == "undeliverable"
    record.add("message.queued", 2, by="service", attempt=2)
    assert record.state.transport == "queued"
    record.add("delivery.failed", 3, by="remote_mta", attempt=2)
    assert record.state.transport == "failed"


# Sent level


@pytest.mark.parametrize(
    ("level", "type_", "by", "assurance", "payload"),
    [
        ("P1", "message.copied", "service", None, {}),
        ("P1", "message.submitted", "service", None, {"hop": "relay"}),
        ("P2", "message.submitted", "service", None, {"hop": "recipient_mx"}),
        ("P3", "delivery.failed", "remote_mta", None, {}),
        ("P3", "reply.automatic", "recipient", None, {"subclass": "receipt"}),
        ("P4", "ack.given", "recipient", "A2", {}),
        ("P4", "reply.human", "recipient", "A3", {}),
    ],
)
def test_evidence_raises_the_sent_level_and_the_senders_word_never(
    record, level, type_, by, assurance, payload
):
    record.add(type_, 1, by=by, assurance=assurance, **payload)
    assert record.state.sent_level == level
    record.events = [event._replace(claimed_by="sender", assurance="S") for event in record.events]
    assert record.state.sent_level == "P0"


def test_the_sent_level_is_never_lowered(record):
    given = record.add("ack.given", 1, by="recipient", assurance="A2")
    record.add("ack.retracted", 2, by="recipient", assurance="A2", event=given.id)
    assert (record.state.response, record.state.sent_level) == ("awaiting", "P4")


def test_a_link_that_the_sender_held_too_proves_nothing_to_others(record):
    record.add("ack.given", 1, by="recipient", assurance="A2", via="page")
    assert (record.state.sent_level, level_for_others(record.events)) == ("P4", "P0")
    record.add("delivery.relayed", 2, by="remote_mta")
    assert level_for_others(record.events) == "P3"
    record.add("ack.given", 3, by="recipient", assurance="A3", via="email")
    assert level_for_others(record.events) == "P4"


def test_the_clock_starts_where_the_best_evidence_says(record):
    record.add("message.submitted", 1, by="service", hop="relay")
    assert record.state.first.handed_over.at == START + HOUR
    record.add("delivery.relayed", 2, by="remote_mta")
    assert record.state.first.handed_over.at == START + 2 * HOUR


def test_a_report_that_came_after_the_answer_does_not_start_the_clock(record):
    record.add("ack.given", 1, by="recipient", assurance="A2")
    record.add("delivery.delivered", 2, by="remote_mta")
    assert record.state.first.handed_over.at == START


# Outcome


@pytest.mark.parametrize(
    ("events", "outcome", "verdict"),
    [
        (["remediation_claimed"], "claimed", "claimed"),
        (["remediation_observed"], "observed", "observed"),
        (["remediation_claimed", "remediation_observed"], "observed", "observed"),
        (["remediation_observed", "remediation_claimed"], "observed", "observed"),
        (["remediation_observed", "relapsed"], "relapsed", "none"),
        (["remediation_claimed", "relapsed", "remediation_claimed"], "claimed", "claimed"),
        (["relapsed", "remediation_observed"], "observed", "observed"),
    ],
)
def test_what_was_measured_outweighs_what_was_claimed(record, events, outcome, verdict):
    for hours, name in enumerate(events, 1):
        record.add(f"outcome.{name}", hours)
    assert (record.state.outcome, record.state.verdict.outcome) == (outcome, verdict)
