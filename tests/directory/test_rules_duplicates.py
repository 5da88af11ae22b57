"""Which entries look like one team: the signs, and that their order does not matter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.directory.rules import duplicates

SHARED = frozenset({"x@x.example"})


def entry(slug, name, **more):
    return duplicates.Entry(
        slug, name, more.pop("short_name", None), more.pop("kind", "other"), more.pop("country", "AT"), **more
    )


@pytest.mark.parametrize(
    ("one", "other", "signs"),
    [
        (entry("a", "CERT.AZ"), entry("b", "Az-CSIRT"), {"name"}),
        (entry("a", "Müller GmbH"), entry("b", "MULLER AG"), {"name"}),
        (entry("a", "Alpha", short_name="X1"), entry("b", "X1 CERT"), {"short_name"}),
        (entry("a", "A", addresses=SHARED), entry("b", "B", addresses=SHARED), {"address"}),
        (entry("a", "A", fingerprints=SHARED), entry("b", "B", fingerprints=SHARED), {"fingerprint"}),
        (entry("a", "A", fingerprints=SHARED), entry("b", "B", fingerprints=SHARED, country="DE"), None),
        (entry("a", "Same"), entry("b", "Same", country="DE"), None),
        (entry("a", "Computer Emergency Response Team"), entry("b", "CSIRT"), None),
        (entry("a", "Cisco CSIRT"), entry("b", "Cisco PSIRT"), None),
    ],
)  # fmt: skip
def test_the_signs_are_those_of_the_table(one, other, signs):
    found = duplicates.pairs([one, other])
    assert (found and {sign.name for sign in found[0].signs}) == (signs if signs else [])
    for it in found:
        assert it.score == sum(sign.points for sign in it.signs) >= duplicates.SHOWN


@given(names=st.lists(st.text(max_size=12), max_size=6))
def test_pairs_do_not_depend_on_the_order_of_entries(names):
    entries = [entry(f"e{n}", name) for n, name in enumerate(names)]
    assert duplicates.pairs(entries) == duplicates.pairs(reversed(entries))


def test_an_address_that_many_share_says_nothing_of_two():
    many = [entry(f"e{n}", f"N{n}", addresses=frozenset({"x@x.example"})) for n in range(7)]
    assert duplicates.pairs(many) == []
