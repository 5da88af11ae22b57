"""A simulated year of what is asked for and of what comes: clocks that change, outages, and answers by every way."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.ledger.queries import events_of_notifications
from pocdir.mail import actions as outbox
from pocdir.mail.models import Mail
from pocdir.outreach import jobs
from pocdir.outreach.actions import recipient
from pocdir.outreach.actions.bulk import record_for_many
from pocdir.outreach.actions.spreadsheet import import_spreadsheet
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import notification_to_change
from pocdir.outreach.queries.projections import differences
from pocdir.outreach.queries.spreadsheet import matched
from pocdir.outreach.queries.tickets import with_ticket
from pocdir.outreach.replies import actions as replies
from pocdir.outreach.rules.expectations import Expected
from pocdir.outreach.rules.fold import response_group
from pocdir.outreach.rules.letter import MAIL, reference_tag
from pocdir.outreach.rules.recipient import LIFE
from pocdir.outreach.rules.spreadsheet import read_spreadsheet
from tests.latency.made import DAY, HOUR, Own, event, told
from tests.mail.replies import came_in, reply, subject
from tests.outreach import made

SECOND = dt.timedelta(seconds=1)
START = dt.datetime(2027, 10, 20, tzinfo=dt.UTC)  # with both changes of clocks, and 2028-02-29 in it
SIZES = [12, pytest.param(800, marks=pytest.mark.long)]
YEARS = [44, pytest.param(1500, marks=pytest.mark.long)]
WITHIN = {"PT24H": DAY, "P1D": DAY, "PT36H": 36 * HOUR, "P2D": 2 * DAY, "P14D": 14 * DAY}
CHANGES = (  # by the hand of a clock: the hour that is missing, the one that is there twice, the day that is rare
    dt.datetime(2028, 3, 26, 1, 30, tzinfo=ZoneInfo("Europe/Vienna")),
    dt.datetime(2027, 10, 31, 2, 30, fold=0, tzinfo=ZoneInfo("Europe/Vienna")),
    dt.datetime(2027, 10, 31, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Vienna")),
    dt.datetime(2028, 3, 12, 1, 59, 59, tzinfo=ZoneInfo("America/New_York")),
    dt.datetime(2028, 2, 28, 18, tzinfo=ZoneInfo("America/New_York")),
    dt.datetime(2028, 2, 29, 23, 30, tzinfo=dt.UTC),
)


def rounds(chance: random.Random, until: dt.datetime) -> Iterator[dt.datetime]:
    """When the worker goes round: every few hours, but for outages of up to three weeks."""
    at = START
    while at < until:
        at += (
            chance.randrange(1, 21 * 24) * HOUR if chance.random() < 0.05 else chance.randrange(1, 20) * HOUR
        )
        yield at


@pytest.mark.parametrize("count", SIZES)
def test_each_lapse_of_a_year_is_recorded_once_and_dated_when_due(
    app: Flask, lab: Workspace, count: int
) -> None:
    chance = random.Random(count)
    made.teams(START)
    drawn = [START + chance.randrange(365 * 86400) * dt.timedelta(seconds=1) for _ in range(count)]
    sendings = sorted(at.astimezone(dt.UTC) for at in (*drawn, *CHANGES))
    due: dict[str, dt.datetime] = {}
    for now in rounds(chance, START + 400 * DAY):
        while sendings and sendings[0] <= now:
            at, (within, length) = sendings.pop(0), chance.choice(list(WITHIN.items()))
            due[told(lab, at=at, recorded=now, expect=(Expected("acknowledgement", within),))] = at + length
        jobs.record_lapses(now)
    assert len(due) == count + len(CHANGES)
    for ref, found in events_of_notifications(list(due)).items():
        lapses = [it for it in found if it.type == "expectation.lapsed"]
        assert [it.occurred_at for it in lapses] == [due[ref]]
        assert lapses[0].recorded_at >= due[ref]
    assert list(differences()) == []


class Sender:
    """A researcher's year: what is told, what comes back by which way, and how it gets into the record."""

    def __init__(self, lab: Workspace, chance: random.Random) -> None:
        self.lab, self.chance, self.own = lab, chance, Own(lab.id)
        self.answered: set[str] = set()  # the truth
        self.lines: dict[str, tuple[dt.datetime, str]] = {}  # of the old spreadsheet: date, answered
        self.tickets = 0

    def ways(self) -> tuple[Callable[[dt.datetime], Any], ...]:
        return (
            self.never, self.never, self.never, self.robot, self.page, self.forwarded, self.mail, self.phone,
            self.late, self.merged, self.spreadsheet,
        )  # fmt: skip

    def tell(self, at: dt.datetime, **more: Any) -> str:
        return told(self.lab, at=at, recorded=at + self.chance.randrange(3) * HOUR, **more)

    def record(self, refs: list[str], type_: str, at: dt.datetime, now: dt.datetime, **payload: Any) -> None:
        with transaction() as session:
            done = record_for_many(
                session, refs, self.own, type=type_, payload=payload, now=now, actor="user:a", occurred_at=at,
            )  # fmt: skip
        assert [each.refused for each in done] == [None] * len(refs)

    def press(self, ref: str, choice: str, now: dt.datetime, **filled_in: Any) -> None:
        with transaction() as session:
            row = notification_to_change(ref, session)
            assert row is not None
            recipient.answer(session, row, choice=choice, filled_in=filled_in, now=now)

    def never(self, at: dt.datetime) -> None:
        self.tell(at)

    def robot(self, at: dt.datetime) -> None:
        """A ticket mail, or nobody is there: no person has answered."""
        kind = self.chance.choice(("receipt", "out_of_office", "other"))
        event(self.lab, self.tell(at), "reply.automatic", at=at + HOUR, recorded=at + 4 * HOUR, subclass=kind)

    def page(self, at: dt.datetime) -> None:
        choice = self.chance.choice(("received", "passed_on", "not_ours", "need", "done", "contest"))
        ref = self.tell(at)
        self.press(ref, choice, at + self.chance.randrange(3, 2000) * HOUR)
        self.answered.add(ref)

    def forwarded(self, at: dt.datetime) -> None:
        """The team passes the mail on without a word, and an operator behind it answers: by the link, or to us."""
        ref, later = self.tell(at), at + self.chance.randrange(5, 900) * HOUR
        if self.chance.random() < 0.5:
            self.press(ref, "done", later, note="We are the operator; cleaned up.")
        else:
            self.record([ref], "reply.human", later, later + 9 * HOUR, via="email", note="from the operator")
        self.answered.add(ref)

    def mail(self, at: dt.datetime) -> None:
        ref, later = self.tell(at), at + self.chance.randrange(1, 300) * HOUR
        self.record([ref], "reply.human", later, later + self.chance.randrange(1, 200) * HOUR, via="email")
        self.answered.add(ref)

    def phone(self, at: dt.datetime) -> None:
        """Called, and written down later; one call in a hundred never is."""
        ref, later = self.tell(at), at + self.chance.randrange(1, 400) * HOUR
        if self.chance.random() < 0.99:
            self.record([ref], "ack.given", later, later + self.chance.randrange(1, 60) * DAY, via="phone")
        self.answered.add(ref)

    def late(self, at: dt.datetime) -> None:
        """When the link has long ended a reply still comes, and is dated when it came."""
        ref, later = self.tell(at), at + LIFE + self.chance.randrange(1, 150) * DAY
        self.record([ref], "reply.human", later, later + DAY, via="email", note="Sorry for the delay.")
        self.answered.add(ref)

    def merged(self, at: dt.datetime) -> None:
        """Three reports become one ticket, of which one mail speaks once."""
        self.tickets += 1
        ticket, refs = f"INC-{self.tickets}", [self.tell(at + n * DAY) for n in range(3)]
        for n, ref in enumerate(refs):
            event(self.lab, ref, "reply.automatic", at=at + n * DAY + HOUR, recorded=at + 4 * DAY,
                  subclass="receipt", ticket=ticket)  # fmt: skip
        later = at + self.chance.randrange(5, 90) * DAY
        found = with_ticket(self.own, ticket, team="cert-at")
        assert found == refs
        self.record(found, "reply.human", later, later + DAY, ticket=ticket)
        self.answered.update(refs)

    def spreadsheet(self, at: dt.datetime) -> None:
        """Kept as before, brought when it is logged and again when `answered` was filled in."""
        subject, day = f"Hits {len(self.lines)}", at.date().isoformat()
        for answered, now in (("", at + DAY), ((at + 30 * DAY).date().isoformat(), at + 40 * DAY)):
            text = f"contact,date,answered,subject\nreports@cert.example,{day},{answered},{subject}\n"
            lines = matched(read_spreadsheet(text.encode(), now=now), workspace_id=self.lab.id, now=now)
            with transaction() as session:
                (done,) = import_spreadsheet(
                    session, lines, workspace_id=self.lab.id, now=now, actor="user:a"
                )
        assert done.ref is not None
        self.lines[done.ref] = (at, subject)
        self.answered.add(done.ref)


