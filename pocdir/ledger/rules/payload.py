"""The forms that a payload's values may have, and the one spelling in which each is kept."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from pocdir.core.refs import is_ref
from pocdir.core.times import duration, isoformat, moment

LONGEST_TEXT = 2_000
FIRST_YEAR, LAST_YEAR = 1990, 2200  # a pause moves a clock: its end must still be a date

# The forms a value may have. Only the first two are free words, and they are sealed wherever they stand: what
# a hand has typed is never plain.
TEXT, LINE, TOKEN, CHOICE, REF, TIME, DURATION, INTEGER, BOOLEAN = FORMS = (
    "text", "line", "token", "choice", "ref", "time", "duration", "integer", "boolean",
)  # fmt: skip
JSON_TYPES = dict.fromkeys(FORMS, "string") | {INTEGER: "integer", BOOLEAN: "boolean"}
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}")


@dataclass(frozen=True, slots=True)
class Name:
    """One payload name. A sealed value is personal or TLP-bound: it is committed to, and may be erased."""

    form: str
    sealed: bool = False
    required: bool = False
    choices: tuple[str, ...] = ()
    bounds: tuple[int, int] = (0, 0)

    @property
    def json_type(self) -> str:
        """`string`, `integer` or `boolean`."""
        return JSON_TYPES[self.form]


def kept(name: Name, value: Any) -> Any:
    """The value as it is kept; raises ValueError, or Invalid of a time or a duration."""
    if name.form == BOOLEAN:
        if not isinstance(value, bool):
            raise ValueError("true or false is needed")
        return value
    if name.form == INTEGER:
        return _integer(value, *name.bounds)
    if not isinstance(value, str):
        raise ValueError("a string is needed")
    if name.form in (TEXT, LINE):
        return words(value, lines=name.form == TEXT)
    if name.form == CHOICE and value not in name.choices:
        raise ValueError(f"one of {', '.join(name.choices)} is needed")
    if name.form == TOKEN and not _TOKEN.fullmatch(value):
        raise ValueError("up to 64 of A-Z a-z 0-9 _ . : + - are allowed, the first a letter or digit")
    if name.form == REF and not is_ref(value):
        raise ValueError("a reference of this service is needed")
    if name.form == TIME:
        return isoformat(_moment(value))
    if name.form == DURATION:
        duration(value)
        return value.strip()
    return value


def _moment(value: str) -> dt.datetime:
    read = moment(value)
    if not FIRST_YEAR <= read.year <= LAST_YEAR:
        raise ValueError(f"a year from {FIRST_YEAR} to {LAST_YEAR} is needed")
    return read


def _integer(value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("a whole number is needed")
    if not low <= value <= high:
        raise ValueError(f"from {low:,} to {high:,}")
    return value


def words(value: str, *, lines: bool) -> str:
    """Words of a person: line breaks in one spelling, no other control character, nothing that is no text."""
    text = value.replace("\r\n", "\n").strip() if lines else value.strip()
    if not text:
        raise ValueError("say something, or leave it out")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"at most {LONGEST_TEXT:,} characters, these are {len(text):,}")
    allowed = "\n\t" if lines else ""
    # Cc: control characters, Cs: halves of surrogate pairs, Zl and Zp: line breaks that do not look like one.
    unfit = ("Cc", "Cs") if lines else ("Cc", "Cs", "Zl", "Zp")
    if any(unicodedata.category(sign) in unfit and sign not in allowed for sign in text):
        raise ValueError("control characters are not allowed")
    return text
