"""Letters as bytes: nothing gets into a head that was not meant, and everything reads back."""

from __future__ import annotations

import datetime as dt
import email
import email.message
import email.policy
import re
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.core.mailboxes import LONGEST_LOCAL, parse_mailbox
from pocdir.core.refs import new_ref
from pocdir.mail.rules import headers, message, schedule
from pocdir.mail.rules.envelope import envelope_sender, ref_of

NOW = dt.datetime(2026, 11, 22, 12, 0, tzinfo=dt.UTC)
REF = new_ref(NOW)
SECRET = b"k" * 43
HEADERS = [
    "From", "To", "Reply-To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding",
]  # fmt: skip


def composed(**given: object) -> bytes:
    values: dict[str, object] = {
        "sender": "pocdir@pocdir.example",
        "to": "cert@example.org",
        "subject": "Hello",
        "body": "Text\n",
        "message_id": f"<{REF}@pocdir.example>",
        "date": NOW,
    }
    return message.compose(message.Message(**(values | given)))  # type: ignore[arg-type]


def read(raw: bytes) -> email.message.EmailMessage:
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, email.message.EmailMessage)
    return found


def decoded(value: str) -> str:
    return " ".join(str(make_header(decode_header(value))).split())


def unflowed(text: str) -> str:
    """RFC 3676, 4.2, without quotes."""
    kept = ""
    for line in text.replace("\r\n", "\n").removesuffix("\n").split("\n"):
        line = line[1:] if line.startswith(" ") else line
        kept += line if line.endswith(" ") and line != "-- " else line + "\n"
    return kept


anything = st.text(st.characters(codec=None), max_size=400)
sayable = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=400)


@given(anything, anything)
def test_whatever_is_asked_for_the_head_is_ours(subject: str, name: str) -> None:
    try:
        raw = composed(subject=subject, sender_name=name)
    except Invalid as refusal:
        assert refusal.code == "header_invalid"
        return
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    unfolded = re.sub(r"\r\n[ \t]", " ", head)
    assert "\r" not in unfolded.replace("\r\n", "")
    assert "\n" not in unfolded.replace("\r\n", "")
    assert [line.partition(":")[0] for line in unfolded.split("\r\n")] == HEADERS
    assert max(map(len, head.split("\r\n"))) <= 998


@given(sayable.filter(str.strip), sayable.filter(str.strip))
def test_subject_and_name_read_back(subject: str, name: str) -> None:
    subject, name = headers.one_line(subject, 300), headers.one_line(name, 120)
    if not subject or not name:
        return
    # The older reader: the newer one puts blanks between the encoded words of a name.
    found = email.message_from_bytes(
        composed(subject=subject, sender_name=name), policy=email.policy.compat32
    )
    assert decoded(found["Subject"]) == subject
    assert decoded(found["From"]) == f"{name} <pocdir@pocdir.example>"


@given(anything)
def test_a_body_reads_back_whatever_stands_in_it(text: str) -> None:
    kept = message.text_of(text)
    raw = composed(body=kept)
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert unflowed(read(raw).get_content()) == kept


@pytest.mark.parametrize("sign", "\r\n\0\x0b\x0c\x1b\x7f\x85\u2028\u2029\u202e\u2066\u200f\ud800")
def test_no_break_control_or_bidi_character_enters_a_head(sign: str) -> None:
    for field in ("subject", "sender_name", "to", "sender", "language"):
        with pytest.raises(Invalid) as refusal:
            composed(**{field: f"a@example.org{sign}Bcc: all@example.org"})
        assert refusal.value.code == "header_invalid"
    assert headers.guard("Subject", headers.one_line(f"a{sign}b"))


def test_an_over_long_or_empty_head_is_refused() -> None:
    for text in ("", " ", "x" * 501):
        with pytest.raises(Invalid):
            composed(subject=text)


@pytest.mark.parametrize("field", ["message_id", "in_reply_to", "unsubscribe"])
def test_what_has_a_form_keeps_it(field: str) -> None:
    for text in ("<a@b>\r\nBcc: x@example.org", "<a b@c>", "a@b", "https://x example/"):
        with pytest.raises(Invalid):
            composed(**{field: text})


def test_words_that_look_encoded_are_not_decoded_by_the_reader() -> None:
    assert read(composed(subject="=?utf-8?q?hello?="))["Subject"] == "=?utf-8?q?hello?="


