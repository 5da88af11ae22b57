"""The letter to a team, its subject, and the URL that opens a mail program with it."""

from __future__ import annotations

import datetime as dt
from email.message import EmailMessage
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.core import tlp
from pocdir.core.errors import Invalid
from pocdir.ledger.rules.vocabulary import EXPECTED, NOTIFICATION_KINDS
from pocdir.outreach.rules import letter as letters
from pocdir.outreach.rules.letter import Asked, Asset, Matter, Sender, letter, mailto_url, refs_in

REF = "0192f0c1-7c3a-7d8e-9f01-23456789abcd"
OTHER = "0192f0c1-7c3a-7d8e-9f01-23456789abce"
DUE = dt.datetime(2026, 3, 6, 10, 0, tzinfo=dt.UTC)
LINK = "https://pocdir.example/r/AAAA"


def matter(**other):
    given = {
        "kind": "report", "reference": REF, "tlp": tlp.GREEN, "title": "Sinkhole hits in 203.0.113.0/24",
        "about": ("malicious-code", "infected-system"), "message": "They call our sinkhole.",
        "assets": [
            Asset("203.0.113.70", 443, DUE - dt.timedelta(days=2), DUE - dt.timedelta(days=1)),
            Asset("host.example.org"),
        ],
        "asked": [Asked("acknowledgement", DUE)],
        "sender": Sender("A. Researcher", "Sinkhole Lab", "+43 1 234"),
        "link": LINK,
    }  # fmt: skip
    return Matter(**(given | other))


def test_a_letter_says_everything_its_reader_needs():
    written = letter(matter())
    assert written.subject == f"[TLP:GREEN] [pocdir {REF}] Sinkhole hits in 203.0.113.0/24"
    for words in (
        "Sinkhole hits in 203.0.113.0/24",
        "malicious-code / infected-system",
        "They call our sinkhole.",
        "203.0.113.70  port 443  first seen 2026-03-04 10:00  last seen 2026-03-05 10:00",
        "host.example.org",
        "Reply asked for 2026-03-06 10:00 UTC.",
        "A reply is enough.",
        "A. Researcher\nSinkhole Lab\n+43 1 234",
        f"[pocdir {REF}]",
    ):
        assert words in written.body


def test_a_file_that_goes_with_it_is_named_with_its_digest():
    file, digest = letters.File("isp.csv", 12_345, "ab" * 32), f"SHA-256 {'ab' * 32}"
    body = letter(matter(files=[file])).body
    assert f"A file goes with this: isp.csv, rows: 12345\n  {digest}\nIf it is not attached, the link" in body
    assert "ask us for it" in letter(matter(files=[file], link=None)).body
    summary = letter(matter(files=[file], content="summary")).body
    assert "isp.csv, rows: 12345\n" in summary
    assert digest not in summary
    assert "isp.csv" not in letter(matter(files=[file], content="reference")).body


def test_the_label_is_first_and_the_link_last():
    body = letter(matter()).body
    assert body.startswith("TLP:GREEN\n\n")
    assert body.endswith(f"\n{LINK}\n")


def test_without_a_link_the_letter_still_says_everything():
    body = letter(matter(link=None)).body
    assert "account" not in body
    assert body.endswith(f"[pocdir {REF}]\n")


def test_a_reply_may_begin_with_the_words_that_are_understood():
    body = letter(matter()).body
    for words in ("received #1234", "passed on 31", "not ours: team@", "need: ", "done"):
        assert f"\n  {words}" in body


def test_for_information_asks_for_nothing():
    body = letter(matter(asked=[])).body
    assert "for your information" in body
    assert "Reply asked for" not in body


def test_a_time_of_another_zone_is_written_in_utc():
    due = DUE.astimezone(dt.timezone(dt.timedelta(hours=5, minutes=30)))
    assert "2026-03-06 10:00 UTC" in letter(matter(asked=[Asked("sample", due)])).body


@pytest.mark.parametrize("kind", NOTIFICATION_KINDS)
def test_each_kind_and_each_wish_has_its_words(kind):
    body = letter(matter(kind=kind, asked=[Asked(of, DUE) for of in EXPECTED])).body
    assert body.count("Reply asked for") == len(EXPECTED)
    others = {letter(matter(kind=other)).body for other in NOTIFICATION_KINDS}
    assert len(others) == len(NOTIFICATION_KINDS)


def test_the_words_to_avoid_do_not_occur():
    for kind in NOTIFICATION_KINDS:
        body = letter(matter(kind=kind, asked=[Asked(of, DUE) for of in EXPECTED])).body.lower()
        for word in (
            "silent",
            "ignored",
            "overdue",
            "lapsed",
            "escalat",
            "alert",
            "victim",
            "attacker",
            "blame",
        ):
            assert word not in body


@pytest.mark.parametrize("label", [tlp.AMBER, tlp.AMBER_STRICT, tlp.RED])
def test_from_amber_on_the_subject_tells_label_and_reference_only(label):
    written = letter(matter(tlp=label))
    assert written.subject == f"[{label}] [pocdir {REF}]"
    assert written.body.startswith(f"{label}\n")


