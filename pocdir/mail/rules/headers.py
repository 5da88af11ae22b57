"""The one guard that every header value passes, and words made fit for it."""

from __future__ import annotations

import re
import unicodedata

from pocdir.core import tlp as labels
from pocdir.core.errors import Invalid

LONGEST = 500  # characters of any header value
LONGEST_SUBJECT = 300  # characters, with label and reference

# Controls and line ends of any script (NEL, LS, PS among them), and halves of characters.
_BREAKING = ("Cc", "Cs", "Zl", "Zp")
# They show a text in another order than the one it is read in (Unicode: Bidi_Control).
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_TAG = re.compile(r"\[pocdir ([0-9a-f-]{36})\]")


def guard(name: str, text: str, *, longest: int = LONGEST) -> str:
    """The text, fit for one header line; raises Invalid `header_invalid` that names the header.

    Refused: CR, LF, NUL, every other control character or line break, bidi controls, the empty and the over-long.
    """
    if not text or not text.strip() or len(text) > longest:
        raise Invalid("header_invalid", f"{name}: 1 to {longest} characters are right", where=name)
    for sign in text:
        if sign in BIDI or unicodedata.category(sign) in _BREAKING:
            words = f"{name}: the character U+{ord(sign):04X} may not stand in a header"
            raise Invalid("header_invalid", words, where=name)
    return text


def one_line(text: str, longest: int = LONGEST) -> str:
    """Words of any origin made fit for the guard: breaks are blanks, bidi controls go, what is too long is cut."""
    kept = (" " if unicodedata.category(sign) in _BREAKING else sign for sign in text if sign not in BIDI)
    line = " ".join("".join(kept).split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def reference_tag(reference: str) -> str:
    """What ties a reply to its notification or letter, wherever it stands in subject or body."""
    return f"[pocdir {reference}]"


def signed(text: str, sign: str) -> str:
    """A subject whose reference bears the sign of its letter (`envelope.reply_sign`)."""
    return _TAG.sub(rf"[pocdir \1.{sign}]", text)


def bare_subject(reference: str, tlp: str | None = None) -> str:
    """Label and reference alone: the subject of what is encrypted travels readable all the same."""
    return f"[{tlp}] {reference_tag(reference)}" if tlp else reference_tag(reference)


def subject(words: str, *, reference: str, tlp: str | None = None) -> str:
    """The words with label and reference; from TLP:AMBER up these two alone, since a subject travels readable.

    What stands in the words already is not said twice. Raises Invalid `header_invalid`.
    """
    tag, label = reference_tag(reference), f"[{tlp}]" if tlp else ""
    guard("Subject", words, longest=LONGEST_SUBJECT)
    if tlp and labels.is_at_least(tlp, labels.AMBER):
        return bare_subject(reference, tlp)
    if tag not in words:
        words = f"{one_line(words, LONGEST_SUBJECT - len(tag) - len(label) - 2)} {tag}"
    if label not in words:
        words = f"{label} {words}"
    return guard("Subject", words, longest=LONGEST_SUBJECT)
