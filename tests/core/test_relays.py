"""The relay's URL: what is meant, and what is refused without a word of it."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core.relays import NONE, STARTTLS, TLS, Relay, parse_relay


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("smtp://mail.example.org", Relay("mail.example.org", 587, STARTTLS)),
        ("smtp://mail", Relay("mail", 587, STARTTLS)),
        ("smtps://MÜNCHEN.example", Relay("xn--mnchen-3ya.example", 465, TLS)),
        ("smtp://localhost:25", Relay("localhost", 25, NONE)),
        ("smtp://[::1]:25/", Relay("::1", 25, NONE)),
        ("smtp://127.0.0.1:25?starttls=required", Relay("127.0.0.1", 25, STARTTLS)),
        ("smtp://192.0.2.1?starttls=none", Relay("192.0.2.1", 587, NONE)),
        ("smtps://u:p%40%2F%C3%A4@h.example:1?timeout=5", Relay("h.example", 1, TLS, "u", "p@/ä", timeout=5)),
        ("smtps://h.example?ca=/etc/ca.pem", Relay("h.example", 465, TLS, ca="/etc/ca.pem")),
    ],
)
def test_what_is_meant(text: str, right: Relay) -> None:
    assert parse_relay(text) == right


@pytest.mark.parametrize(
    "text",
    [
        "http://h", "h:25", "smtp://", "smtp://h:x", "smtp://h:0", "smtp://h:70000", "smtp://h/path", "smtp://h#f",
        "smtp://u:hunter2#x@h", "smtp://u:hunter2/x@h", "smtp://u:hunter2?x@h", "smtp://u@h", "smtp://:hunter2@h",
        "smtp://u:hunter2@h:hunter2", "smtp://u:%FFhunter2@h", "smtp://u:hunter2%0D%0A@h", "smtp://u:hun ter2@h",
        "smtp://h?starttls=maybe", "smtp://h?starttls=", "smtp://h?tls=1", "smtp://h?timeout=5&timeout=6",
        "smtp://h?timeout=0", "smtp://h?timeout=x", "smtps://h?starttls=required", "smtp://u:hunter2@h?starttls=none",
        "smtp://h_/\r\n", "smtp://exa mple", "smtp://[::1", "smtp://[hunter2]",
    ],
)  # fmt: skip
def test_what_is_not_meant_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match=r".") as refusal:
        parse_relay(text)
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@given(st.text(max_size=40))
def test_whatever_comes_is_read_or_refused(text: str) -> None:
    for url in (text, f"smtp://{text}", f"smtp://u:{text}@h", f"smtps://h?{text}"):
        with contextlib.suppress(ValueError):
            assert parse_relay(url).port


def test_a_relay_is_shown_without_its_password() -> None:
    relay = parse_relay("smtps://u:hunter2@h.example")
    assert "hunter2" not in relay.shown + repr(relay)