@pytest.mark.parametrize(
    "sign", ["\r\n", "\n", "\r", "\0", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"]
)
def test_no_line_break_of_any_kind_reaches_a_header(sign):
    written = letter(matter(title=f"One{sign}Bcc: everybody@example.org", assets=[Asset(f"a{sign}b")]))
    assert written.subject.endswith("] One Bcc: everybody@example.org")
    assert "\n  a b\n" in written.body
    mail = EmailMessage()
    mail["Subject"] = written.subject
    assert mail["Bcc"] is None


@given(st.text(max_size=300))
def test_any_title_gives_one_short_line(title):
    subject = letter(matter(title=title)).subject
    assert subject.isprintable() or not any(sign in subject for sign in "\r\n\0\x85\u2028\u2029")
    assert len(subject.splitlines()) == 1
    assert len(subject) <= 200


def test_a_letter_with_very_many_assets_counts_the_rest():
    body = letter(
        matter(assets=[Asset(f"198.51.100.{n % 256}") for n in range(letters.MOST_ASSETS + 7)])
    ).body
    assert body.count("198.51.100.") == letters.MOST_ASSETS
    assert "Addresses or names concerned: 507" in body
    assert "and 7 more" in body


def test_another_language_comes_through_the_function_that_is_passed():
    german = {"Reply asked for %(time)s UTC.": "Antwort erbeten bis %(time)s UTC."}
    written = letter(matter(), lambda text: german.get(text, text))
    assert "Antwort erbeten bis 2026-03-06 10:00 UTC." in written.body
    assert written.subject == letter(matter()).subject


# The reference tag


def test_a_tag_is_found_again_in_subject_and_body():
    written = letter(matter())
    assert refs_in(written.subject) == (REF,)
    assert refs_in(written.body) == (REF,)


@pytest.mark.parametrize(
    "text",
    [
        f"RE: AW: [TLP:GREEN] [pocdir {REF}] [INC-1]",
        f"[POCDIR {REF.upper()}]",
        f"[pocdir\r\n {REF}]",
        f"> [pocdir\n> {REF}]",
        f"[pocdir {REF[:14]}\n> {REF[14:]}]",
        f"pocdir {REF}",
        f"[pocdir {REF}] and again [pocdir {REF}]",
    ],
)
def test_a_tag_survives_what_mail_programs_do_to_it(text):
    assert refs_in(text) == (REF,)


def test_a_merged_ticket_names_several():
    assert refs_in(f"[pocdir {OTHER}] [pocdir {REF}]") == (OTHER, REF)


@pytest.mark.parametrize(
    "text", ["", "pocdir", f"[{REF}]", f"pocdir {REF}0", f"pocdir {REF[:-1]}", "pocdir " * 10_000]
)
def test_what_is_no_tag_names_nothing(text):
    assert refs_in(text) == ()


# mailto:


def opened(url):
    """(address, subject, body) as a mail program reads the URL."""
    address, _, query = url.removeprefix("mailto:").partition("?")
    fields = dict(part.split("=", 1) for part in query.split("&"))
    return unquote(address), unquote(fields["subject"]), unquote(fields["body"])


def test_a_mail_program_opens_with_the_letter():
    url = mailto_url("incident+de@cert.example", "A & B = 100% ?", "One\nTwo + three; «vier»\n")
    assert opened(url) == ("incident+de@cert.example", "A & B = 100% ?", "One\r\nTwo + three; «vier»")
    assert " " not in url
    assert "+" not in url


def test_a_letter_that_is_too_long_is_cut_at_a_line_and_says_so():
    lines = [f"198.51.100.{n} port 443" for n in range(256)]
    url = mailto_url("incident@cert.example", "Hits", "\n".join(lines))
    body = opened(url)[2].split("\r\n")
    assert 1_700 < len(url) <= letters.LONGEST_MAILTO
    assert body[:-2] == lines[: len(body) - 2]
    assert body[-1] == "[This letter is longer. Copy it from the page that you came from.]"


@settings(max_examples=100, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=3_000), st.integers(0, 4))
def test_any_letter_gives_a_url_that_can_be_opened(text, repeated):
    url = mailto_url("incident@cert.example", f"[pocdir {REF}] {text}", text * repeated)
    assert len(url) <= letters.LONGEST_MAILTO
    assert url.isascii()
    assert refs_in(opened(url)[1]) == (REF,)


@pytest.mark.parametrize(
    "address", ["", "cert.example", "a@b c", "a@b\nBcc:c@d", "a@b\0", "\u2028a@b", "a" * 400 + "@b"]
)
def test_what_is_no_address_is_refused(address):
    with pytest.raises(Invalid) as refused:
        mailto_url(address, "s", "b")
    assert refused.value.code == "address_invalid"


def test_an_address_adds_no_recipient_and_no_field():
    url = mailto_url("a@b,c@d?cc=e@f&bcc=g@h", "s", "b")
    assert url.startswith("mailto:a@b%2Cc@d%3Fcc%3De@f%26bcc%3Dg@h?subject=")


def test_times_are_spoken_of_only_where_times_follow():
    bare, since = [Asset("203.0.113.70"), Asset("host.example.org")], DUE - dt.timedelta(days=2)
    assert (
        "Concerned: 2 (times in UTC)\n  203.0.113.70  port 443  first seen"
        in letter(matter(since=since)).body
    )
    said = "Addresses or names concerned: 2{}\n  203.0.113.70\n  host.example.org\n"
    assert said.format("") in letter(matter(assets=bare)).body
    assert said.format(", since 2026-03-04 10:00 UTC") in letter(matter(assets=bare, since=since)).body
