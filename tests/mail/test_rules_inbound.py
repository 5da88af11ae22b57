"""Reading mail of any bytes: what it says, of which letter, and whether a person wrote it."""

from __future__ import annotations

import csv
from email.header import decode_header
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.mail.rules import classes, delivery, first_line, mime, redaction, references
from pocdir.mail.rules.envelope import envelope_sender, reply_sign
from pocdir.mail.rules.first_line import CONFIRM, RECEIVED, first_word
from pocdir.mail.rules.headers import signed

SECRET, REF = b"s" * 32, "019a5c1e-7d00-7a10-9f00-0242ac120002"


def looked(raw: bytes) -> tuple[mime.Read, classes.Class, references.References]:
    mail = mime.read(raw)
    named = references.references(mail, to=None, secret=SECRET)
    return mail, classes.classify(mail, sender=None, is_to_envelope=named.is_to_envelope), named


@pytest.mark.parametrize("text", [
    "confirm", "Confirmed.", " *confirm* \n\n-- \nAnna", "\n\n> is this right?\n\nWe confirm!", "أؤكد",
    "تَأكيد", "确认。",
    "Je confirme !", "CONFIRMÉ", "Подтверждаю", "Confirmo", "confirm\nOn Monday, 23 November, Main wrote:\n> is it?",
    "confirm\n\n-----Original Message-----\nFrom: Main\nno", "\u200fconfirm\u200f",
    "confirm\n\nOn Mon, 23 Nov 2026 at 10:00 Main <\nmain@cert.example> wrote:\n\n> is it?",
    "confirm\n\nVon: Main\nGesendet: Montag\nAn: CERT\nBetreff: is it?",
    "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nconfirm\n\n- -- \nAnna\n-----BEGIN PGP SIGNATURE-----\n\niQ\n",
])  # fmt: skip
def test_the_first_line_confirms(text: str) -> None:
    assert first_word(text) == CONFIRM


@pytest.mark.parametrize("text", ["received", "Bien reçu", "收到", "Получено.", "recibido", "تم الاستلام"])
def test_the_first_line_says_that_it_came(text: str) -> None:
    assert first_word(text) == RECEIVED


@pytest.mark.parametrize("text", [
    "", "> confirm", "-- \nconfirm", "confirm?", "确认？", "Not confirmed", "confirm, but the phone is wrong",
    "Hello\nconfirm",
    "confirm\nbut the address is dead", "confirm\n\nBest regards\nAnna", "confirm\n> 1\nthat is wrong", "confirm:",
    "confirm;", "confirm\u037e", "“confirm”", "«Подтверждаю»", "~confirm~", "'confirm'", "c\u0336o\u0336nfirm",
    "confirm\nbut this is wrong:\n> 123", "confirm\nFrom: now on, another address is right", "confirm\n" + "-" * 300,
    "confirm\n-----BEGIN PGP SIGNED MESSAGE-----\n\nnot yet\n", "confirm\n-----BEGIN PGP MESSAGE-----\n\nhQ\n",
    "On Monday somebody wrote:\n> confirm", "unconfirmed", "From: a\nconfirm", "confirm" * 100,
])  # fmt: skip
def test_what_is_not_said_on_the_first_line_is_not_said(text: str) -> None:
    assert first_word(text) is None


def test_no_line_takes_long_to_read() -> None:
    for text in ("-" * 20_000, "--- " * 5_000, "\n" * 19_000 + ">", "From:" * 4_000, "a:\n" * 6_000 + ">"):
        assert first_word("confirm\n" + text) in (None, CONFIRM)
    mime.read(b"Content-Type: text/html\n\n" + b"<style" * 30_000)


def test_a_word_counts_only_where_it_is_all_that_a_reader_sees() -> None:
    plain, html = "Content-Type: text/plain\n\nconfirm\n", "Content-Type: text/html\n\n<p>no</p>\n"

    def is_all(kind: str, *parts: str) -> bool:
        inside = "".join(f"--a\n{part}" for part in parts)
        return mime.read(f"Content-Type: multipart/{kind}; boundary=a\n\n{inside}--a--\n".encode()).is_all

    assert mime.read(b"Subject: a\n\nconfirm\n").is_all
    assert is_all("alternative", html, plain)
    assert is_all("mixed", plain, "Content-Type: image/png\n\nPNG\n")
    for parts in ((html, plain), (plain, html), (plain, plain), (plain.replace("\n", "; name=a.txt\n", 1),)):
        assert not is_all("mixed", *parts)
    assert not mime.read(b"Subject: a\n\nconfirm\n" + b" " * mime.LONGEST_TEXT + b"not").is_all


