"""Which of our letters a mail speaks of, and what in it only a reader of that letter can know."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pocdir.mail.rules.envelope import ref_of
from pocdir.mail.rules.mime import LONGEST_VALUE, Entity, Read, words

MOST = 40  # of each kind that are looked at
MOST_SUBJECTS = 20  # decoded in all: the mail's own, then those of what came back
_REF = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TAG = re.compile(rf"\[pocdir ({_REF})(?:\.([a-z2-7]{{13}}))?\]", re.IGNORECASE)
# For redaction whatever may be left of them: broken over lines, cut, percent-encoded.
_SIGN = re.compile(
    r"([0-9a-f]{8}(?:-\s*[0-9a-f]{4}){3}-\s*[0-9a-f]{12})\s*\.(?:\s*[a-z2-7]){1,13}", re.IGNORECASE
)
# Where the token of a link begins: pages that whoever holds it may act on, linked from letters or handed over.
LINKED = "r|claim|proposed|welcome|join|feed|route"
_SLASH = r"(?:/|%(?:25)?2F)"
_LINK = re.compile(
    rf"({_SLASH}(?:{LINKED}){_SLASH}(?:entry{_SLASH})?)"
    r"(?:[\w.%-]{16,}|[\w.%-]{0,15}\n[\w.%-]{16,})(?:\n[\w.%-]{16,})*",
    re.IGNORECASE,
)
# The signed half of an envelope sender: whoever has it may report about its letter.
_ENVELOPE = re.compile(r"(\+|%2B)[a-z2-7]{39}(?![a-z2-7])", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<[^\s<>\x00-\x1f\x7f-\x9f]{1,300}>")  # no database keeps every control
_MAILBOX = re.compile(r"[A-Za-z0-9.!#$%&'*/=?^_`{|}~+-]{1,64}@[A-Za-z0-9.-]{1,253}")
_TO = ("delivered-to", "x-original-to", "envelope-to", "to", "cc")


@dataclass(frozen=True, slots=True)
class References:
    """What names a letter of ours; the first two are signed or were, the others anybody may have seen."""

    letters: tuple[str, ...] = ()  # refs out of signed envelope senders that it was addressed to
    tags: tuple[tuple[str, str], ...] = ()  # (reference, its sign or nothing) in a subject
    message_ids: tuple[str, ...] = ()

    @property
    def is_to_envelope(self) -> bool:
        """Whether it was addressed to a letter's own envelope sender."""
        return bool(self.letters)


def references(mail: Read, *, to: str | None, secret: bytes) -> References:
    """Of the mail, and of the heads that came back in it. `to`: the envelope's recipient, where it is known.

    Headers of a name of our own are read nowhere: whoever writes to us could have put them there.
    """
    addressed = [to or "", *(value for name in _TO for value in mail.head.headers.get(name, ())[:5])]
    found = [ref_of(secret, each) for value in addressed for each in _MAILBOX.findall(value)[:MOST]]
    heads = [mail.head, *mail.returned]
    subjects = [value for head in heads for value in head.headers.get("subject", ())[:3]][:MOST_SUBJECTS]
    tags = [
        (ref.lower(), sign.lower()) for value in subjects for ref, sign in _TAG.findall(words(value, 500))
    ]
    named = [*answers(mail.head), *(each for head in heads for each in _message_ids(head))]
    return References(_once(each for each in found if each), tuple(dict.fromkeys(tags))[:MOST], _once(named))


def answers(head: Entity) -> list[str]:
    """The Message-IDs that a mail says it answers, also where a program has encoded them as if they were words."""
    values = [head.first(name) for name in ("in-reply-to", "references")]
    plain = (words(value, LONGEST_VALUE) if "=?" in value else value for value in values)
    return [each for value in plain for each in _MESSAGE_ID.findall(value)[-MOST:]]


def mailboxes(head: Entity, names: Iterable[str]) -> frozenset[str]:
    """The addresses in these headers, in small letters."""
    values = (value for name in names for value in head.headers.get(name, ())[:5])
    return frozenset(each.casefold() for value in values for each in _MAILBOX.findall(value)[:MOST])


def without_secrets(text: str) -> str:
    """Words for others to read: without the sign of a reference or envelope, and without the token of any link."""
    return _LINK.sub(r"\1…", _SIGN.sub(r"\1", _ENVELOPE.sub(r"\1…", text)))


def _message_ids(head: Entity) -> list[str]:
    names = ("in-reply-to", "references", "message-id")
    return [each for name in names for each in _MESSAGE_ID.findall(head.first(name))[-MOST:]]


def _once(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))[:MOST]
