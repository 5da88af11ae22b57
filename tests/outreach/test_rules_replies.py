"""What a reply to a notification says: its first line, its ticket, its date, and whether a program may have sent it."""

from __future__ import annotations

import csv
import datetime as dt
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.mail.rules import classes, mime
from pocdir.outreach.replies.rules import automatic, dates
from pocdir.outreach.replies.rules.authentication import signed_sender
from pocdir.outreach.replies.rules.words import PHRASES, said
from pocdir.outreach.rules.recipient import ACTIONS

REF = "019a5c1e-7d00-7a10-9f00-0242ac120002"
SENT, MESSAGE_ID = f"[TLP:GREEN] [pocdir {REF}] Sinkhole hits 2026-11", "<ours@pocdir.example>"
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(("line", "choice", "filled_in"), [
    ("Received, ticket #ABC-12", "received", {"ticket": "ABC-12"}), ("received: 4711", "received", {"ticket": "4711"}),
    ("bien reçu, dossier #55", "received", {"ticket": "55"}), ("收到 #55", "received", {"ticket": "55"}),
    ("Passed on to 31 operators.", "passed_on", {"count": 31}), ("已转交31家", "passed_on", {"count": 31}),
    ("transmis à 3 opérateurs", "passed_on", {"count": 3}), ("передали 12 операторам", "passed_on", {"count": 12}),
    ("تم التحويل", "passed_on", {}), ("NOT FOR US: CERT.at, ask them?", "not_ours", {"ask": "CERT.at, ask them?"}),
    ("нужно: порты?", "need", {"note": "порты?"}), ("Hecho", "done", {}), ("*done*", "done", {}),
])  # fmt: skip
def test_the_first_line_makes_a_choice(line: str, choice: str, filled_in: dict[str, Any]) -> None:
    found = said(f"\n{line}\n\n> quoted")
    assert found is not None
    assert (found.choice, dict(found.filled_in), found.is_all) == (choice, filled_in, True)


@pytest.mark.parametrize("line", [
    "done?", "not done", "done but", "received?", "not received", "received 31", "received #1 and #2", "need",
    "need?: a", "passed on: to x", "done: all",
    "> received", "«done»", "~done~", "d\u0336one", "31", "forwarded 31 31", "",
    "Forwarded 12 Nov", "forwarded 12 pm", "transmis 3 mai", "переслали 5 ноября", "已转交12月", "reenviado 9 nov",
    "received: see below please", "not ours?: ask", "need: " + "a" * 600, "hello\ndone",
    "Received: 23.11.2026", "Received: 2026-11-23", "reçu : 23/11/26", "received: mx1.cert.example", "收到: 10.0.0.1",
])  # fmt: skip
def test_what_is_no_choice_is_free_text(line: str) -> None:
    assert said(line) is None


def test_every_choice_has_words_in_six_languages() -> None:
    assert set(PHRASES) <= set(ACTIONS)
    assert {frozenset(by) for by in PHRASES.values()} == {frozenset(("en", "ar", "zh", "fr", "ru", "es"))}
    for choice, by in PHRASES.items():
        for phrase in (each for phrases in by.values() for each in phrases):
            found = said(f"{phrase}: abc" if choice == "need" else phrase)
            assert found is not None
            assert found.choice == choice


@pytest.mark.parametrize(("subject", "number"), [
    (f"[cert.example #4711] Re: {SENT}", "4711"), (f"Re: {SENT} [Ticket ID: 2026112310000012]", "2026112310000012"),
    (f"INC0012345 - {SENT}", "INC0012345"), (f"[CERT-12345] {SENT}", "CERT-12345"), (f"Обращение № 55: {SENT}", "55"),
    (f"Re: {SENT}", None), (f"Re: {SENT.replace(']', '.aaaaaaaaaaaaa]', 2)}", None), ("Out of office until 2026", None),
])  # fmt: skip
def test_a_ticket_number_is_one_that_is_new_in_the_subject(subject: str, number: str | None) -> None:
    assert automatic.ticket(subject, sent=SENT) == number


