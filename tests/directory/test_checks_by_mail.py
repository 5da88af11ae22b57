"""A team answers our letters by mail, and what else comes back on them."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from sqlalchemy import select

from pocdir.core.errors import Conflict
from pocdir.db import db, transaction
from pocdir.directory.actions import marking
from pocdir.directory.checks import actions
from pocdir.directory.checks import queries as checks
from pocdir.directory.checks.letters import post
from pocdir.directory.merging import actions as merging
from pocdir.directory.models import Address
from pocdir.directory.office import office
from pocdir.directory.queries import entries
from pocdir.ledger.queries import events_of_notification, events_of_team
from pocdir.mail.actions import enqueue
from pocdir.mail.models import Mail, Received
from pocdir.site.queries.ledger import verification
from tests.directory import made
from tests.directory.checking import asked, confirmed, letters, send, state, the_check
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


def test_what_is_written_below_the_word_makes_it_wait(letter):
    for below in ("but the address is dead", "\nBest regards\nA. Person"):
        assert result(came_in(reply(letter, f"Confirmed\n{below}"), LATER)) == ("waits", None)
    for head in ("X-RT-Loop-Prevention: cert.example", "Precedence: bulk", "X-Loop: a@cert.example"):
        assert result(came_in(reply(letter, "confirm", head=head), LATER)) == ("waits", None)
    assert confirmations() == []


def test_the_desk_shows_what_is_proven_first_and_little_of_the_rest(letter):
    with transaction() as session:
        rows = [came_in_row(letter, number) for number in range(250)]
        session.add_all(rows)
    signed = came_in(reply(letter, "the phone is wrong"), LATER)
    waiting = [it for it in checks.waiting(LATER) if it.kind == "reply"]
    assert waiting[0].where == f"/inbox/{signed.ref}"
    assert len(waiting) == 4
    assert not [it for it in checks.waiting(LATER + 31 * DAY) if it.kind == "reply"]


def came_in_row(letter: Mail, number: int) -> Received:
    return Received(
        ref=f"{number:036}", digest=f"{number:064}", raw=b"a", size=1, received_at=NOW, attachments=0,
        mail_class="human", rule="else", letter=letter.ref, proven=False, result="waits",
    )  # fmt: skip


def test_what_is_refused_on_the_way_leaves_nothing_behind(letter, monkeypatch):
    def refuse(*_given, **_more):
        raise Conflict("too_late", "too late")

    monkeypatch.setattr(actions, "_withdraw_letters", refuse)
    assert result(came_in(reply(letter, "confirm"), LATER)) == ("waits", "too late")
    assert (confirmations(), state(), the_check().result) == ([], "in-check", None)


def test_an_automatic_answer_changes_nothing_and_is_kept(letter):
    for head in (
        "Auto-Submitted: auto-replied",
        "X-Autoreply: yes",
        "Return-Path: <>",
        "Precedence: auto_reply",
        "Precedence: junk",
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
    assert "nothing of your own but the one word “confirm”" in post().compose(entry, the_check(), False).body


def test_a_delivery_report_counts_as_a_refusal_of_the_relay_does(letter):
    row = came_in(report(letter), LATER)
    assert result(row) == ("acted", "5.1.1 (a delivery report of mx.cert.example)")
    assert state() == "bouncing"
    assert the_check().result == "undeliverable"
    failed = [it for it in events_of_notification(letter.notification) if it.type == "delivery.failed"]
    assert [(it.id, it.claimed_by, it.payload["status"]) for it in failed] == [
        (row.event, "remote_mta", "5.1.1")
    ]
    marked = [it for it in events_of_team("cert-example") if it.type == "contact.marked_bouncing"]
    assert marked[0].sealed["evidence"] == "mail came back: 5.1.1 (a delivery report of mx.cert.example)"
    assert came_in(report(letter), LATER + DAY).ref == row.ref
    assert verification().faults == ()


def test_what_fails_for_another_reason_is_a_letter_that_did_not_leave(letter):
    assert result(came_in(report(letter, status="5.7.1"), LATER))[0] == "acted"
    assert (state(), the_check().result) == ("in-check", "unsent")


def test_a_report_that_says_no_failure_of_this_address_moves_nothing(letter):
    for action in ("delayed", "delivered", "relayed", "expanded"):
        assert result(came_in(report(letter, action=action, status="2.0.0"), LATER)) == ("kept", None)
    other = came_in(report(letter, about="member@cert.example"), LATER)
    assert result(other)[0] == "waits"
    assert (state(), the_check().result) == ("in-check", None)


def test_a_forged_report_moves_nothing(letter):
    """It knows what the outbox shows: Message-ID and reference."""
    raw = report(letter).replace(subject(letter).encode(), letter.subject.encode())
    raw = raw.replace(raw.splitlines()[2], b"To: pocdir@pocdir.example")
    row = came_in(raw, LATER)
    assert (row.letter, row.proven) == (letter.ref, False)
    assert result(row) == ("kept", None)
    assert state() == "in-check"


def test_a_late_report_does_not_outweigh_a_persons_word(letter):
    came_in(reply(letter, "confirm"), LATER)
    with transaction() as session:
        actions.grow_old(session, kind="email", value=letter.to, evidence="old", now=LATER + DAY)
    assert result(came_in(report(letter), LATER + 2 * DAY))[0] == "waits"
    assert state() == "due"


def test_a_report_that_comes_after_ten_days_waits(letter):
    assert result(came_in(report(letter), NOW + 11 * DAY)) == (
        "waits", "mail came back later than mail servers try",
    )  # fmt: skip
    assert state() == "in-check"


def test_a_letter_comes_back_once_however_often_it_is_reported(letter):
    for number in range(3):
        last = came_in(f"X-Number: {number}\r\n".encode() + report(letter), LATER)
    assert result(last) == ("kept", "that this letter came back is recorded already")
    assert sum(it.type == "delivery.failed" for it in events_of_notification(letter.notification)) == 1


def test_what_a_team_has_confirmed_stays_guarded_when_a_report_says_that_it_bounces(app):
    made.imported(made.file(made.team_json()))
    confirmed(NOW - DAY)
    asked()
    assert result(came_in(report(letters("confirmation")[0]), LATER))[0] == "acted"
    address = db.session.scalars(select(Address).where(Address.value == "cert@cert.example")).one()
    assert (address.state, address.confirmed_at) == ("bouncing", NOW - DAY)


def test_a_dead_member_behind_the_address_says_nothing_of_it(letter):
    original = f"Original-Recipient: rfc822; {letter.to}\r\nFinal-Recipient: rfc822; gone@".encode()
    raw = report(letter, about="member@cert.example").replace(b"Final-Recipient: rfc822; member@", original)
    assert result(came_in(raw, LATER))[0] == "waits"
    assert state() == "in-check"


def test_a_reply_to_a_test_reaches_a_person_and_no_more(app):
    made.imported(made.file(made.team_json()))
    asked("ping")
    letter = letters("ping")[0]
    assert result(came_in(reply(letter, "Ticket 4711 was opened"), LATER))[0] == "waits"
    assert the_check().result is None
    row = came_in(reply(letter, "received"), LATER)
    assert result(row)[0] == "acted"
    assert (the_check().result, the_check().level, state()) == ("answered", 3, "verified")
    (answered,) = [it for it in events_of_notification(letter.notification) if it.type == "ack.given"]
    assert (answered.id, answered.assurance, answered.payload["via"]) == (row.event, "A2", "email")
    assert came_in(reply(letter, "received", head="X-Again: 1"), LATER).event == row.event
    assert confirmations() == []


def test_received_confirms_no_entry(letter):
    assert result(came_in(reply(letter, "received"), LATER))[0] == "waits"
    assert confirmations() == []


@pytest.mark.parametrize(("slug", "into"), [("cert-example", "other"), ("other", "cert-example")])
def test_after_a_merge_a_word_about_what_was_the_whole_entry_then_waits(app, slug, into):
    other = made.team_json("other", name="Other", kind="academic", channels=[made.channel("o@other.example")])
    made.imported(made.file(made.team_json(kind="academic"), other))
    asked()
    with transaction() as session:
        merging.merge(
            session, slug=slug, into=into, reason="one", office=office(), now=LATER, actor="operator"
        )
    assert result(came_in(reply(letters()[0], "confirm"), LATER))[0] == "waits"
    assert not [it for it in events_of_team(into) if it.type == "contact.confirmed"]


def test_what_answers_another_letter_waits_where_a_person_wrote_it(app):
    with transaction() as session:
        enqueue(
            session, kind="proposal_notice", to="cert@cert.example", subject="A change", body="b", key="k",
            domain="pocdir.example", team="cert-example", now=NOW,
        )  # fmt: skip
    send(NOW)
    notice = letters("proposal_notice")[0]
    assert result(came_in(reply(notice, "We did not ask for this"), LATER))[0] == "waits"
    assert result(came_in(reply(notice, "away", head="Auto-Submitted: auto-replied"), LATER))[0] == "kept"
    assert result(came_in(reply(notice, "hello", about="no reference").replace(b"In-Reply-To", b"X-No"), LATER)) == (
        "unmatched", None,
    )  # fmt: skip
