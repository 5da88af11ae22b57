"""Changes of an entry: proposed by the team, agreed by stewards, entered once, called off by who reads the mailbox."""

from __future__ import annotations

import datetime as dt

import pytest
from flask import Flask

from pocdir.accounts.models import User
from pocdir.core.errors import Conflict, Forbidden, Gone, Invalid, NotFound, Stale
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.directory.actions import marking
from pocdir.directory.formats import records
from pocdir.directory.models import Team
from pocdir.directory.office import office
from pocdir.directory.proposals import actions, jobs, queries
from pocdir.directory.queries import entries, sources
from pocdir.ledger.queries import events_of_team
from tests.accounts.made import person
from tests.conftest import NOW
from tests.directory import made
from tests.directory.proposing import (
    NEW,
    addresses,
    agreed,
    contact,
    edited,
    kept,
    leaves,
    letters,
    link_in,
    proposed,
    types,
)

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def anna(app: Flask) -> User:
    return person("anna@example.org", now=NOW, site_role="steward")


@pytest.fixture
def ben(app: Flask) -> User:
    return person("ben@example.org", now=NOW, site_role="steward")


@pytest.fixture
def slug(app: Flask) -> str:
    """A national team with one address."""
    made.imported(made.file(made.team_json()))
    return "cert-example"


def test_a_fact_waits_for_one_steward_and_then_stands_as_the_teams_own_word(slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), facts={"website": "https://new.example/"})
    assert kept(ref).state == "open"
    assert letters() == []
    assert agreed(ref, anna).state == "applied"
    fact = next(it for it in sources.facts_of(slug) if it["field"] == "website" and it["in_force"])
    assert (fact["value"], fact["source"]) == (
        "https://new.example/", "the team itself, approved by a steward",
    )  # fmt: skip
    assert (fact["origin"], fact["as_of"]) == ("manual", NOW.date().isoformat())
    told = ["contact.approved", "contact.changed", "contact.changed", "contact.proposed"]
    assert sorted(types(slug)) == told, "the import, and these"


def test_it_stands_over_what_a_steward_had_entered_before(slug: str, anna: User) -> None:
    edited(slug, facts={"website": "https://old.example/"})
    agreed(proposed(slug, contact(slug), facts={"website": "https://new.example/"}), anna)
    db.session.rollback()
    assert entries.entry(slug).team.website == "https://new.example/"


def test_what_a_team_publishes_of_itself_stands_at_once(slug: str) -> None:
    ref = proposed(slug, contact(slug), facts={"intake": ["evidence"], "promise": {"answer": "P3D"}})
    assert kept(ref).state == "applied"
    fact = next(it for it in sources.facts_of(slug) if it["field"] == "intake")
    assert fact["source"] == "the team itself"


def test_own_words_beside_others_wait_with_them(slug: str) -> None:
    ref = proposed(slug, contact(slug), facts={"intake": ["evidence"], "website": "https://new.example/"})
    assert kept(ref).state == "open"


def test_a_steward_proposes_no_words_of_the_team_at_once(slug: str, anna: User, ben: User) -> None:
    assert kept(proposed(slug, anna, facts={"intake": ["evidence"]}, steward=True)).state == "open"


def test_a_national_address_takes_two_stewards_and_tells_every_address_on_record(
    slug: str, anna: User, ben: User
) -> None:
    ref = proposed(slug, contact(slug), channels=[made.channel(NEW)])
    assert [mail.to for mail in letters()] == ["cert@cert.example"]
    assert "two stewards" in (letters()[0].body or "")
    assert agreed(ref, anna).state == "open"
    assert agreed(ref, anna).state == "open", "agreeing twice is agreeing once"
    assert addresses(slug) == ["cert@cert.example"]
    assert agreed(ref, ben).state == "applied"
    assert addresses(slug) == [NEW]


def test_one_steward_alone_waits_72_hours_and_the_worker_enters_it_once(slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), channels=[made.channel(NEW)])
    assert agreed(ref, anna).state == "open"
    assert jobs.enter_due(NOW + 71 * HOUR) == 0
    assert addresses(slug) == ["cert@cert.example"]
    assert jobs.enter_due(NOW + 72 * HOUR) == 1
    assert addresses(slug) == [NEW]
    assert jobs.enter_due(NOW + 73 * HOUR) == 0
    assert types(slug).count("contact.changed") == 2, "the import, and this"


def test_the_only_steward_proposes_and_every_address_hears_of_it_first(slug: str, anna: User) -> None:
    ref = proposed(slug, anna, channels=[made.channel(NEW)], steward=True)
    assert len(letters()) == 1
    assert kept(ref).due_at == NOW + 72 * HOUR
    assert jobs.enter_due(NOW + 72 * HOUR) == 1
    assert entries.entry(slug).channels[0].source == "steward"


def test_a_second_steward_who_comes_later_is_asked_too(slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), channels=[made.channel(NEW)])
    agreed(ref, anna)
    ben = person("ben@example.org", now=NOW, site_role="steward")
    assert jobs.enter_due(NOW + 72 * HOUR) == 0
    assert kept(ref).due_at is None
    assert agreed(ref, ben).state == "applied"


