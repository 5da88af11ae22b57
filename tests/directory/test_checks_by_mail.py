"""A team answers our letters by mail, and what else comes back on them."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from sqlalchemy import select

from pocdir.db import db, transaction
from pocdir.directory.actions import marking
from pocdir.directory.checks import actions
from pocdir.directory.checks import queries as checks
from pocdir.directory.checks.letters import post
from pocdir.directory.queries import entries
from pocdir.ledger.queries import events_of_team
from pocdir.mail.models import Mail, Received
from pocdir.site.queries.ledger import verification
from tests.directory import made
from tests.directory.test_checks import asked, letters, state, the_check
from tests.mail.replies import came_in, reply, report, subject

NOW, DAY = made.NOW, dt.timedelta(days=1)
LATER = NOW + DAY


@pytest.fixture
def letter(app) -> Mail:
    """A letter that asks for a confirmation and was sent."""
    made.imported(made.file(made.team_json()))
    asked()
    return letters("confirmation")[0]


def result(row: Received) -> tuple[str | None, str | None]:
    found = db.session.scalars(select(Received).where(Received.ref == row.ref)).one()
    return found.result, found.reason


def confirmations() -> list:
    return [it for it in events_of_team("cert-example") if it.type == "contact.confirmed"]


def test_a_reply_confirms_the_entry_as_its_link_does(letter):
    row = came_in(reply(letter, "Confirmed.\n\n-- \nA. Person\n\n> is all of this right?"), LATER)
    assert result(row) == ("acted", None)
    (event,) = confirmations()
    assert event.id == row.event
    assert (event.assurance, event.claimed_by, event.payload["via"]) == ("A2", "team", "email")
    assert event.evidence_digest == row.digest
    assert state() == "verified"
    assert the_check().result == "confirmed"
    assert entries.entry("cert-example").team.confirmed_at == LATER
    assert verification().faults == ()


def test_what_says_more_or_less_than_the_word_waits_for_a_steward(letter):
    for text in ("Confirmed?", "confirm, but the phone is wrong", "> confirm", ""):
        assert result(came_in(reply(letter, text), LATER))[0] == "waits"
    assert confirmations() == []
    waiting = [it for it in checks.waiting(LATER) if it.kind == "reply"]
    assert len(waiting) == 4
    assert (waiting[0].slug, waiting[0].what) == ("cert-example", "somebody@cert.example")


def test_an_automatic_answer_changes_nothing_and_is_kept(letter):
    for head in (
        "Auto-Submitted: auto-replied",
        "X-Autoreply: yes",
        "Return-Path: <>",
        "Precedence: auto_reply",
    ):
        assert result(came_in(reply(letter, "confirm", head=head), LATER)) == ("kept", None)
    assert confirmations() == []
    assert state() == "in-check"


def test_what_goes_to_the_envelope_sender_is_a_programs(letter):
    raw = reply(letter, "confirm").replace(b"To: pocdir@pocdir.example", report(letter).splitlines()[2])
    assert result(came_in(raw, LATER)) == ("kept", None)


def test_a_reply_within_a_minute_and_a_half_may_be_a_programs(letter):
    assert result(came_in(reply(letter, "confirm"), NOW + dt.timedelta(seconds=89)))[0] == "waits"
    assert confirmations() == []


def test_only_the_sign_that_left_with_the_letter_proves_anything(letter):
    """Message-ID and reference stand on the outbox's page, for stewards and admins to see."""
    good = subject(letter)
    for about in (letter.subject, good.replace(".", ".a")[:-2] + "]", "confirm", good[:-3] + "aa]"):
        assert result(came_in(reply(letter, "confirm", about=about), LATER))[0] == "waits"
    assert confirmations() == []
    assert state() == "in-check"


def test_the_same_mail_again_is_one_row_and_one_event(letter):
    raw = reply(letter, "confirm")
    assert came_in(raw, LATER).ref == came_in(raw, LATER + DAY).ref
    again = came_in(reply(letter, "confirm", head="X-Again: 1"), LATER + DAY)
    assert result(again)[0] == "acted"
    assert len(confirmations()) == 1
    assert entries.entry("cert-example").team.confirmed_at == LATER


def test_an_entry_that_was_changed_since_is_not_confirmed_by_a_word(letter):
    made.imported(made.file(made.team_json(name="CERT of Example")))
    assert result(came_in(reply(letter, "confirm"), LATER)) == (
        "waits", "the entry was changed since you read it; read it again",
    )  # fmt: skip
    assert confirmations() == []


def test_a_reply_dies_with_the_link_of_its_letter(letter):
    with transaction() as session:
        marking.mark_address(
            session,
            kind="email",
            value=letter.to,
            state="withdrawn",
            evidence="by phone",
            now=LATER,
            actor="x",
        )
    assert result(came_in(reply(letter, "confirm"), LATER))[0] == "waits"
    assert result(came_in(reply(letter, "confirm", head="X-Late: 1"), NOW + 181 * DAY))[0] == "waits"
    assert state() == "withdrawn"


def test_a_reply_after_the_check_was_closed_is_as_good(letter):
    with transaction() as session:
        check = checks.check_by_ref(letter.notification, session, lock=True)
        actions.close_what_ended(session, check, in_use=True, now=NOW + 29 * DAY)
    assert the_check().result == "unanswered"
    assert result(came_in(reply(letter, "confirm"), NOW + 40 * DAY))[0] == "acted"
    assert the_check().result == "confirmed"


def test_the_letter_names_the_word_where_a_relay_is_set_up(app, letter, monkeypatch):
    assert "“confirm”" not in letter.body
    given = dataclasses.replace(
        app.extensions["pocdir"], smtp_url="smtp://localhost", mail_from="pocdir@pocdir.example"
    )
    monkeypatch.setitem(app.extensions, "pocdir", given)
    entry = entries.entry("cert-example")
    assert "the one word “confirm” on the first line" in post().compose(entry, the_check(), False).body