def test_long_lines_flow_and_links_stay_whole() -> None:
    link = "https://pocdir.example/r/" + "x" * 200
    long = "word " * 40
    lines = list(message.flowed(f"{long}\n\n{link}\nFrom here\n> quoted\n-- \nus\n"))
    assert lines[0].endswith(" ")
    assert max(len(line) for line in lines if link not in line) <= message.WIDTH
    assert link in lines
    assert lines[-4:] == [" From here", " > quoted", "-- ", "us"]


def test_a_subject_names_label_and_reference_once() -> None:
    tag = f"[pocdir {REF}]"
    assert headers.subject("Hello", reference=REF) == f"Hello {tag}"
    assert headers.subject("Hello", reference=REF, tlp="TLP:GREEN") == f"[TLP:GREEN] Hello {tag}"
    already = f"[TLP:GREEN] {tag} Hello"
    assert headers.subject(already, reference=REF, tlp="TLP:GREEN") == already
    assert len(headers.subject("x" * 300, reference=REF, tlp="TLP:GREEN")) <= headers.LONGEST_SUBJECT


@pytest.mark.parametrize("label", ["TLP:AMBER", "TLP:AMBER+STRICT", "TLP:RED"])
def test_what_not_everybody_may_read_stands_in_no_subject(label: str) -> None:
    assert headers.subject("Bank hacked", reference=REF, tlp=label) == f"[{label}] [pocdir {REF}]"


def test_the_label_is_the_first_line() -> None:
    assert message.text_of("Hello\r\nyou", "TLP:AMBER") == "TLP:AMBER\n\nHello\nyou\n"
    assert message.text_of("TLP:AMBER\n\nHello", "TLP:AMBER") == "TLP:AMBER\n\nHello\n"


def test_a_body_that_is_too_long_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        message.text_of("x" * 600_000)
    assert refusal.value.code == "mail_too_long"


names = st.from_regex(r"[a-z0-9]{1,20}", fullmatch=True)


@given(names)
def test_a_bounce_names_its_letter(name: str) -> None:
    sender = envelope_sender(SECRET, f"{name}@pocdir.example", REF)
    assert len(sender.rpartition("@")[0]) <= LONGEST_LOCAL
    assert parse_mailbox(sender) == sender
    for spelling in (sender, sender.upper(), sender.lower()):
        assert ref_of(SECRET, spelling) == REF
    assert ref_of(b"x" * 43, sender) is None


@given(st.integers(0, 38), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_changed_envelope_is_not_ours(place: int, sign: str) -> None:
    sender = envelope_sender(SECRET, "pocdir@pocdir.example", REF)
    at = sender.index("+") + 1 + place
    changed = sender[:at] + sign + sender[at + 1 :]
    assert (ref_of(SECRET, changed) == REF) == (changed == sender)


@given(st.text(max_size=80))
def test_what_is_no_envelope_of_ours_is_none(text: str) -> None:
    assert ref_of(SECRET, text) is None


def test_a_long_name_goes_without_a_token() -> None:
    address = "the-incident-response-team-of-us@pocdir.example"
    assert envelope_sender(SECRET, address, REF) == address


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Cert@EXAMPLE.org", "Cert@example.org"),
        (" cert@MÜNCHEN.de. ", "cert@xn--mnchen-3ya.de"),
        ("a.b+c@example.org", "a.b+c@example.org"),
        ("用户@example.org", "用户@example.org"),
    ],
)
def test_addresses_as_they_are_written_to(text: str, right: str) -> None:
    assert parse_mailbox(text) == right


@pytest.mark.parametrize(
    "text",
    [
        "", "cert", "@example.org", "cert@", "cert@localhost", "a b@example.org", '"a b"@example.org',
        "a..b@example.org", ".a@example.org", "a@b@example.org", "A <a@example.org>",
        "a@example.org, b@example.org", "a@[192.0.2.1]",
        "a@192.0.2.1", "a\u202e@example.org", "a\u200b@example.org", "a\n@example.org", "a@exa\nmple.org",
        "x" * 65 + "@example.org", "a@" + "x" * 64 + ".org", "a@" + ".".join(["x" * 60] * 5),
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_mailbox(text)


def test_the_schedule_ends_after_four_days_at_least() -> None:
    waits, moment = [], NOW
    for attempt in range(1, schedule.MOST_ATTEMPTS):
        again = schedule.next_attempt(attempt, moment)
        assert again is not None
        waits.append(again - moment)
        moment = again
    assert schedule.next_attempt(schedule.MOST_ATTEMPTS, moment) is None
    assert waits == sorted(waits)
    assert dt.timedelta(days=4) <= moment - NOW <= dt.timedelta(days=5)
