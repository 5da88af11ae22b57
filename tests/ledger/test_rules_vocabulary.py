"""What may be recorded, and in which words."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocdir.core.canonical import canonical_json
from pocdir.core.errors import Invalid
from pocdir.ledger.rules.admission import check_event
from pocdir.ledger.rules.events import CLAIMANTS
from pocdir.ledger.rules.vocabulary import VOCABULARY

REF = str(uuid.UUID(int=7))
GOOD = {
    "text": "They wrote:\nwe have it", "line": "INC-1234", "texts": ["one", "two"], "objects": [{"field": "name"}],
    "digest": "sha256:00ff", "status": "5.1.1", "language": "pt-BR", "ref": REF, "time": "2026-03-06T10:00:00Z",
    "duration": "PT36H", "integer": 3, "boolean": False,
}  # fmt: skip


CHANGED = {"source": "list", "origin": "imported", "fields": ["name"], "changes": []}


def good(name):
    if name.form == "choices":
        return list(name.choices)
    return name.choices[0] if name.choices else GOOD[name.form]


def test_an_acknowledgement_with_its_ticket_number_is_accepted():
    plain, sealed = check_event(
        "ack.given", {"ticket": "INC-1234", "via": "phone", "may_be_automatic": False}
    )
    assert plain == {"via": "phone", "may_be_automatic": False}
    assert sealed == {"ticket": "INC-1234"}


@pytest.mark.parametrize("type_", VOCABULARY)
def test_each_event_is_accepted_with_all_its_names_and_splits_them(type_):
    names = VOCABULARY[type_].names
    payload = {key: good(name) for key, name in names.items()}
    plain, sealed = check_event(type_, payload)
    assert plain | sealed == payload
    assert set(sealed) == {key for key, name in names.items() if name.sealed}


@pytest.mark.parametrize("type_", VOCABULARY)
def test_each_event_is_accepted_with_what_it_needs_alone_and_refused_without(type_):
    names = VOCABULARY[type_].names
    needed = {key: good(name) for key, name in names.items() if name.required}
    check_event(type_, needed)
    check_event(type_, dict.fromkeys(names, None) | needed)
    for key in needed:
        with pytest.raises(Invalid) as refused:
            check_event(type_, {each: needed[each] for each in needed if each != key})
        assert (refused.value.code, refused.value.where) == ("payload_invalid", f"payload.{key}")


def test_what_a_hand_has_typed_is_never_plain():
    for type_, known in VOCABULARY.items():
        for key, name in known.names.items():
            words = name.form in ("text", "line", "texts", "objects", "digest")
            assert name.sealed == words, (type_, key)


def test_every_claimant_is_one_the_ledger_knows():
    for type_, known in VOCABULARY.items():
        assert set(known.claimed_by) <= set(CLAIMANTS), type_
        assert known.occurred_at


def test_times_are_kept_in_one_spelling():
    plain, _ = check_event(
        "expectation.set", {"of": "sample", "within": "PT24H", "due_at": "2026-03-05T12:00+02:00"}
    )
    assert plain["due_at"] == "2026-03-05T10:00:00Z"


@pytest.mark.parametrize("time", ["1990-01-01T00:00:00Z", "2200-12-31T23:59:59Z"])
def test_times_are_those_of_a_calendar_in_use(time):
    assert check_event("expectation.resumed", {"due_at": time})[0] == {"due_at": time}


def test_line_breaks_of_a_form_are_kept_in_one_spelling():
    assert check_event("ack.given", {"note": "one\r\ntwo\n"})[1] == {"note": "one\ntwo"}


@pytest.mark.parametrize("type_", ["", "ack", "ack.given ", "user.created", "ack.GIVEN", "x" * 10_000])
def test_an_unknown_event_is_refused(type_):
    with pytest.raises(Invalid) as refused:
        check_event(type_, {})
    assert (refused.value.code, refused.value.where) == ("event_unknown", "type")
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize(
    ("type_", "payload", "where"),
    [
        ("ack.given", {"actor": "APT"}, "payload.actor"),
        ("ack.given", {"note": ""}, "payload.note"),
        ("ack.given", {"note": " \n "}, "payload.note"),
        ("ack.given", {"note": "x" * 2_001}, "payload.note"),
        ("ack.given", {"note": "a\0b"}, "payload.note"),
        ("ack.given", {"note": "a\x1b[31mb"}, "payload.note"),
        ("ack.given", {"note": "\ud800"}, "payload.note"),
        ("ack.given", {"note": ["a"]}, "payload.note"),
        ("ack.given", {"ticket": "INC\r\nBcc: x"}, "payload.ticket"),
        ("ack.given", {"ticket": "INC\u2028x"}, "payload.ticket"),
        ("ack.given", {"may_be_automatic": "no"}, "payload.may_be_automatic"),
        ("ack.given", {"via": "pigeon"}, "payload.via"),
        ("response.passed_on", {"count": 3.0}, "payload.count"),
        ("response.passed_on", {"count": True}, "payload.count"),
        ("response.passed_on", {"count": -1}, "payload.count"),
        ("response.passed_on", {"count": 2**60}, "payload.count"),
        ("reply.automatic", {"subclass": "human"}, "payload.subclass"),
        ("delivery.failed", {"action": "delivered"}, "payload.action"),
        ("delivery.failed", {"status": "5.1.1 user unknown"}, "payload.status"),
        ("delivery.failed", {"status": "550 5.1.1"}, "payload.status"),
        ("contact.changed", {**CHANGED, "fields": ["name", "John"]}, "payload.fields"),
        ("contact.changed", {**CHANGED, "fields": "name"}, "payload.fields"),
        ("contact.changed", {**CHANGED, "changes": ["name"]}, "payload.changes"),
        ("contact.changed", {**CHANGED, "forced": ["a", 3]}, "payload.forced"),
        ("notification.logged", {"language": "the second one"}, "payload.language"),
        ("notification.logged", {"body_digest": "x" * 101}, "payload.body_digest"),
        ("outcome.relapsed", {"method": "as-john-doe-told"}, "payload.method"),
        ("incident.created", {"revision": 1, "tlp": "RED"}, "payload.tlp"),
        ("incident.created", {"revision": 1, "tlp": "TLP:RED", "description": "x" * 10_001}, "payload.description"),
        ("expectation.set", {"of": "sample", "within": "P2D", "policy_version": "john:1"}, "payload.policy_version"),
        ("expectation.set", {"of": "thanks", "within": "P2D"}, "payload.of"),
        ("expectation.set", {"of": "sample", "within": "two days"}, "payload.within"),
        ("expectation.set", {"of": "sample", "within": "P1M"}, "payload.within"),
        ("expectation.set", {"of": "sample", "within": "P2D", "due_at": "2026-03-05"}, "payload.due_at"),
        ("expectation.set", {"of": "sample", "within": "P2D", "due_at": "1989-12-31T23:59:59Z"}, "payload.due_at"),
        ("expectation.set", {"of": "sample", "within": "P2D", "due_at": "2201-01-01T00:00:00Z"}, "payload.due_at"),
        ("expectation.set", {"of": "sample", "within": "P2D", "due_at": "9999-12-31T23:59:59Z"}, "payload.due_at"),
        ("expectation.resumed", {"due_at": "9999-12-31T23:59:59Z"}, "payload.due_at"),
        ("expectation.changed", {"expectation": "42"}, "payload.expectation"),
        ("expectation.changed", {"expectation": REF.upper() + "x"}, "payload.expectation"),
    ],
)  # fmt: skip
def test_a_payload_that_does_not_fit_is_refused_at_its_name(type_, payload, where):
    with pytest.raises(Invalid) as refused:
        check_event(type_, payload)
    assert (refused.value.code, refused.value.where) == ("payload_invalid", where)


def test_a_payload_that_is_no_object_is_refused():
    for payload in ([], "x", None, 3):
        with pytest.raises(Invalid) as refused:
            check_event("ack.given", payload)
        assert refused.value.where == "payload"


def test_every_fault_is_named_at_once():
    with pytest.raises(Invalid) as refused:
        check_event("expectation.set", {"within": 3, "who": "x"})
    assert set(refused.value.errors) == {"payload.who", "payload.of", "payload.within"}


# The first draw of any text builds hypothesis' tables, which is slow on a busy machine.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(VOCABULARY)),
    st.dictionaries(
        st.sampled_from(sorted({key for known in VOCABULARY.values() for key in known.names} | {"x"})),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just([]),
        max_size=6,
    ),
)
def test_any_payload_is_refused_or_can_be_kept(type_, payload):
    try:
        plain, sealed = check_event(type_, payload)
    except Invalid as refused:
        assert refused.code == "payload_invalid"
        assert refused.where in refused.errors
    else:
        canonical_json([plain, sealed])
        assert check_event(type_, plain | sealed) == (plain, sealed)
