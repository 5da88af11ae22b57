"""A letter as bytes on the wire (RFC 5322): plain text, every header guarded, nothing left to a library's folding."""

from __future__ import annotations

import binascii
import datetime as dt
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from email.header import Header
from email.utils import format_datetime

from pocdir.core.errors import Invalid
from pocdir.mail.rules.headers import guard

LONGEST_BODY = 500_000  # characters
WIDTH = 72  # characters of a line, where a blank allows it
_LONGEST_LINE = 900  # octets; RFC 5322 allows 998
_PLAIN_NAME = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]+")
_MESSAGE_ID = re.compile(r"<[\x21-\x3b\x3d\x3f-\x7e]{1,240}>")
_URL = re.compile(r"https?://[\x21-\x3b\x3d\x3f-\x7e]{1,480}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a letter is made of; `automatic`: written by this service itself, not by a person (RFC 3834)."""

    sender: str
    to: str
    subject: str
    body: str
    message_id: str
    date: dt.datetime
    sender_name: str = "pocdir"
    automatic: bool = True
    language: str | None = None
    in_reply_to: str | None = None
    unsubscribe: str | None = None  # URL of a page
    encrypt: Callable[[bytes], str] | None = (
        None  # makes the body PGP/MIME; the subject is the caller's to guard
    )


def compose(message: Message) -> bytes:
    """The message with CRLF line ends, 7 bit clean but for an address that needs SMTPUTF8.

    Raises Invalid `header_invalid`, and what `encrypt` raises.
    """
    text, encoding = _encoded("\n".join(flowed(message.body)))
    kind = [
        ("Content-Type", "text/plain; charset=utf-8; format=flowed"),
        ("Content-Transfer-Encoding", encoding),
    ]
    if message.encrypt is not None:
        boundary = f"pocdir-{hashlib.sha256(message.message_id.encode()).hexdigest()[:32]}"
        text = _pgp_mime(message.encrypt(_entity(kind, text)), boundary)
        said = f'multipart/encrypted; protocol="application/pgp-encrypted"; boundary="{boundary}"'
        kind = [("Content-Type", said)]
    return _entity([*_headers(message), ("MIME-Version", "1.0"), *kind], text)


def _entity(headers: Iterable[tuple[str, str]], text: bytes) -> bytes:
    return "\r\n".join(f"{name}: {value}" for name, value in headers).encode() + b"\r\n\r\n" + text


def _pgp_mime(armoured: str, boundary: str) -> bytes:
    """The two parts of RFC 3156, 4."""
    lines = [
        f"--{boundary}", "Content-Type: application/pgp-encrypted", "", "Version: 1", "",
        f"--{boundary}", 'Content-Type: application/octet-stream; name="encrypted.asc"',
        'Content-Disposition: inline; filename="encrypted.asc"', "", *armoured.strip().splitlines(), "",
        f"--{boundary}--", "",
    ]  # fmt: skip
    return "\r\n".join(lines).encode("ascii")


def message_id(reference: str, ref: str, domain: str) -> str:
    """Fixed when the letter is queued; the reference of the notification comes first, where there is one."""
    left = ref if reference == ref else f"{reference}.{ref}"
    return check_message_id(f"<{left}@{domain}>")


def check_message_id(text: str) -> str:
    """Raises Invalid `header_invalid`."""
    if not _MESSAGE_ID.fullmatch(text) or "@" not in text:
        raise Invalid(
            "header_invalid", "a Message-ID such as <name@example.org> is right", where="Message-ID"
        )
    return text


def check_url(text: str) -> str:
    """A page's address for a header; raises Invalid `header_invalid`."""
    if not _URL.fullmatch(text):
        raise Invalid(
            "header_invalid", "List-Unsubscribe: an https:// address is right", where="List-Unsubscribe"
        )
    return text


def text_of(text: str, tlp: str | None = None) -> str:
    """A body as it is kept: `\\n` line ends, no control characters, the label on the first line.

    Raises Invalid `mail_too_long`.
    """
    lines = re.sub("\r\n?|[\x0b\x0c\x85\u2028\u2029]", "\n", text).split("\n")
    kept = "\n".join("".join(map(_shown, line)).rstrip() for line in lines).strip("\n") + "\n"
    if tlp and kept.split("\n", 1)[0] != tlp:
        kept = f"{tlp}\n\n{kept}"
    if len(kept) > LONGEST_BODY:
        raise Invalid("mail_too_long", f"a mail has at most {LONGEST_BODY:,} characters", where="body")
    return kept


def flowed(text: str) -> Iterator[str]:
    """The lines of a text in format=flowed (RFC 3676): a blank at the end says that the line goes on.

    No word is ever broken, so that addresses and links stay whole.
    """
    for line in text.rstrip("\n").split("\n"):
        line = line if line == "-- " else line.rstrip(" ")
        while (cut := _cut(line)) < len(line):
            yield _stuffed(line[:cut])
            line = line[cut:]
        yield _stuffed(line)


def _cut(line: str) -> int:
    """Where the next line begins: after the last blank within the width, else after the first one behind it."""
    if len(line) <= WIDTH:
        return len(line)
    cut = line.rfind(" ", 1, WIDTH) + 1
    if not line[:cut].strip():
        cut = line.find(" ", WIDTH) + 1
    return cut or len(line)


def _stuffed(line: str) -> str:
    return f" {line}" if line.startswith((" ", ">", "From ")) else line


def _shown(sign: str) -> str:
    return (
        "\N{REPLACEMENT CHARACTER}" if sign != "\t" and unicodedata.category(sign) in ("Cc", "Cs") else sign
    )


def _encoded(text: str) -> tuple[bytes, str]:
    """The body with CRLF and its Content-Transfer-Encoding."""
    raw = text.replace("\n", "\r\n").encode() + b"\r\n"
    if raw.isascii() and max(map(len, raw.split(b"\r\n"))) <= _LONGEST_LINE:
        return raw, "7bit"
    return binascii.b2a_qp(raw, istext=True), "quoted-printable"


def _headers(message: Message) -> Iterator[tuple[str, str]]:
    sender = guard("From", message.sender)
    yield "From", f"{_phrase(message.sender_name)} <{sender}>"
    yield "To", guard("To", message.to)
    yield "Reply-To", sender
    yield "Subject", _words("Subject", message.subject)
    yield "Date", format_datetime(message.date.astimezone(dt.UTC).replace(microsecond=0))
    yield "Message-ID", check_message_id(message.message_id)
    if message.in_reply_to:
        yield "In-Reply-To", check_message_id(message.in_reply_to)
        yield "References", check_message_id(message.in_reply_to)
    if message.automatic:
        yield "Auto-Submitted", "auto-generated"
    if message.unsubscribe:
        yield "List-Unsubscribe", f"<{check_url(message.unsubscribe)}>"
    if message.language and message.encrypt is None:
        yield "Content-Language", guard("Content-Language", message.language)


def _phrase(text: str) -> str:
    """A display name: as it is, or as encoded words."""
    plain = _PLAIN_NAME.fullmatch(guard("From", text)) and text == text.strip() and "=?" not in text
    return text if plain and len(text) < 60 else _encoded_words(text, "From")


def _words(name: str, text: str) -> str:
    guard(name, text)
    plain = text.isascii() and "=?" not in text and text == text.strip() and len(text) <= _LONGEST_LINE
    return text if plain else _encoded_words(text, name)


def _encoded_words(text: str, name: str) -> str:
    """RFC 2047, folded between encoded words only."""
    return Header(text, "utf-8", maxlinelen=75, header_name=name).encode(linesep="\r\n")
