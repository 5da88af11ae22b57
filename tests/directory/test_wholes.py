"""Four eyes look at the whole team: its kind, what it has ever confirmed, its keys, by whichever door one comes."""

from __future__ import annotations

import datetime as dt

import pytest
from flask import Flask

from pocdir.accounts.models import TeamContact, User
from pocdir.db import db, transaction
from pocdir.directory.actions.marking import mark_address
from pocdir.directory.checks.actions import confirm
from pocdir.directory.merging.actions import merge
from pocdir.directory.office import office
from pocdir.directory.proposals import jobs
from pocdir.directory.proposals import queries as proposals
from pocdir.directory.proposals.actions import must_be_proposed
from pocdir.directory.queries import entries, parts
from pocdir.directory.queries.entries import EVERYBODY
from pocdir.directory.queries.wholes import whole_team
from pocdir.directory.rules.approval import Whole
from tests.accounts import made as people
from tests.directory import made
from tests.directory.proposing import addresses, agreed, contact, kept, proposed
from tests.directory.test_claims import asked, proven, token_in
from tests.directory.test_claims import letters as claim_letters
from tests.directory.test_keys import approve, bring, letters, state, work
from tests.mail import keys

NOW = made.NOW
HOUR = dt.timedelta(hours=1)
NEW = {"channels": [made.channel("evil@elsewhere.example")]}
NATIONAL = "cert-example"
PART = "old"


@pytest.fixture
def anna(app: Flask) -> User:
    return people.person("anna@example.org", now=NOW, site_role="steward")


@pytest.fixture
def ben(app: Flask) -> User:
    return people.person("ben@example.org", now=NOW, site_role="steward")


@pytest.fixture
def academic(app: Flask) -> str:
    """An academic entry beside a national one."""
    made.team()
    return made.team(PART, kind="academic", channels=[made.channel("old@cert.example")], responsibilities=[])


def merged(*stewards: User, now: dt.datetime = NOW) -> None:
    for each in stewards:
        with transaction() as session:
            merge(
                session, slug=PART, into=NATIONAL, reason="one team", office=office(), now=now,
                actor=f"user:{each.ref}",
            )  # fmt: skip
    db.session.expire_all()
    assert parts.standing_slug(PART) == NATIONAL


def asks(slug: str = NATIONAL, **facts: str) -> bool:
    """Whether a steward has to propose another address, or these facts."""
    db.session.rollback()
    entry = entries.entry(slug, audiences=EVERYBODY)
    if facts:
        wanted = proposals.wanted(entry, facts, None, None)
    else:
        wanted = {("channel", "email", "evil@elsewhere.example", "incident"): {"preference": 1}}
    return must_be_proposed(db.session(), entry, wanted)


def confirmed(slug: str = NATIONAL, value: str = "cert@cert.example") -> None:
    with transaction() as session:
        confirm(session, slug=slug, kind="email", value=value, via="phone", now=NOW, actor="operator")


def test_what_was_proposed_for_an_entry_is_agreed_to_by_two_once_it_is_part_of_a_national_team(
    academic: str, anna: User, ben: User
) -> None:
    ref = proposed(academic, contact(academic), channels=NEW["channels"])
    merged(anna, ben, now=NOW + HOUR)
    assert kept(ref).revision == 2, "it is shown anew against what stands by now"
    assert letters("proposal_notice") == ["cert@cert.example", "old@cert.example"]
    assert agreed(ref, anna, revision=2, now=NOW + HOUR).state == "open"
    assert "evil@elsewhere.example" not in addresses(NATIONAL)
    assert agreed(ref, ben, revision=2, now=NOW + HOUR).state == "applied"


def test_what_was_agreed_to_before_a_merge_is_agreed_to_again_after_it(
    app: Flask, anna: User, ben: User
) -> None:
    made.team()
    made.team(PART, channels=[made.channel("old@cert.example")], responsibilities=[])
    ref = proposed(PART, anna, channels=NEW["channels"], steward=True)
    assert agreed(ref, ben).due_at == NOW + 72 * HOUR
    merged(anna, ben, now=NOW + 71 * HOUR)
    assert not kept(ref).approvals
    assert jobs.enter_due(NOW + 100 * HOUR) == 0
    assert agreed(ref, ben, revision=2, now=NOW + 101 * HOUR).due_at == NOW + 143 * HOUR


