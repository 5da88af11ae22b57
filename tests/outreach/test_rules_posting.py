"""What people may add to a notification, as whose word, and when it may have happened."""

from __future__ import annotations

import datetime as dt

import pytest

from pocdir.core.errors import Forbidden, Invalid
from pocdir.ledger.rules.vocabulary import VOCABULARY
from pocdir.outreach.rules.posting import POSTED_BY, claim_of, occurred

SENT = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)
MEMBERS = {
    "delivery.relayed", "delivery.delivered", "delivery.delayed", "delivery.failed", "delivery.expanded",
    "reply.automatic", "reply.human", "ack.given", "ack.retracted", "response.accepted", "response.declined",
    "response.misdirected", "response.info_requested", "response.passed_on", "response.contested",
    "outcome.remediation_claimed", "outcome.remediation_observed", "outcome.relapsed", "expectation.set",
    "expectation.changed", "expectation.paused", "expectation.resumed", "notification.withdrawn",
    "event.corrected", "classification.corrected",
}  # fmt: skip
CONTACTS = {
    "ack.given", "ack.retracted", "response.accepted", "response.declined", "response.misdirected",
    "response.info_requested", "response.passed_on", "response.contested", "outcome.remediation_claimed",
    "event.corrected",
}  # fmt: skip


def test_members_record_what_they_saw_as_the_senders_word():
    for type_ in MEMBERS:
        assert claim_of(type_, "member") == ("sender", "S")


def test_contacts_of_the_team_answer_as_the_recipient_who_signed_in():
    for type_ in CONTACTS:
        assert claim_of(type_, "contact") == ("recipient", "A5")


def test_what_the_service_records_is_nobody_elses():
    for type_ in VOCABULARY:
        for poster, theirs in (("member", MEMBERS), ("contact", CONTACTS), ("stranger", set())):
            if type_ not in theirs:
                with pytest.raises(Forbidden) as refused:
                    claim_of(type_, poster)
                assert refused.value.code == "event_not_yours"


def test_an_answer_comes_no_earlier_than_what_it_answers():
    later = SENT + dt.timedelta(seconds=1)
    assert occurred(SENT, "exact", sent_at=SENT) == SENT
    assert occurred(later, "minute", sent_at=SENT) == later
    with pytest.raises(Invalid) as refused:
        occurred(SENT - dt.timedelta(seconds=1), "exact", sent_at=SENT)
    assert (refused.value.code, refused.value.where) == ("event_before_sending", "occurred_at")


def test_an_answer_of_the_same_day_is_taken_after_the_sending():
    day = SENT.replace(hour=0)
    assert occurred(day, "day", sent_at=SENT) == SENT
    with pytest.raises(Invalid):
        occurred(day - dt.timedelta(days=1), "day", sent_at=SENT)


def test_what_is_posted_is_a_claim_that_the_vocabulary_allows():
    for type_, posters in POSTED_BY.items():
        assert all(claim_of(type_, poster)[0] in VOCABULARY[type_].claimed_by for poster in posters), type_


def test_an_unknown_event_is_refused():
    with pytest.raises(Invalid) as refused:
        claim_of("user.created", "member")
    assert (refused.value.code, refused.value.where) == ("event_unknown", "type")