def test_html_alone_is_read_as_plain_text() -> None:
    mail = mime.read(
        b"Content-Type: text/html\n\n<style>p {}</style><!-- > --><p>Our <b>phone</b>\nis&nbsp;new<br>Anna"
    )
    assert (mail.text, mail.is_all) == ("Our phone is new\nAnna", False)


@pytest.mark.parametrize("text", [
    "[pocdir {ref}.{sign}]", "[pocdir\n{ref}.{sign}]", "[pocdir\t{ref}.\n{sign}", "[pocdir {ref}.{half}",
    "https://a.example/r/entry/{token}", "https://b.example/?u=https%3A%2F%2Fa.example%2Fr%2Fentry%2F{token}",
    "https://a.example/welcome/{token}", "/join/{token}", "/feed/{token}", "/route/{token}/parcels.zip",
    "/claim/{token}", "/proposed/{token}", "/r/entry/\n{token}", "for <pocdir+{envelope}@a.example>",
    "SRS0=x=y=a.example=pocdir+{envelope}@b.example",
])  # fmt: skip
def test_no_secret_of_a_letter_is_shown(text: str) -> None:
    sign, token = reply_sign(SECRET, REF), "Aa1_" * 13
    envelope = envelope_sender(SECRET, "pocdir@a.example", REF)[7:46]
    text = text.format(ref=REF, sign=sign, half=sign[:8], token=token, envelope=envelope)
    shown = references.without_secrets(text), redaction.without_secrets_of_ours(text.encode()).decode()
    assert not any(
        each in said for each in (sign[:8], token[:8], token[-8:], envelope[-8:]) for said in shown
    )


@pytest.mark.parametrize(("line", "found"), [
    ("person@cert.example (Some One)", "person@cert.example"), ('"A, B" <Person@CERT.example>', "Person@CERT.example"),
    ("(a) person@cert.example", "person@cert.example"), ("=?utf-8?q?A?= <a@b>", "a@b"), ("nobody", "nobody"),
])  # fmt: skip
def test_an_address_is_found_without_name_and_comment(line: str, found: str) -> None:
    assert classes.address(line) == found


def test_an_encoded_line_break_makes_no_header_and_no_line() -> None:
    raw = (
        b"Subject: =?utf-8?q?hello=0D=0ABcc:_all=40example.org=00?=\r\nX-Pocdir-Confirm: yes\r\n\r\nhello\r\n"
    )
    mail, _of, _named = looked(raw)
    assert mail.subject == "hello Bcc: all@example.org"
    assert "bcc" not in mail.head.headers
    assert first_word(mail.text) is None


def test_the_text_is_found_in_a_nest_of_parts_and_attachments_are_counted() -> None:
    raw = b"""Content-Type: multipart/mixed; boundary=a

--a
Content-Type: multipart/alternative; boundary="b b"

--b b
Content-Type: text/html

<p>never rendered</p>
--b b
Content-Type: text/plain; charset=ISO-8859-1
Content-Transfer-Encoding: quoted-printable

confirm=E9
--b b--
--a
Content-Type: text/plain
Content-Disposition: attachment; filename=a.txt

confirm
--a
Content-Type: application/zip

PK
--a--
"""
    mail, _of, _named = looked(raw)
    assert mail.text.strip() == "confirmé"
    assert mail.attachments == 2


def test_a_letter_is_named_by_envelope_subject_and_message_id() -> None:
    to = envelope_sender(SECRET, "pocdir@pocdir.example", REF)
    subject = signed(f"Re: Is it right? [pocdir {REF}]", reply_sign(SECRET, REF))
    raw = f"To: <{to.upper()}>\r\nSubject: {subject}\r\nReferences: <a@b> <c@d>\r\n\r\n".encode()
    named = looked(raw)[2]
    assert named.letters == (REF,)
    assert named.tags == ((REF, reply_sign(SECRET, REF)),)
    assert named.message_ids == ("<a@b>", "<c@d>")
    forged = to.replace("+", "+a", 1)
    assert looked(f"To: {forged}\r\n\r\n".encode())[2].letters == ()


def test_a_report_speaks_of_each_recipient_by_its_action() -> None:
    said = b"""Reporting-MTA: dns; mx.example.org

Final-Recipient: rfc822; <CERT@example.org>
Action: failed
Status: 5.0.0
Diagnostic-Code: smtp; 550-5.1.1 no such user

Final-Recipient: rfc822; member@example.org
Original-Recipient: rfc822; list@example.org
Action: Delayed (for now)
Status: 4.4.1
"""
    found = delivery.recipients([said])
    cert = delivery.of_address(found, "cert@EXAMPLE.org")
    assert cert is not None
    assert cert.has_no_mailbox
    assert cert.status == "5.1.1"
    assert delivery.of_address(found, "list@example.org") is None  # it has a dead member, and lives
    delayed = delivery.of_address(found, "member@example.org")
    assert delayed is not None
    assert (delayed.action, delayed.has_no_mailbox) == ("delayed", False)
    assert delivery.of_address(found, "other@example.org") is None
    assert not delivery.Recipient("a@b", "failed", "5.7.1").has_no_mailbox


