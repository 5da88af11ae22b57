"""The forms that a payload's values may have, and the one spelling in which each is kept."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from pocdir.core.refs import is_ref
from pocdir.core.text import Phrase
from pocdir.core.times import duration, isoformat, moment

LONGEST_TEXT = 2_000
LONGEST_DIGEST = 100
FIRST_YEAR, LAST_YEAR = 1990, 2200  # a pause moves a clock: its end must still be a date

# The forms a value may have. Those of SEALED hold words that somebody has typed, or what follows from them: they
# are sealed wherever they stand. The others have no room for a name or an address of a person.
TEXT, LINE, TEXTS, OBJECTS, DIGEST = SEALED = ("text", "line", "texts", "objects", "digest")
CHOICE, CHOICES, STATUS, LANGUAGE, REF, TIME, DURATION, INTEGER, BOOLEAN = (
    "choice", "choices", "status", "language", "ref", "time", "duration", "integer", "boolean",
)  # fmt: skip
_PATTERNS = {  # form -> what it looks like, and in words
    # RFC 5321, section 4.2, and RFC 3463, section 2
    STATUS: (
        re.compile(r"[245][0-9]{2}|[245]\.[0-9]{1,3}\.[0-9]{1,3}"),
        "a status such as 550 or 5.1.1 is needed",
    ),
    # RFC 5646, section 2.1: language, script, region
    LANGUAGE: (
        re.compile(r"[A-Za-z]{2,3}(-[A-Za-z]{4})?(-([A-Za-z]{2}|[0-9]{3}))?"),
        "a language such as en or pt-BR is needed",
    ),
}


@dataclass(frozen=True, slots=True)
class Name:
    """One payload name; `bounds` of an integer, or of the length of a text."""

    form: str
    required: bool = False
    choices: tuple[str, ...] = ()
    bounds: tuple[int, int] = (1, LONGEST_TEXT)

    @property
    def sealed(self) -> bool:
        """Whether its values are personal or TLP-bound: then they are committed to, and may be erased."""
        return self.form in SEALED


def kept(name: Name, value: Any) -> Any:
    """The value as it is kept; raises ValueError, or Invalid of a time or a duration."""
    if name.form == BOOLEAN:
        if not isinstance(value, bool):
            raise ValueError("true or false is needed")
        return value
    if name.form == INTEGER:
        return _integer(value, *name.bounds)
    if name.form in (CHOICES, TEXTS, OBJECTS):
        return _list(name, value)
    if not isinstance(value, str):
        raise ValueError("a string is needed")
    if name.form in (TEXT, LINE):
        return words(value, lines=name.form == TEXT, longest=name.bounds[1])
    return _plain(name, value)


def _plain(name: Name, value: str) -> str:
    if name.form == CHOICE and value not in name.choices:
        raise ValueError(f"one of {', '.join(name.choices)} is needed")
    if name.form in _PATTERNS:
        pattern, needed = _PATTERNS[name.form]
        if not pattern.fullmatch(value):
            raise ValueError(needed)
    if name.form == DIGEST:
        return words(value, lines=False, longest=LONGEST_DIGEST)
    if name.form == REF and not is_ref(value):
        raise ValueError("a reference of this service is needed")
    if name.form == TIME:
        return isoformat(_moment(value))
    if name.form == DURATION:
        duration(value)
        return value.strip()
    return value


def _list(name: Name, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("a list is needed")
    if name.form == OBJECTS:
        if not all(isinstance(item, dict) for item in value):
            raise ValueError("a list of objects is needed")
        return value
    if name.form == TEXTS:
        return [kept(Name(TEXT), item) for item in value]
    if not all(isinstance(item, str) and item in name.choices for item in value):
        raise ValueError(f"a list of {', '.join(name.choices)} is needed")
    return value


def _moment(value: str) -> dt.datetime:
    read = moment(value)
    if not FIRST_YEAR <= read.year <= LAST_YEAR:
        raise ValueError(f"a year from {FIRST_YEAR} to {LAST_YEAR} is needed")
    return read


def _integer(value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(Phrase("a whole number is needed"))
    if not low <= value <= high:
        raise ValueError(Phrase("from %(low)s to %(high)s", low=f"{low:,}", high=f"{high:,}"))
    return value


def words(value: str, *, lines: bool, longest: int = LONGEST_TEXT) -> str:
    """Words of a person: line breaks in one spelling, no other control character, nothing that is no text."""
    text = value.replace("\r\n", "\n").strip() if lines else value.strip()
    if not text:
        raise ValueError(Phrase("say something, or leave it out"))
    if len(text) > longest:
        most = {"most": f"{longest:,}", "number": f"{len(text):,}"}
        raise ValueError(Phrase("at most %(most)s characters, these are %(number)s", **most))
    allowed = "\n\t" if lines else ""
    # Cc: control characters, Cs: halves of surrogate pairs, Zl and Zp: line breaks that do not look like one.
    unfit = ("Cc", "Cs") if lines else ("Cc", "Cs", "Zl", "Zp")
    if not text.isprintable() and any(
        unicodedata.category(sign) in unfit and sign not in allowed for sign in text
    ):
        raise ValueError(Phrase("control characters are not allowed"))
    return text
