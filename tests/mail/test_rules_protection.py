"""Whether a letter goes encrypted, in plain text, or not at all."""

from __future__ import annotations

import itertools

import pytest

from pocdir.core import tlp
from pocdir.mail.rules.protection import (
    ENCRYPTED,
    LOST,
    NO_KEY,
    PLAIN_TEXT,
    PROTECTIONS,
    KeyFor,
    problem,
    protection,
)

GOOD, BAD = KeyFor("public", "F" * 40), KeyFor("public", "F" * 40, ("expired", "weak"))


@pytest.mark.parametrize(
    ("label", "key", "plain_text", "expected"),
    [
        (tlp.GREEN, None, False, NO_KEY),
        (tlp.GREEN, GOOD, False, ENCRYPTED),
        (tlp.GREEN, BAD, True, PLAIN_TEXT),
        (tlp.AMBER, None, False, None),
        (tlp.AMBER, None, True, PLAIN_TEXT),
        (tlp.AMBER, GOOD, True, PLAIN_TEXT),  # encrypted all the same, as long as there is a key
        (tlp.AMBER_STRICT, None, False, None),
        (tlp.RED, None, True, None),
        (tlp.RED, GOOD, True, ENCRYPTED),
    ],
)
def test_how_a_new_letter_may_travel(
    label: str, key: KeyFor | None, plain_text: bool, expected: str | None
) -> None:
    assert protection(label=label, key=key, plain_text=plain_text) == expected


def test_a_key_that_must_not_be_used_is_never_passed_over_silently() -> None:
    said = "key problem: the OpenPGP key for this address must not be used: it has expired; it is weak"
    assert (problem(NO_KEY, label=tlp.GREEN, key=BAD) or "").startswith(said)
    assert problem(PLAIN_TEXT, label=tlp.GREEN, key=BAD) is None  # its sender said so
    assert (problem(PLAIN_TEXT, label=tlp.AMBER, key=BAD) or "").startswith(said)
    assert problem(ENCRYPTED, label=tlp.GREEN, key=None) == f"key problem: {LOST}"


def test_red_goes_encrypted_or_not_at_all_and_a_good_key_is_always_used() -> None:
    for how, label in itertools.product(PROTECTIONS, tlp.LABELS):
        assert problem(how, label=label, key=GOOD) is None
        if label == tlp.RED:
            assert problem(how, label=label, key=None) and problem(how, label=label, key=BAD)
    assert problem(NO_KEY, label=tlp.GREEN, key=None) is None
    assert problem(NO_KEY, label=tlp.AMBER, key=None)  # raised since it was queued
    assert problem(None, label=tlp.RED, key=None) is None  # a letter about an entry