@pytest.mark.parametrize("agrees", ["before", "after"])
def test_when_one_steward_is_left_the_72_hours_begin_by_themselves_and_every_address_is_told(
    slug: str, anna: User, ben: User, agrees: str
) -> None:
    ref = proposed(slug, contact(slug), channels=[made.channel(NEW)])
    if agrees == "before":
        agreed(ref, anna)
    leaves(ben)
    later = NOW + 240 * HOUR
    if agrees == "before":
        assert jobs.enter_due(later) == 0
    else:
        assert agreed(ref, anna, now=later).state == "open", "the notice said that two decide"
        assert kept(ref).approvals == []
        agreed(ref, anna, revision=2, now=later + HOUR)
    assert (kept(ref).revision, kept(ref).due_at) == (2, later + 72 * HOUR)
    assert len(letters()) == 2
    assert "not before" in (letters()[1].body or "")
    told = next(it for it in events_of_team(slug) if it.type == "contact.renewed")
    assert (told.claimed_by, told.payload["not_before"]) == ("service", isoformat(later + 72 * HOUR))
    assert jobs.enter_due(later + 71 * HOUR) == 0
    assert len(letters()) == 2
    assert jobs.enter_due(later + 72 * HOUR) == 1
    assert addresses(slug) == [NEW]


def test_who_proposed_it_does_not_approve_it(slug: str, anna: User, ben: User) -> None:
    ref = proposed(slug, anna, facts={"website": "https://new.example/"}, steward=True)
    with pytest.raises(Forbidden) as refused:
        agreed(ref, anna)
    assert refused.value.code == "own_proposal"


def test_who_is_no_steward_does_not_approve(slug: str, anna: User) -> None:
    staff = contact(slug)
    ref = proposed(slug, staff, facts={"website": "https://new.example/"})
    with pytest.raises(Forbidden) as refused:
        agreed(ref, staff)
    assert refused.value.code == "approval_personal"


def test_an_entry_that_changed_meanwhile_is_shown_anew_and_approvals_begin_anew(
    slug: str, anna: User, ben: User
) -> None:
    ref = proposed(
        slug, contact(slug), channels=[made.channel(NEW), made.channel(openpgp_fingerprint="A" * 40)]
    )
    agreed(ref, anna)
    edited(slug, channels=[records.channel(made.channel(preference=3))])
    renewed = agreed(ref, ben)
    assert (renewed.state, renewed.revision, len(renewed.approvals)) == ("open", 2, 0)
    assert len(letters()) == 2, "the notice goes out anew"
    standing = next(it for it in renewed.changes if it["of"][1] == "cert@cert.example")
    assert standing["before"]["preference"] == 3
    with pytest.raises(Stale):
        agreed(ref, anna, revision=1)
    agreed(ref, anna, revision=2)
    assert agreed(ref, ben, revision=2).state == "applied"
    assert "contact.renewed" in types(slug)


def test_the_worker_enters_nothing_over_an_entry_that_changed_meanwhile(slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), channels=[made.channel(preference=2), made.channel(NEW)])
    agreed(ref, anna)
    edited(slug, channels=[records.channel(made.channel(preference=3))])
    assert jobs.enter_due(NOW + 72 * HOUR) == 0
    again = kept(ref)
    assert (again.state, again.revision, again.due_at) == ("open", 2, None)
    assert again.noticed_at == NOW + 72 * HOUR


def test_an_entry_that_changed_elsewhere_does_not_hold_it_up(slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), facts={"website": "https://new.example/"})
    edited(slug, facts={"timezone": "Europe/Vienna"})
    assert agreed(ref, anna).state == "applied"


def test_what_stands_already_by_other_ways_is_settled(slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), facts={"website": "https://new.example/"})
    edited(slug, facts={"website": "https://new.example/"})
    assert agreed(ref, anna).state == "superseded"


def test_what_nobody_decides_lapses_and_stands_on_the_desk_until_then(slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), channels=[made.channel(NEW)])
    proposed(slug, None, facts={"website": "https://new.example/"})
    assert [it.kind for it in queries.waiting(NOW)] == ["proposal_national", "proposal"]
    assert jobs.lapse(NOW + dt.timedelta(days=89)) == 0
    assert jobs.lapse(NOW + dt.timedelta(days=90)) == 2
    assert kept(ref).state == "lapsed"
    assert queries.waiting(NOW) == []


def test_a_refusal_has_its_reason_and_is_the_end(slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), facts={"website": "https://new.example/"})
    with transaction() as session:
        actions.refuse(session, ref=ref, reason="the page is not theirs", actor="user:x", now=NOW)
    assert (kept(ref).state, kept(ref).reason) == ("refused", "the page is not theirs")
    with pytest.raises(Conflict) as refused:
        agreed(ref, anna)
    assert refused.value.code == "proposal_settled"
    assert "contact.refused" in types(slug)


def test_whoever_reads_the_mailbox_calls_it_off_and_the_worker_enters_nothing(slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), channels=[made.channel(NEW)])
    agreed(ref, anna)
    token = link_in(letters()[0])
    with transaction() as session:
        actions.cancel(session, token=token, office=office(), now=NOW + HOUR)
    assert kept(ref).state == "cancelled"
    assert jobs.enter_due(NOW + 72 * HOUR) == 0
    assert "contact.cancelled" in types(slug)