@pytest.mark.parametrize(("date", "at", "precision"), [
    ("Sun, 22 Nov 2026 12:30:00 +0100", NOW - dt.timedelta(minutes=30), "exact"),
    ("Sun, 22 Nov 2026 12:04:00 +0000", NOW, "exact"),
    ("Sun, 22 Nov 2026 10:58:00 +0000", NOW - dt.timedelta(hours=1), "exact"),
    ("Sun, 22 Nov 2026 12:30:00 +0000", NOW, "bounded"), ("Sun, 22 Nov 2020 12:30:00 +0000", NOW, "bounded"),
    ("", NOW, "bounded"), ("Sun, 99 Nov 2026 99:99:99 +9999", NOW, "bounded"), ("a" * 9000, NOW, "bounded"),
])  # fmt: skip
def test_a_date_counts_between_our_sending_and_our_receipt(
    date: str, at: dt.datetime, precision: str
) -> None:
    assert dates.written(date, since=NOW - dt.timedelta(hours=1), until=NOW) == (at, precision)


@given(st.text(max_size=300), st.text(max_size=120))
def test_no_words_raise(text: str, value: str) -> None:
    said(text)
    dates.written(value, since=NOW, until=NOW)
    dates.raw(value)
    head = f"Authentication-Results: {value}\nFrom: {value}\nSubject: {value}\nIn-Reply-To: {MESSAGE_ID}\n\n{text}"
    mail = mime.read(head.encode("utf-8", "replace"))
    signed_sender(mail.head, server="mx.example")
    automatic.subclass(mail, sent=SENT)
    automatic.doubt(mail, sent=SENT, message_id=MESSAGE_ID, has_word=False)


def test_no_line_takes_long_to_read() -> None:
    for piece in (
        "#",
        "(",
        '"',
        "received #",
        "ticket ",
        "[A",
        "passed on 1",
        "автомат",
        "header.d=",
        "1" * 9 + " ",
    ):
        text = piece * (20_000 // len(piece))
        said(text)
        automatic.ticket(text[:4000], sent=SENT)
        mail = mime.read(f"Authentication-Results: {text}\nFrom: a@b\nSubject: {text}\n\n{text}".encode())
        automatic.doubt(mail, sent=SENT, message_id=MESSAGE_ID, has_word=False)
        signed_sender(mail.head, server="mx.example")


@pytest.mark.parametrize("cases", [600, pytest.param(20_000, marks=pytest.mark.long)])
def test_no_mutated_mail_of_a_program_is_taken_for_a_persons_word(shared_data: Path, cases: int) -> None:
    """Each with every proof of a reply; bytes are dropped, doubled, changed and mixed with another mail's text."""
    folder, draw = shared_data / "mail", random.Random(cases)
    with (folder / "manifest.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["label"] not in ("human", "other")]
    programs = [
        (folder / row["path"]).read_bytes()[:20_000] for row in rows if "groupwise_03" not in row["path"]
    ]
    for _ in range(cases):
        head, _, body = draw.choice(programs).replace(b"\r\n", b"\n").lstrip(b"\n").partition(b"\n\n")
        body = bytearray(body)
        for _change in range(draw.randrange(4)):
            at = draw.randrange(len(body) + 1)
            body[at : at + draw.randrange(40)] = draw.choice(
                (b"", bytes([draw.randrange(256)]), body[at : at + 20])
            )
        raw = b"In-Reply-To: " + MESSAGE_ID.encode() + b"\n" + head + b"\n\n" + bytes(body)
        mail = mime.read(raw)
        of = classes.classify(mail, sender=None, is_to_envelope=False)
        if of.name == classes.HUMAN:
            assert automatic.doubt(mail, sent=SENT, message_id=MESSAGE_ID, has_word=True), mail.text
