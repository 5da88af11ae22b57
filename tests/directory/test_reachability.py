"""Reachability tests: how often they go out, how far an address was seen to reach, and who wants none."""

from __future__ import annotations

import itertools

import pytest
from sqlalchemy import select

from pocdir.accounts.actions import create_token
from pocdir.db import db, transaction
from pocdir.directory.checks import actions
from pocdir.directory.checks import queries as checks
from pocdir.directory.checks.models import Check
from pocdir.directory.models import Address
from pocdir.directory.office import office
from pocdir.directory.queries import dates, entries
from pocdir.ledger.queries import events_of_notification
from pocdir.mail import actions as outbox
from pocdir.site.queries.ledger import verification
from tests.conftest import Api
from tests.directory import made
from tests.directory.checking import (
    DAY,
    NOW,
    Anybody,
    asked,
    days,
    letters,
    state,
    switched,
)


@pytest.fixture
def asking(app):
    """The operator has switched confirmations on."""
    yield from switched(app, confirmations=True)


@pytest.fixture
def testing(app):
    """The operator has switched two tests a year on."""
    yield from switched(app, pings=2)


@pytest.fixture(autouse=True)
def _from_the_beginning(app):
    app.extensions.pop("pocdir.checks_looked_at", None)


def test_four_letters_a_year_and_no_fifth(asking):
    made.imported(made.file(made.team_json()))
    for number in range(4):
        with transaction() as session:
            outbox.enqueue(
                session, kind="key_expiry", to="cert@cert.example", subject="key", body="key", key=f"k{number}",
                domain="pocdir.example", team="cert-example", now=NOW + 170 * DAY,
            )  # fmt: skip
    days(180, 500, 20)
    assert len(letters("confirmation")) == 0
    days(535, 605, 3)
    assert len(letters("confirmation")) == 1


def test_a_test_is_sent_twice_a_year_at_most_and_leaves_room_for_the_confirmation(testing):
    made.imported(made.file(made.team_json(timezone="Europe/Vienna")))
    days(0, 730, 3)
    sent = [mail.sent_at for mail in letters("ping")]
    assert 2 <= len(sent) <= 4
    assert all(second - first >= 180 * DAY for first, second in itertools.pairwise(sent))
    assert all(mail.subject.startswith("TEST") for mail in letters())
    assert "test/test" in letters()[0].body


def test_a_person_who_answers_a_test_shows_how_far_it_reaches(testing):
    made.imported(made.file(made.team_json()))
    check = asked("ping")
    assert state() == "unverified"  # a test takes nothing away before it has come to its end
    with transaction() as session:
        event = actions.answer_test(session, check, level=5, now=NOW + DAY)
    assert (event.type, event.notification, event.assurance) == ("ack.given", check.ref, "A2")
    address = db.session.scalars(select(Address)).one()
    assert (address.state, address.reachability) == ("verified", 5)
    team = entries.entry("cert-example").team
    assert team.confirmed_at is None
    shown = dates.of_teams([team], Anybody())["cert-example"]
    assert shown == {"confirmed": None, "reachable": NOW + DAY, "outcome": None}
    assert [it.type for it in events_of_notification(check.ref)] == ["ping.sent", "ack.given"]
    assert verification().faults == ()


def test_how_far_an_address_was_seen_to_reach_is_for_the_team_and_stewards(app, lab):
    made.imported(made.file(made.team_json()))
    check = asked("ping")
    with transaction() as session:
        actions.answer_test(session, session.get_one(Check, check.id), level=4, now=NOW)
    told = {}
    for who, scopes in (("lab", ()), ("steward", ["directory.edit"])):
        with transaction() as session:
            token = create_token(session, workspace_id=lab.id, scopes=scopes, now=NOW, actor="operator")[1]
        told[who] = Api(app, token).get("/api/v1/teams/cert-example/channels").json["items"][0]
    told["anybody"] = Api(app, None).get("/api/v1/teams/cert-example").json["channels"][0]
    assert {who: it["reachability"] for who, it in told.items()} == {
        "lab": None,
        "steward": 4,
        "anybody": None,
    }
    assert "answered a test" in told["lab"]["state_evidence"]
    assert told["anybody"]["state_evidence"] is None


def test_an_answered_test_counts_as_a_word_about_the_entry(asking):
    made.imported(made.file(made.team_json()))
    check = asked("ping", NOW + 170 * DAY)
    with transaction() as session:
        actions.answer_test(session, check, level=3, now=NOW + 171 * DAY)
    days(180, 350, 5)
    assert letters("confirmation") == []


def test_who_wants_no_tests_gets_none(testing):
    made.imported(made.file(made.team_json(opt_outs=["abusive-content/spam"])))
    check = asked("ping")
    with transaction() as session:
        actions.choose_tests(
            session, checks.check_by_ref(check.ref, session), wanted=False, office=office(), now=NOW + DAY
        )
    said = entries.said(entries.entry("cert-example").team)
    assert said["opt_outs"] == ["abusive-content/spam", "test/test"]
    days(20, 400, 5)
    assert len(letters("ping")) == 1
    with transaction() as session:
        actions.choose_tests(
            session,
            checks.check_by_ref(check.ref, session),
            wanted=True,
            office=office(),
            now=NOW + 400 * DAY,
        )
    assert entries.said(entries.entry("cert-example").team)["opt_outs"] == ["abusive-content/spam"]
