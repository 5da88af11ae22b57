"""The steward's desk: the most harmful first, and what happens when nobody comes."""

from __future__ import annotations

import datetime as dt

import pytest

from pocdir.directory.rules.steward import KINDS, by_harm, waiting

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


def item(kind: str, days: int = 1, **more):
    return waiting(kind, slug="cert-example", since=NOW - days * DAY, where="/teams/cert-example", **more)


def test_a_wrong_national_address_comes_first():
    items = [item(kind) for kind in KINDS]
    assert by_harm(items, NOW)[0].kind == "bouncing_national"


def test_of_the_same_harm_the_oldest_comes_first():
    assert [it.what for it in by_harm([item("key", 2, what="b"), item("key", 9, what="a")], NOW)] == [
        "a",
        "b",
    ]


def test_what_its_default_has_settled_is_gone():
    assert by_harm([item("not_confirmed", 14)], NOW) == []
    assert len(by_harm([item("not_confirmed", 13)], NOW)) == 1
    assert len(by_harm([item("bouncing_national", 4000)], NOW)) == 1


def test_a_thing_may_bring_its_own_end():
    ends = NOW + 2 * DAY
    assert item("proposal", default_at=ends).default_at == ends


def test_a_kind_without_a_row_does_not_stand_on_the_desk():
    with pytest.raises(KeyError):
        item("something")


def test_no_two_kinds_are_of_the_same_harm():
    assert len({kind.harm for kind in KINDS.values()}) == len(KINDS)
