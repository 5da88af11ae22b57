"""Whether a letter goes encrypted, in plain text, or not at all: nothing falls back silently."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from pocdir.core import tlp as labels
from pocdir.mail.rules.openpgp import REASONS

# How a letter may travel, as it was decided when it was queued; a letter without any of these goes in plain text.
ENCRYPTED, NO_KEY, PLAIN_TEXT = PROTECTIONS = (
    "encrypted",  # a key was pinned, or the label asks for one: encrypted or not at all
    "no_key",  # no key was pinned, and its label lets it travel readable
    "plain_text",  # its sender has said that it may go in plain text
)
LOST = "the key that was pinned when it was queued is pinned no more"
NONE = "no OpenPGP key is pinned for this address"
TAKEN_BACK = "the notification was withdrawn"
GONE = "the directory has no such working mail address of this team any more"


@dataclass(frozen=True, slots=True)
class KeyFor:
    """The public key (armoured) that is pinned for an address, and why it must not be used (of openpgp.REASONS)."""

    public: str
    fingerprint: str
    reasons: tuple[str, ...] = ()


class Stands(NamedTuple):
    """How things stand when a letter is about to leave, whatever they were when it was queued."""

    key: KeyFor | None = None
    label: str | None = None  # the strictest that it bears by now
    stops: str | None = None  # why it is not to go at all any more: TAKEN_BACK, GONE


def protection(*, label: str, key: KeyFor | None, plain_text: bool) -> str | None:
    """How a new letter under this label may travel; None: not at all, as no key is pinned and its sender has not said
    that it may go in plain text. TLP:RED never does."""
    if label == labels.RED:
        return ENCRYPTED if key else None
    if plain_text:
        return PLAIN_TEXT
    if key:
        return ENCRYPTED
    return None if labels.is_at_least(label, labels.AMBER) else NO_KEY


def problem(decided: str | None, *, label: str | None, key: KeyFor | None) -> str | None:
    """Why it must not go now, in words; None: encrypted where there is a key that may be used, else in plain text."""
    if decided is None or (key and not key.reasons):
        return None
    if key is None:
        is_low = label is not None and not labels.is_at_least(label, labels.AMBER)
        may = (decided == NO_KEY and is_low) or (decided == PLAIN_TEXT and label != labels.RED)
        return None if may else f"key problem: {LOST if decided == ENCRYPTED else NONE}"
    if decided == PLAIN_TEXT and not labels.is_at_least(label or labels.RED, labels.AMBER):
        return None
    return f"key problem: {in_words(key.reasons)}"


def in_words(reasons: Collection[str]) -> str:
    """Reasons of the guard as one sentence."""
    return "the OpenPGP key for this address must not be used: " + "; ".join(REASONS[it] for it in reasons)
