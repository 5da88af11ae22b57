"""What a change would take from what a team has confirmed: the one comparison, without a database."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from pocdir.directory.rules import record as rules
from pocdir.directory.rules.in_force import VIEWS, Entry, InForce, in_force_of, losses
from pocdir.directory.rules.record import Statement


class Said(NamedTuple):
    """One statement of one source."""

    key: tuple
    statement: Statement
    origin: str = "imported"
    source: str = "list"
    entry: str = "nat"

    def order(self):
        it = self.statement
        return rules.precedence(self.origin, it.confidence, None, it.as_of, self.source)


def said(
    value="cert@cert.example", *, kind="email", purpose="incident", origin="imported", source="list", **words
):
    given = {"withdrawn": False, "preference": 1, "audience": "public", "openpgp_fingerprint": None} | words
    return Said(("channel", "nat", kind, value, purpose), Statement(given, "2026-01-01"), origin, source)


def kind(value="national", **more):
    return Said(("fact", "nat", "kind"), Statement({"value": value}, "2026-01-01"), **more)


CONFIRMED = ("email", "cert@cert.example")


def lost(before, after, *, confirmed=(CONFIRMED,), pinned=None):
    entry = Entry("nat", in_force_of(before), in_force_of(after), frozenset(confirmed), pinned or {})
    return [(code, values.get("value")) for code, values in losses(entry)]


FIRM = [kind(), said(preference=2)]


def test_what_stays_as_it_is_loses_nothing():
    assert lost(FIRM, FIRM) == []


def test_a_further_address_behind_the_confirmed_one_takes_nothing():
    assert lost(FIRM, [*FIRM, said("z@cert.example", preference=3, source="other")]) == []


def test_an_address_before_the_confirmed_one_displaces_it():
    assert lost(FIRM, [*FIRM, said("z@evil.example", source="other")]) == [("displaced", "z@evil.example")]


def test_an_address_beside_the_confirmed_one_displaces_it_whatever_its_name():
    for value in ("a@evil.example", "z@evil.example"):
        assert lost(FIRM, [*FIRM, said(value, preference=2, source="other")]) == [("displaced", value)]


def test_a_form_beside_a_confirmed_mail_address_displaces_it_and_behind_it_does_not():
    form = {"kind": "form", "source": "other"}
    assert lost(FIRM, [*FIRM, said("https://f.example/", preference=2, **form)]) != []
    assert lost(FIRM, [*FIRM, said("https://f.example/", preference=3, **form)]) == []


def test_the_confirmed_address_is_put_back_by_its_own_source_or_by_a_better_one():
    standing = [*FIRM, said("other@cert.example", preference=3)]
    moved = [kind(), said(preference=900), said("other@cert.example", preference=3)]
    assert lost(standing, moved) == [("displaced", "other@cert.example")]
    again = [*standing, said(preference=900, origin="manual", source="evil")]
    assert lost(standing, again) == [("displaced", "other@cert.example")]


def test_another_source_hides_the_confirmed_address_by_repeating_it():
    hidden = [*FIRM, said(preference=2, audience="stewards", origin="manual", source="evil")]
    assert lost(FIRM, hidden) == [("changes", CONFIRMED[1])]


def test_the_confirmed_address_vanishes_or_loses_its_purpose():
    assert lost(FIRM, [kind()]) == [("vanishes", CONFIRMED[1])]
    assert lost(FIRM, [kind(), said(purpose="sample")]) == [("changes", CONFIRMED[1])]
    assert lost(FIRM, [kind(), said(purpose="general")]) == []  # it stands in for incidents still


def test_what_another_source_gives_as_well_may_go():
    both = [*FIRM, said(preference=2, source="other")]
    assert lost(both, FIRM) == []


def test_a_purpose_for_which_none_was_named_takes_no_unconfirmed_address():
    assert lost(FIRM, [*FIRM, said("a@evil.example", purpose="emergency")]) == [("purpose", "a@evil.example")]
    assert lost(FIRM, [*FIRM, said(purpose="emergency")]) == []


def test_a_general_address_that_was_confirmed_stands_for_every_purpose():
    general = [kind(), said(purpose="general")]
    assert lost(general, [*general, said("a@evil.example", purpose="sample")]) == [
        ("displaced", "a@evil.example")
    ]


def test_two_confirmed_addresses_keep_their_order():
    two = (CONFIRMED, ("email", "b@cert.example"))
    standing = [kind(), said(), said("b@cert.example", preference=2)]
    swapped = [kind(), said(preference=2), said("b@cert.example")]
    assert lost(standing, swapped, confirmed=two) == [("displaced", "b@cert.example")]


def test_what_nobody_confirmed_may_change():
    assert lost(FIRM, [kind(), said("new@cert.example")], confirmed=()) == []


def test_the_kind_in_force_stays_national_whoever_says_otherwise():
    for more in ({"origin": "manual"}, {"source": "a list before it"}):
        assert lost(FIRM, [*FIRM, kind("other", **more)]) == [("kind", None)]
    assert lost(FIRM, [kind("other"), said(preference=2)]) == [("kind", None)]
    assert lost(FIRM, [*FIRM, kind("other", source="zzz")]) == []  # not in force


def test_the_key_of_a_confirmed_address_stays_and_so_does_a_pinned_one():
    key, other = "A" * 40, "B" * 40
    with_key, changed = ([kind(), said(openpgp_fingerprint=it)] for it in (key, other))
    bare = [kind(), said()]
    assert lost(with_key, changed) == lost(with_key, bare) == [("key", CONFIRMED[1])]
    assert lost(bare, with_key) == []
    assert lost(bare, changed, confirmed=(), pinned={CONFIRMED: key}) == [("key", CONFIRMED[1])]
    assert lost(bare, with_key, confirmed=(), pinned={CONFIRMED: key}) == []


def first(face: InForce, purpose: str, audiences: frozenset[str]):
    return next(iter(face.served(purpose, audiences)), None)


ROWS = st.lists(
    st.builds(
        said,
        st.sampled_from([f"{name}@cert.example" for name in "abcd"]),
        kind=st.sampled_from(["email", "form"]),
        purpose=st.sampled_from(["incident", "general", "emergency"]),
        origin=st.sampled_from(rules.ORIGINS),
        source=st.sampled_from(["one", "two"]),
        preference=st.integers(1, 3),
        audience=st.sampled_from(rules.AUDIENCES),
    ),
    max_size=6,
    unique_by=lambda it: (it.key, it.origin, it.source),
)


@given(before=ROWS, after=ROWS, names=st.sets(st.sampled_from("abcd")))
def test_where_nothing_is_lost_the_first_confirmed_address_stays_first(before, after, names):
    confirmed = frozenset((kind, f"{name}@cert.example") for name in names for kind in ("email", "form"))
    stands = in_force_of(before)
    entry = Entry("nat", stands, in_force_of(after), confirmed & {it.address for it in stands.places}, {})
    if losses(entry):
        return
    for purpose in rules.PURPOSES:
        for audiences in VIEWS:
            was, becomes = (first(face, purpose, audiences) for face in (entry.before, entry.after))
            if was in entry.confirmed and any(
                it.purpose == purpose and it.address == was for it in entry.before.places
            ):
                assert becomes == was
            elif was in entry.confirmed or (was is None and entry.confirmed):
                assert becomes is None or becomes in entry.confirmed
