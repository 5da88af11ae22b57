"""The recipient's link: ours, for this notification and this contact, until it ends."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core import tokens
from pocdir.core.errors import Gone, Invalid, NotFound
from pocdir.ledger.rules.admission import check_event
from pocdir.ledger.rules.vocabulary import VOCABULARY
from pocdir.outreach.rules import recipient
from pocdir.outreach.rules.posting import claim_of
from pocdir.outreach.rules.recipient import (
    ACTIONS,
    claimed_ref,
    may_be_automatic,
    may_undo,
    read_recipient_token,
    recipient_token,
)

SECRET = b"s" * 32
REF = "0192f0c1-7c3a-7d8e-9f01-23456789abcd"
NOW = dt.datetime(2026, 3, 4, 10, 0, tzinfo=dt.UTC)
EXPIRES = NOW + recipient.LIFE
CONTACT = {"channel_kind": "email", "channel_value": "incident@cert.example", "channel_version": 3}
SECOND = dt.timedelta(seconds=1)


def link(**other):
    return recipient_token(
        **({"secret": SECRET, "notification_ref": REF, "expires": EXPIRES} | CONTACT | other)
    )


def read(token, secret=SECRET, now=NOW, **other):
    return read_recipient_token(secret, token, now=now, **(CONTACT | other))


def test_a_link_names_its_notification():
    token = link()
    assert claimed_ref(token) == REF
    assert read(token) == REF


def test_the_same_link_is_made_again_and_fits_one_line_of_a_mail():
    assert link() == link()
    assert len(link()) < 60
    assert link().replace("-", "").replace("_", "").isalnum()


def test_a_link_that_came_to_its_end_says_so():
    assert read(link(), now=EXPIRES - SECOND) == REF
    with pytest.raises(Gone) as refused:
        read(link(), now=EXPIRES)
    assert refused.value.code == "link_expired"


@pytest.mark.parametrize(
    "changed",
    [
        {"channel_kind": "form"},
        {"channel_value": "other@cert.example"},
        {"channel_version": 4},
        {"secret": b"t" * 32},
        {"channel_value": 'incident@cert.example",3', "channel_version": 3},
    ],
)
def test_a_link_of_a_changed_contact_or_another_key_is_unknown(changed):
    with pytest.raises(NotFound) as refused:
        read(link(), **changed)
    assert refused.value.code == "link_unknown"


def test_a_token_of_another_purpose_is_unknown():
    payload = tokens.payload_of(link())
    bound = '["email","incident@cert.example",3]'
    assert tokens.sign(SECRET, recipient.PURPOSE, payload, bound) == link()
    with pytest.raises(NotFound):
        read(tokens.sign(SECRET, "sign-in", payload, bound))


def test_a_forged_link_is_unknown_also_when_it_has_expired():
    for place in range(len(link())):
        token = list(link())
        token[place] = "A" if token[place] != "A" else "B"
        with pytest.raises(NotFound) as refused:
            read("".join(token), now=EXPIRES + SECOND)
        assert refused.value.code == "link_unknown"


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda raw: tokens.sign(SECRET, "recipient", raw)))
def test_anything_else_is_unknown(token):
    for refuse in (claimed_ref, read):
        if refuse is claimed_ref and len(tokens.payload_of(token) or b"") == 20:
            continue
        with pytest.raises(NotFound) as refused:
            refuse(token)
        assert refused.value.code == "link_unknown"


def test_an_end_without_a_zone_is_a_mistake():
    with pytest.raises(ValueError, match="zone"):
        link(expires=EXPIRES.replace(tzinfo=None))


def test_what_comes_within_a_minute_of_delivery_may_be_automatic():
    assert may_be_automatic(NOW + 59 * SECOND, NOW)
    assert not may_be_automatic(NOW + 60 * SECOND, NOW)
    assert may_be_automatic(NOW - SECOND, NOW)
    assert not may_be_automatic(NOW, None)


def test_what_was_said_can_be_taken_back_for_a_day():
    assert may_undo(NOW, NOW + dt.timedelta(hours=24))
    assert not may_undo(NOW, NOW + dt.timedelta(hours=24) + SECOND)


@pytest.mark.parametrize("name", ACTIONS)
def test_each_action_is_an_event_that_a_recipient_may_record(name):
    action = recipient.action(name)
    assert set(action.asks) <= set(VOCABULARY[action.event].names)
    assert claim_of(action.event, "contact")[0] == "recipient"
    check_event(action.event, action.payload)


def test_an_unknown_action_is_refused():
    with pytest.raises(Invalid) as refused:
        recipient.action("delete")
    assert refused.value.code == "action_unknown"