def test_ten_thousand_recipients_a_deep_nest_and_a_long_head_are_read_in_part() -> None:
    block = b"Final-Recipient: rfc822; a%d@example.org\nAction: failed\n\n"
    assert len(delivery.recipients([b"".join(block % n for n in range(10_000))])) == delivery.MOST_RECIPIENTS
    nest = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(5_000))
    for raw in (nest, b"A:" * (1 << 20), b"A: b\n" * 200_000, b"Subject: " + b"=?utf-8?q?=00?= " * 60_000):
        looked(raw)
    wide = b"Content-Type: multipart/mixed; boundary=a\n\n" + b"--a\nContent-Type: image/png\n\n" * 20_000
    assert looked(wide)[0].attachments == mime.MOST_PARTS


def test_of_many_encoded_heads_few_words_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    heads = (b"Subject: " + b"=?utf-8?q?=00?= " * 99 + b"\n") * 9
    part = b"--a\nContent-Type: message/rfc822\n\n" + heads + b"\n"
    count = 0

    def counted(value: str) -> object:
        nonlocal count
        count += value.count("=?")
        return decode_header(value)

    monkeypatch.setattr(mime, "decode_header", counted)
    looked(b"Content-Type: multipart/mixed; boundary=a\n" + heads + b"\n" + part * mime.MOST_PARTS)
    assert 0 < count <= (references.MOST_SUBJECTS + 9) * mime.MOST_WORDS
    count = 0
    looked(heads.replace(b"\n", b" =?utf-8?q?a?= =?utf-8?q?a?=\n") + b"\n")
    assert count == 0


PIECES = st.sampled_from([
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=a\n", b"\n", b"--a\n", b"--a--",
    b"\r\n\r\n",
    b"Content-Type: message/delivery-status\n\n", b"Action: failed\n", b"Subject: =?utf-8?b?", b"=?x?q?=?=",
    b"\x00\xff",
    b"Content-Transfer-Encoding: base64\n\nAAA", b"Content-Type: text/plain; charset=utf-7; charset*=\n\n",
    b"> confirm\n",
    f"Subject: [pocdir {REF}.aaaaaaaaaaaaa]\n".encode(), b"To: a+" + b"a" * 39 + b"@b\n", b"From: <<>>\n", b"confirm",
])  # fmt: skip


@given(st.one_of(st.binary(max_size=400), st.lists(PIECES, max_size=12).map(b"".join)))
def test_no_bytes_raise(raw: bytes) -> None:
    mail, of, named = looked(raw)
    assert of.name in classes.CLASSES
    assert not named.letters
    assert "\x00" not in first_line.own_words(mail.text) + "".join(named.message_ids)
    assert mail.subject == "" or mail.subject.isprintable() or "\N{REPLACEMENT CHARACTER}" in mail.subject
    delivery.recipients(mail.reports)
    first_word(mail.text)


def test_of_real_mail_no_robot_says_the_word_and_people_are_people(shared_data: Path) -> None:
    folder, people = shared_data / "mail", []
    with (folder / "manifest.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        mail, of, _named = looked((folder / row["path"]).read_bytes())
        assert first_word(mail.text) is None, row["path"]
        if row["label"] == "human":
            people.append(of.name == classes.HUMAN)
    assert sum(people) >= 0.98 * len(people)


@pytest.mark.parametrize(
    ("line", "is_of_another"),
    [
        (
            "relay=mx.poc.example[192.0.2.25]:25, proto=ESMTP, status=sent (250 2.0.0 Ok)",
            False,
        ),  # it names nobody
        ("to=<reports@POC.example>, relay=mx.poc.example", False),
        ("to=<desk@poc.example>, orig_to=<reports@poc.example>, relay=mx.poc.example", False),
        ("to=<desk@poc.example>,<reports@poc.example>, ctladdr=<x@lab.example>", False),
        ("to=<report@poc.example>, relay=mx.poc.example", True),
        ("from=<reports@poc.example>, to=report@poc.example, relay=mx.poc.example", True),
    ],
)
def test_a_line_of_a_log_is_of_the_addresses_that_it_names(line: str, is_of_another: bool) -> None:
    assert delivery.is_of_another(line, "reports@poc.example") == is_of_another
