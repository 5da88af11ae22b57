"""Who has to agree to a change of an entry, and when it takes effect."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from pocdir.directory.rules import approval
from pocdir.directory.rules.record import TEAM_KINDS
from tests.conftest import NOW

DAY = dt.timedelta(days=1)
PEOPLE = ("anna", "ben", "chen", "dora")


def decided(
    approvals=(), stewards=("anna", "ben", "chen"), proposer="contact", kind="national", what=("address",)
):
    given_at = {ref: NOW + DAY * n for n, ref in enumerate(approvals, 1)}
    return approval.decide(
        team_kind=kind,
        what=what,
        stewards=frozenset(stewards),
        proposer=proposer,
        approvals=given_at,
        proposed_at=NOW,
    )


def test_one_steward_approves_what_is_not_a_national_address_or_key():
    assert decided(["anna"], what=("other",)).effective_at == NOW + DAY
    assert decided(["anna"], kind="academic").effective_at == NOW + DAY
    assert decided(what=("other",)).missing == 1


def test_a_national_address_or_key_takes_two_stewards():
    for what in ("address", "key"):
        assert decided(["anna"], what=(what, "other")).missing == 1
        assert decided(["anna", "ben"], what=(what,)).effective_at == NOW + 2 * DAY


def test_being_national_is_guarded_like_the_address_that_it_guards():
    assert approval.is_guarded("national", {"kind"})
    assert not approval.is_guarded("sectoral", {"kind", "address"})


def test_one_steward_alone_waits_72_hours_from_the_notice():
    alone = decided(["anna"], stewards=["anna"])
    assert alone.effective_at == NOW + dt.timedelta(hours=72)
    assert not alone.is_due(NOW + dt.timedelta(hours=71))
    assert alone.is_due(NOW + dt.timedelta(hours=72))
    assert decided(stewards=["anna"]).effective_at is None


def test_the_other_of_two_stewards_is_alone_when_one_of_them_proposes():
    both = ("anna", "ben")
    assert decided(["anna"], stewards=both, proposer="anna").missing == 1
    assert decided(["ben"], stewards=both, proposer="anna").effective_at == NOW + dt.timedelta(hours=72)


def test_a_steward_alone_proposes_and_only_the_notice_and_the_time_remain():
    own = decided(stewards=["anna"], proposer="anna")
    assert own.needed.notice and own.effective_at == NOW + dt.timedelta(hours=72)


def test_where_there_is_no_steward_nothing_takes_effect_by_itself():
    assert decided(stewards=()).effective_at is None
    assert decided(stewards=(), what=("other",)).effective_at is None


people = st.frozensets(st.sampled_from(PEOPLE))
asked = st.fixed_dictionaries(
    {
        "team_kind": st.sampled_from(TEAM_KINDS),
        "what": st.frozensets(st.sampled_from(approval.WHAT), min_size=1),
        "stewards": people,
        "proposer": st.sampled_from((*PEOPLE, "contact", None)),
        "approvals": st.dictionaries(
            st.sampled_from((*PEOPLE, "outsider")),
            st.integers(0, 500).map(lambda hours: NOW + dt.timedelta(hours=hours)),
        ),
    }
)


@given(asked)
def test_nothing_guarded_takes_effect_on_one_word_within_72_hours(case):
    decision = approval.decide(**case, proposed_at=NOW)
    if not approval.is_guarded(case["team_kind"], case["what"]) or decision.effective_at is None:
        return
    counted = case["stewards"] & case["approvals"].keys() - {case["proposer"]}
    assert len(counted) >= 2 or decision.effective_at >= NOW + approval.DELAY
    assert decision.needed.notice


@given(asked)
def test_only_stewards_who_did_not_propose_count(case):
    counted = {
        ref: at
        for ref, at in case["approvals"].items()
        if ref in case["stewards"] and ref != case["proposer"]
    }
    assert approval.decide(**case, proposed_at=NOW) == approval.decide(
        **case | {"approvals": counted}, proposed_at=NOW
    )


@given(asked, st.sampled_from(PEOPLE))
def test_one_more_approval_never_takes_an_effect_away(case, who):
    before = approval.decide(**case, proposed_at=NOW)
    after = approval.decide(**case | {"approvals": {who: NOW, **case["approvals"]}}, proposed_at=NOW)
    assert after.missing <= before.missing
    assert before.effective_at is None or (after.effective_at and after.effective_at <= before.effective_at)


@given(asked)
def test_nothing_takes_effect_before_it_was_proposed_or_approved(case):
    decision = approval.decide(**case, proposed_at=NOW)
    if decision.effective_at is not None:
        assert decision.effective_at >= decision.not_before >= NOW
        assert decision.missing == 0
        assert not decision.needed.eyes or decision.effective_at >= min(case["approvals"].values())
    else:
        assert decision.missing > 0