def test_a_key_of_one_steward_is_asked_about_anew_when_its_entry_becomes_part_of_a_national_team(
    academic: str, anna: User, ben: User
) -> None:
    row = bring(keys.key("Old <old@cert.example>"), f"user:{anna.ref}", slug=PART)
    assert row.state == "pinned"
    merged(anna, ben, now=NOW + 100 * HOUR)
    assert state(row) == "proposed"
    assert letters("key_notice") == ["cert@cert.example", "old@cert.example"]
    assert approve(row, f"user:{ben.ref}", now=NOW + 101 * HOUR) == "proposed", (
        "the delay runs from the merge"
    )
    assert work(NOW + 171 * HOUR) == 0
    assert work(NOW + 172 * HOUR) == 1
    assert state(row) == "pinned"


def test_a_key_for_a_part_of_a_national_team_waits_for_others(academic: str, anna: User, ben: User) -> None:
    merged(anna, ben)
    assert bring(keys.key("Old <old@cert.example>"), f"user:{anna.ref}", slug=PART).state == "proposed"


def test_nobody_alone_takes_the_kind_from_a_team_whose_key_others_agreed_to(
    app: Flask, anna: User, ben: User
) -> None:
    made.team()
    assert not asks()
    row = bring(keys.key(), f"user:{anna.ref}")
    assert asks() and asks(kind="academic"), "a key that waits is guarded too"
    third = people.person("c@example.org", now=NOW, site_role="steward")
    for each in (ben, third):
        approve(row, f"user:{each.ref}")
    assert state(row) == "pinned"
    assert asks() and asks(kind="academic")
    assert not asks(website="https://other.example/")


def test_the_kind_of_a_lead_is_nobodys_to_take_alone_for_it_keeps_the_key(app: Flask) -> None:
    made.team()
    assert asks(kind="academic")
    assert not asks(name="Another name")


def test_what_one_steward_has_keyed_nobody_alone_makes_national(app: Flask, anna: User, ben: User) -> None:
    made.team(kind="academic")
    assert not asks(kind="national")
    bring(keys.key(), f"user:{anna.ref}")
    assert asks(kind="national")
    third = people.person("c@example.org", now=NOW, site_role="steward")
    ref = proposed(NATIONAL, anna, facts={"kind": "national"}, steward=True)
    assert agreed(ref, ben).state == "open"
    assert agreed(ref, third).state == "applied"


def test_a_team_that_was_claimed_once_stays_guarded_when_nobody_answers_for_it_any_more(
    app: Flask, anna: User
) -> None:
    made.team()
    asked(NATIONAL)
    staff = people.person("staff@cert.example", now=NOW)
    proven(token_in(claim_letters()[0]), staff)
    assert asks()
    with transaction() as session:
        session.delete(session.get_one(TeamContact, staff.id))
        mark_address(
            session, kind="email", value="cert@cert.example", state="unverified", evidence="?", now=NOW + HOUR,
            actor="operator",
        )  # fmt: skip
    assert asks()


def test_a_team_that_confirmed_once_stays_guarded_whatever_its_address_is_marked(app: Flask) -> None:
    made.team()
    confirmed()
    for word in ("unverified", "bouncing", "withdrawn"):
        with transaction() as session:
            mark_address(
                session, kind="email", value="cert@cert.example", state=word, evidence="?", now=NOW + HOUR,
                actor="operator",
            )  # fmt: skip
        assert asks()


def test_an_address_that_was_verified_once_guards_the_team_that_has_it(app: Flask) -> None:
    made.team()
    for number, word in enumerate(("verified", "unverified")):
        with transaction() as session:
            mark_address(
                session, kind="email", value="cert@cert.example", state=word, evidence=word,
                now=NOW + number * HOUR, actor="operator",
            )  # fmt: skip
    assert asks()


def test_what_a_part_has_confirmed_guards_the_whole(academic: str, anna: User, ben: User) -> None:
    confirmed(PART, "old@cert.example")
    assert not asks(NATIONAL)
    merged(anna, ben)
    assert asks(NATIONAL)
    part = entries.team_by_slug(NATIONAL).id
    assert whole_team(db.session(), part) == Whole(
        "national", frozenset({"academic", "national"}), answered=True
    )


def test_a_team_is_guarded_by_its_own_people_whoever_else_has_some(academic: str, app: Flask) -> None:
    contact(PART, "staff@cert.example")
    third = made.team("third", channels=[made.channel("third@cert.example")], responsibilities=[])
    contact(third, "people@cert.example")
    answered = {
        slug: whole_team(db.session(), entries.team_by_slug(slug).id).answered
        for slug in (PART, third, NATIONAL)
    }
    assert answered == {PART: True, third: True, NATIONAL: False}
