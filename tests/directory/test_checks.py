"""An entry that is kept true: asked about, confirmed, tested, and what was asked comes to its end."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from pocdir.core.errors import NotFound, Stale
from pocdir.db import db, transaction
from pocdir.directory.actions import marking
from pocdir.directory.checks import actions
from pocdir.directory.checks import queries as checks
from pocdir.directory.checks.letters import link_token, post
from pocdir.directory.models import Address
from pocdir.directory.queries import dates, entries
from pocdir.ledger.queries import events_of_team
from pocdir.mail import actions as outbox
from pocdir.site.queries.ledger import verification
from tests.directory import made
from tests.directory.checking import (
    DAY,
    NOW,
    SECRET,
    Anybody,
    asked,
    confirmed,
    days,
    letters,
    state,
    switched,
    the_check,
    work,
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


def test_nobody_is_written_to_before_the_operator_says_so(app):
    made.imported(made.file(made.team_json()))
    days(0, 400, 10)
    assert letters() == []


def test_a_team_is_asked_half_a_year_after_its_first_import(asking):
    made.imported(made.file(made.team_json()))
    days(0, 180, 20)
    assert letters() == []
    days(180, 250, 2)
    first = letters("confirmation")[0]
    assert first.to == "cert@cert.example"
    assert NOW + 180 * DAY <= first.created_at <= NOW + 245 * DAY
    assert "Name: CERT Example" in first.body
    assert "E-mail (incident reports): cert@cert.example" in first.body
    assert "Responsible for: country AT" in first.body
    assert (
        first.body.rstrip().rsplit("\n", 1)[-1] == f"http://localhost:8000/r/entry/{link_token(the_check())}"
    )


def test_it_is_reminded_once_then_closed_then_the_address_counts_as_unresponsive(app):
    made.imported(made.file(made.team_json()))
    asked()
    assert state() == "in-check"
    days(1, 14)
    assert not letters("confirmation_reminder")
    days(14, 28)
    assert len(letters("confirmation_reminder")) == 1
    assert the_check().result is None
    days(28, 42)
    assert the_check().result == "unanswered"
    assert state() == "in-check"
    days(42, 60)
    assert state() == "unresponsive"
    assert len(letters()) == 2


def test_a_word_by_the_link_confirms_the_entry_and_everything_that_was_asked(app):
    made.imported(
        made.file(
            made.team_json(channels=[made.channel(), made.channel("other@cert.example", purpose="general")])
        )
    )
    check = asked()
    event = confirmed(NOW + DAY, check=check, assurance="A2")
    assert event.type == "contact.confirmed"
    assert event.payload["before"] == "in-check"
    assert event.claimed_by == "team"
    assert state() == state("other@cert.example") == "verified"
    assert the_check().result == "confirmed"
    entry = entries.entry("cert-example")
    assert entry.team.confirmed_at == NOW + DAY
    shown = dates.of_teams([entry.team], Anybody())["cert-example"]
    assert shown["confirmed"] == shown["reachable"] == NOW + DAY
    mine = [it.type for it in events_of_team("cert-example")]
    assert mine.count("contact.confirmed") == 1
    assert mine.count("contact.marked") == 2  # asked; the other address
    assert verification().faults == ()


def test_saying_it_twice_is_the_same_event(app):
    made.imported(made.file(made.team_json()))
    check = asked()
    first = confirmed(NOW + DAY, check=check)
    assert confirmed(NOW + 2 * DAY, check=check).id == first.id
    assert entries.entry("cert-example").team.confirmed_at == NOW + DAY


def test_an_answer_takes_the_letter_back_that_has_not_left(app):
    made.imported(made.file(made.team_json()))
    asked()
    work(NOW + 14 * DAY)  # queues the reminder
    confirmed(NOW + 14 * DAY)
    assert [mail.state for mail in letters("confirmation_reminder")] == ["withdrawn"]


def test_a_late_answer_is_welcome(app):
    made.imported(made.file(made.team_json()))
    check = asked()
    days(1, 60)
    assert state() == "unresponsive"
    confirmed(NOW + 90 * DAY, check=the_check())
    assert state() == "verified"
    assert the_check().id == check.id
    assert the_check().result == "confirmed"


def test_what_was_read_before_a_change_does_not_confirm_what_stands(app):
    made.imported(made.file(made.team_json()))
    with pytest.raises(Stale):
        confirmed(NOW, revision=entries.entry("cert-example").team.revision + 1)


def test_an_address_of_another_team_confirms_nothing(app):
    made.imported(
        made.file(made.team_json(), made.team_json("other", channels=[made.channel("o@other.example")]))
    )
    with transaction() as session, pytest.raises(NotFound) as refused:
        actions.confirm(
            session, slug="other", kind="email", value="cert@cert.example", via="page", now=NOW, actor="x"
        )
    assert refused.value.code == "address_unknown"


def test_a_confirmation_grows_old_and_is_asked_for_again(asking):
    made.imported(made.file(made.team_json()))
    confirmed(NOW)
    days(0, 180, 20)
    assert state() == "verified"
    days(180, 200, 2)
    assert state() in ("due", "in-check")
    days(200, 215, 5)
    assert state() == "in-check" or the_check().reminded_at


def test_an_address_that_another_team_has_confirmed_of_late_does_not_grow_old(app):
    made.imported(made.file(made.team_json(), made.team_json("other")))
    confirmed(NOW)
    with transaction() as session:
        actions.confirm(
            session, slug="other", kind="email", value="cert@cert.example", via="phone", now=NOW + 100 * DAY,
            actor="user:x", claimed_by="steward", evidence="they called",
        )  # fmt: skip
    days(180, 270, 10)
    assert state() == "verified"
    days(280, 282)
    assert state() == "due"


def test_a_letter_that_does_not_leave_counts_for_nothing(asking):
    made.imported(made.file(made.team_json()))
    with transaction() as session:
        actions.ask(session, slug="cert-example", kind="confirmation", post=post(), now=NOW)
    later = NOW + 14 * DAY
    with transaction() as session:
        assert outbox.expire(session, now=later) == 1
    work(later)
    assert the_check().result == "unsent"
    assert state() == "unverified"


@pytest.mark.parametrize(
    ("said", "result", "becomes"),
    [
        ("RCPT: 550 5.1.1 <cert@cert.example>: no such user", "undeliverable", "bouncing"),
        ("RCPT: 550 5.7.1 relaying denied to host 5.1.1", "unsent", "unverified"),
    ],
)
def test_a_letter_that_comes_back_for_good_takes_its_address_out_of_use(app, said, result, becomes):
    made.imported(made.file(made.team_json()))
    with transaction() as session:
        actions.ask(session, slug="cert-example", kind="confirmation", post=post(), now=NOW)
        mail = outbox.claim(session, now=NOW, lease=DAY)
        outbox.refuse(session, ref=mail.ref, attempt=1, reason=said, now=NOW)
    work(NOW)
    assert (the_check().result, state()) == (result, becomes)
    if becomes == "bouncing":
        assert said in db.session.scalars(select(Address.evidence)).one()
        (told,) = events_of_team("cert-example", types=["contact.marked_bouncing"])
        assert told.claimed_by == "service"


def test_who_bounces_is_asked_at_the_next_address(asking):
    made.imported(
        made.file(made.team_json(channels=[made.channel(), made.channel("b@cert.example", preference=2)]))
    )
    asked(now=NOW + 300 * DAY)
    with transaction() as session:
        marking.mark_address(
            session, kind="email", value="cert@cert.example", state="bouncing", evidence="5.1.1",
            now=NOW + 301 * DAY, actor="service", claimed_by="service",
        )  # fmt: skip
    days(301, 320, 2)
    assert [check.result for check in checks.of_team(1)] == [None, "undeliverable"]
    assert letters("confirmation")[-1].to == "b@cert.example"


def test_an_address_that_goes_while_it_is_asked_does_not_stay_in_check(app):
    made.imported(made.file(made.team_json()))
    asked()
    made.imported(made.file(made.team_json(channels=[made.channel("new@cert.example")])), now=NOW + DAY)
    work(NOW + 2 * DAY)
    assert (the_check().result, state()) == ("ended", "due")
    marked = events_of_team("cert-example", types=["contact.marked"])[0]
    assert (marked.payload["before"], marked.payload["state"]) == ("in-check", "due")


def test_two_entries_of_one_team_have_one_year_of_letters_and_one_last_word(asking):
    second = made.team_json("other", kind="provider", country=None, channels=[made.channel("o@cert.example")])
    made.imported(made.file(made.team_json(kind="provider"), second))
    with transaction() as session:
        actions.confirm(
            session, slug="other", kind="email", value="o@cert.example", via="page", now=NOW + 170 * DAY,
            actor="recipient",
        )  # fmt: skip
        for number in range(3):
            outbox.enqueue(
                session, kind="key_expiry", to="o@cert.example", subject="key", body="key", key=f"k{number}",
                domain="pocdir.example", team="other", now=NOW + 170 * DAY,
            )  # fmt: skip
        part = entries.team_by_slug("other", session)
        part.merged_into_id = entries.team_by_slug("cert-example", session).id
        part.retired_at = NOW + 171 * DAY
    days(180, 349, 10)
    assert letters("confirmation") == []
    days(350, 430, 2)
    assert [mail.team for mail in letters("confirmation")] == ["cert-example"]
    assert letters("confirmation_reminder") == []  # the fourth was the letter itself


def test_going_round_again_changes_nothing(asking):
    made.imported(made.file(made.team_json()))
    days(180, 261, 3)
    before = verification().events, len(letters())
    for _again in range(3):
        asking.extensions.pop("pocdir.checks_looked_at")
        assert work(NOW + 258 * DAY) == 0
    assert (verification().events, len(letters())) == before


def test_the_link_ends_with_the_address(app):
    made.imported(made.file(made.team_json()))
    check = asked()
    token = link_token(check)
    found = actions.addressed(None, token, secret=SECRET, now=NOW)
    assert found.ref == check.ref
    with transaction() as session:
        marking.mark_address(
            session, kind="email", value="cert@cert.example", state="withdrawn", evidence="gone", now=NOW,
            actor="x",
        )  # fmt: skip
    with pytest.raises(NotFound):
        actions.addressed(None, token, secret=SECRET, now=NOW)


def test_a_national_team_that_does_not_answer_waits_on_the_desk_until_that_counts(app):
    made.imported(made.file(made.team_json()))
    asked()
    days(1, 30)
    (item,) = checks.waiting(NOW + 29 * DAY)
    assert (item.kind, item.slug, item.default) == ("not_confirmed", "cert-example", "unresponsive")
    assert item.default_at == NOW + 42 * DAY
    days(30, 44)
    assert checks.waiting(NOW + 44 * DAY) == []


def test_only_what_needs_a_person_waits(app):
    two = [made.channel("a@isp.example"), made.channel("b@isp.example", preference=2)]
    made.imported(
        made.file(
            made.team_json(),
            made.team_json("isp", kind="provider", country=None, channels=two),
            made.team_json(
                "gov", kind="governmental", responsibilities=[made.responsibility(value="LI")],
                channels=[made.channel("a@gov.example"), made.channel("b@gov.example")],
            ),
        )
    )  # fmt: skip
    for value in ("cert@cert.example", "a@isp.example", "a@gov.example"):
        with transaction() as session:
            marking.mark_address(
                session, kind="email", value=value, state="bouncing", evidence="5.1.1", now=NOW, actor="x"
            )
    assert sorted((it.kind, it.what) for it in checks.waiting(NOW)) == [
        ("bouncing_national", "a@gov.example"), ("bouncing_national", "cert@cert.example"),
    ]  # fmt: skip