WORDS = (
    "received #77", "Received, we look into it.\n\nAnna", "получено", "已转交31家", "Nous regardons cela.\n\nJean",
    "done", "passed on 3\n\n-- \nSOC", "تم الاستلام", "Hello, which ports were these?\n\nBob",
)  # fmt: skip
ADDRESS = "reports@cert.example"


class ByMail(Sender):
    """The same year, where much is sent by this service, and what comes back is read as it came over the wire.

    What the reader leaves to a person, one looks at, but for one in a hundred; what names nothing of ours is lost.
    """

    def ways(self) -> tuple[Callable[[dt.datetime], Any], ...]:
        by_mail = self.programs_mail, self.reply, self.passed_on, self.late_reply, self.merged_by_their_desk
        return (*super().ways(), self.never, self.never, *by_mail)

    def sent(self, at: dt.datetime) -> Mail:
        ref = self.tell(at, channel=("email", ADDRESS), tlp="TLP:GREEN")
        with transaction() as session:
            queued = outbox.enqueue(
                session, kind=MAIL, to=ADDRESS, subject=f"[TLP:GREEN] {reference_tag(ref)} Hits", body="b", key=ref,
                team="cert-at", domain="pocdir.example", notification=ref, tlp="TLP:GREEN", automatic=False,
                confidential=True, now=at,
            )  # fmt: skip
            outbox.mark_sent_by_hand(session, ref=queued.ref, now=at, actor="user:a")
            letter = session.query(Mail).filter_by(ref=queued.ref).one()
            session.expunge(letter)
        return letter

    def comes_back(
        self, letter: Mail, text: str, at: dt.datetime, *, head: str = "", about: str | None = None
    ) -> str:
        """What becomes of it where nobody looks; then a person does, mostly."""
        raw = reply(letter, text, head=f"Date: {at:%a, %d %b %Y %H:%M:%S} +0000\n{head}", about=about)
        row = came_in(raw, at + self.chance.randrange(1, 60) * 60 * SECOND)
        if row.result == "waits" and self.chance.random() < 0.99:
            with transaction() as session:
                found = notification_to_change(letter.notification or "", session)
                assert found is not None
                say = replies.see if "Auto" in head else replies.take_as_answer
                say(session, mail=row.ref, notification=found, now=at + DAY, actor="user:a")
        return row.result or ""

    def programs_mail(self, at: dt.datetime) -> None:
        letter = self.sent(at)
        head, about, text = self.chance.choice(
            (
                (
                    "Auto-Submitted: auto-replied",
                    f"[cert.example #4711] {subject(letter)}",
                    "We have received it.",
                ),
                ("X-Autoreply: yes", f"Out of office: {subject(letter)}", "I am back on Monday."),
                ("Auto-Submitted: auto-generated", None, "Received"),
            )
        )
        self.comes_back(letter, text, at + 2 * HOUR, head=head, about=about)

    def reply(self, at: dt.datetime) -> None:
        letter = self.sent(at)
        self.comes_back(letter, self.chance.choice(WORDS), at + self.chance.randrange(1, 300) * HOUR)
        self.answered.add(letter.notification or "")

    def passed_on(self, at: dt.datetime) -> None:
        """Through other hands: with our subject, with another one in the thread, or with nothing that is ours."""
        letter, later = self.sent(at), at + self.chance.randrange(5, 900) * HOUR
        ref, way = letter.notification or "", self.chance.random()
        about = None if way < 0.6 else f"Fwd: {reference_tag(ref)}" if way < 0.8 else "infected machines"
        if way >= 0.95:
            letter.message_id = "<lost@isp.example>"
        said = self.comes_back(
            letter, "We are the operator; cleaned up.", later, head="X-Passed-By: isp", about=about
        )
        assert way < 0.95 or said == "unmatched"
        self.answered.add(ref)

    def late_reply(self, at: dt.datetime) -> None:
        letter = self.sent(at)
        self.comes_back(letter, "Sorry for the delay.", at + LIFE + self.chance.randrange(1, 150) * DAY)
        self.answered.add(letter.notification or "")

    def merged_by_their_desk(self, at: dt.datetime) -> None:
        """The robot of their desk merges three, a person answers one of them; the sender says that it is for all."""
        self.tickets += 1
        letters = [self.sent(at + n * DAY) for n in range(3)]
        for n, letter in enumerate(letters):
            about = f"[cert.example #{self.tickets}000] {subject(letter)}"
            head = "Auto-Submitted: auto-replied"
            self.comes_back(letter, "Ticket opened.", at + n * DAY + HOUR, head=head, about=about)
        later = at + self.chance.randrange(5, 90) * DAY
        self.comes_back(letters[1], "done", later)
        refs = [each.notification or "" for each in letters]
        found = with_ticket(self.own, f"{self.tickets}000", team="cert-at")
        assert found == refs
        self.record(found, "outcome.remediation_claimed", later, later + DAY, ticket=f"{self.tickets}000")
        self.answered.update(refs)


@pytest.mark.parametrize("count", YEARS)
def test_hardly_any_no_answer_recorded_had_one(app: Flask, lab: Workspace, count: int) -> None:
    made.teams(START - DAY)
    sender = ByMail(lab, random.Random(count))
    ways = sender.ways()
    for number in range(count):
        ways[number % len(ways)](START + sender.chance.randrange(365 * 24) * HOUR)
        if number % 40 == 39:  # the worker goes round in between, too: what it wrote down stands
            jobs.record_lapses(START + sender.chance.randrange(365) * DAY)
    jobs.record_lapses(START + 900 * DAY)
    db.session.rollback()
    rows = db.session.query(Notification.ref, Notification.response, Notification.transport).all()
    empty = {
        ref
        for ref, response, transport in rows
        if response_group(response, transport) in ("no_answer", "ticket_only")
    }
    wrong = empty & sender.answered
    assert len(empty) > count / 4
    assert len(wrong) <= 0.02 * len(empty)
    assert {
        ref for ref, _, _ in rows
    } - empty <= sender.answered  # and nothing that a robot sent is an answer
    assert list(differences()) == []
