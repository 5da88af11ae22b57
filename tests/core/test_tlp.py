"""TLP labels and the incident taxonomy."""

from __future__ import annotations

import itertools

import pytest

from pocdir.core import rsit, tlp
from pocdir.core.errors import Invalid


@pytest.mark.parametrize("label", tlp.LABELS)
def test_a_label_is_read_as_it_is_written(label):
    assert tlp.parse(label) == label
    assert tlp.parse(f" {label.lower()} ") == label
    assert tlp.parse(label.removeprefix("TLP:")) == label


@pytest.mark.parametrize("text", ["TLP:WHITE", "white", "tlp:white"])
def test_white_is_read_as_clear(text):
    assert tlp.parse(text) == "TLP:CLEAR"


@pytest.mark.parametrize(
    "text", ["", "TLP:", "TLP:ORANGE", "TLP AMBER", "AMBER STRICT", "TLP:RED\nBcc: x", "TLP:TLP:RED"]
)
def test_any_other_word_is_refused(text):
    with pytest.raises(Invalid) as refused:
        tlp.parse(text)
    assert refused.value.code == "tlp_invalid"


def test_the_strictest_label_wins_in_any_order():
    for some in itertools.permutations(tlp.LABELS, 3):
        assert tlp.rank(tlp.strictest(*some)) == max(map(tlp.rank, some))
    assert tlp.strictest("TLP:AMBER+STRICT", "TLP:AMBER") == "TLP:AMBER+STRICT"


def test_amber_and_above():
    assert [tlp.is_at_least(label, tlp.AMBER) for label in tlp.LABELS] == [False, False, True, True, True]


def test_the_taxonomy_has_its_classes_and_types():
    assert len(rsit.CLASSES) == 11
    assert sum(map(len, rsit.CLASSES.values())) == 39


def test_nothing_a_class_or_a_class_with_its_type_is_accepted():
    rsit.check(None, None)
    rsit.check("malicious-code", None)
    for class_, types in rsit.CLASSES.items():
        for type_ in types:
            rsit.check(class_, type_)


@pytest.mark.parametrize(
    ("class_", "type_", "code"),
    [
        (None, "spam", "class_invalid"),
        ("Malicious Code", None, "class_invalid"),
        ("malicious-code", "spam", "type_invalid"),
        ("test", "", "type_invalid"),
    ],
)
def test_a_foreign_class_or_type_is_refused(class_, type_, code):
    with pytest.raises(Invalid) as refused:
        rsit.check(class_, type_)
    assert refused.value.code == code