def marked(state: str, claimed_by: str = "steward", value: str = "cert@cert.example") -> None:
    with transaction() as session:
        marking.mark_address(
            session, kind="email", value=value, state=state, evidence="a call", now=NOW, actor="user:x",
            claimed_by=claimed_by,
        )  # fmt: skip


def test_the_link_dies_with_time_and_a_forged_one_is_none(slug: str, anna: User) -> None:
    proposed(slug, contact(slug), channels=[made.channel(), made.channel(NEW)])
    token = link_in(letters()[0])
    with pytest.raises(Gone):
        actions.addressed(None, token, office=office(), now=NOW + dt.timedelta(days=91))
    with pytest.raises(NotFound):
        actions.addressed(None, token[:-2] + "AA", office=office(), now=NOW)


@pytest.mark.parametrize("how", ["withdrawn", "bouncing", "bounced", "dropped by its list", "merged"])
def test_nothing_that_one_steward_does_to_the_address_kills_the_link(slug: str, anna: User, how: str) -> None:
    ref = proposed(slug, anna, channels=[made.channel(NEW)], steward=True)
    token = link_in(letters()[0])
    if how in ("withdrawn", "bouncing"):
        marked(how)
        marked("unverified")
        marked(how)
    elif how == "bounced":
        marked("bouncing", "service")
    elif how == "merged":
        made.team(
            "other", kind="other", country=None, channels=[made.channel("o@o.example")], responsibilities=[]
        )
        with transaction() as session:
            root, into = entries.team_by_slug(slug, session), entries.team_by_slug("other", session)
            session.get_one(Team, root.id).merged_into_id = into.id
    else:
        made.imported(made.file(made.team_json(channels=[made.channel("a@cert.example")])), force=True)
    with transaction() as session:
        actions.cancel(session, token=token, office=office(), now=NOW + 71 * HOUR)
    assert kept(ref).state == "cancelled"
    assert jobs.enter_due(NOW + 72 * HOUR) == 0


@pytest.mark.parametrize(
    ("state", "says", "days", "told"),
    [
        ("withdrawn", "steward", 0, 2),
        ("bouncing", "steward", 89, 2),
        ("bouncing", "service", 0, 1),
        ("withdrawn", "steward", 90, 1),
    ],
)
def test_an_address_that_a_person_took_out_of_use_hears_of_the_change_for_90_days_too(
    slug: str, anna: User, state: str, says: str, days: int, told: int
) -> None:
    made.imported(
        made.file(made.team_json(channels=[made.channel(), made.channel("b@cert.example", preference=2)]))
    )
    marked(state, says)
    proposed(slug, anna, channels=[made.channel(NEW)], steward=True, now=NOW + dt.timedelta(days=days))
    assert len(letters()) == told


def test_the_proposer_takes_it_back_and_nobody_else(slug: str, anna: User) -> None:
    staff = contact(slug)
    ref = proposed(slug, staff, facts={"website": "https://new.example/"})
    with pytest.raises(Forbidden), transaction() as session:
        actions.withdraw(session, ref=ref, team_id=None, actor="user:x", person=anna.ref, now=NOW)
    with transaction() as session:
        actions.withdraw(session, ref=ref, team_id=None, actor=f"user:{staff.ref}", person=staff.ref, now=NOW)
    assert kept(ref).state == "withdrawn"


def test_a_proposal_that_changes_nothing_is_refused(slug: str) -> None:
    with pytest.raises(Invalid) as refused:
        proposed(slug, contact(slug), facts={"country": "AT", "website": None})
    assert refused.value.code == "proposal_empty"


def test_one_guarded_change_at_a_time_waits_for_a_team(slug: str, anna: User) -> None:
    staff = contact(slug)
    proposed(slug, staff, channels=[made.channel(NEW)])
    with pytest.raises(Conflict) as refused:
        proposed(slug, staff, channels=[made.channel("other@cert.example")])
    assert refused.value.code == "proposals_open"
    assert len(letters()) == 1


def test_taking_the_kind_away_from_a_national_team_is_guarded_as_its_address_is(
    slug: str, anna: User, ben: User
) -> None:
    ref = proposed(slug, contact(slug), facts={"kind": "academic"})
    assert agreed(ref, anna).state == "open"


def test_a_withdrawn_channel_stays_away_though_the_list_still_has_it(
    slug: str, anna: User, ben: User
) -> None:
    ref = proposed(slug, contact(slug), channels=[made.channel(NEW)])
    agreed(ref, anna)
    agreed(ref, ben)
    made.imported(made.file(made.team_json()))
    assert addresses(slug) == [NEW]


def test_a_letter_to_a_team_that_speaks_arabic_is_in_arabic(slug: str, anna: User) -> None:
    edited(slug, facts={"languages": ["ar", "en"]})
    proposed(slug, contact(slug), channels=[made.channel(NEW)])
    assert letters()[0].language == "ar"


# over HTTP
