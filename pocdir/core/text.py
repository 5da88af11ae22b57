"""Words compared as people mean them, and sentences that can be said again in another language."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

# Marks that turn the reading direction: a name that carries one does not read as it is written.
BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
# Of these the two that no keyboard types and no language needs: they force letters to run the other way.
OVERRIDES = frozenset("\u202d\u202e")
_RIGHT_TO_LEFT = ("ar", "dv", "fa", "he", "ps", "ur", "yi")
_DAY = re.compile(r"(?<![\w./:-])\d{4}-\d{2}-\d{2}(?: \d{2}:\d{2})?(?: UTC)?(?![\w/-]|[.:]\w)", re.ASCII)
_LRI, _PDI = "\u2066", "\u2069"


def fold(text: str) -> str:
    """Case and accents folded, runs of white space one space: two spellings of a name become one."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(plain.casefold().split())


def isolated(text: str, language: str | None) -> str:
    """Plain text of a right-to-left language, its days and times set apart (UAX 9): else they are read backwards.

    Other languages' text stays as it is, and what is set apart already is not again.
    """
    if (language or "").split("-")[0].lower() not in _RIGHT_TO_LEFT:
        return text
    return _DAY.sub(
        lambda it: it[0] if text[it.start() - 1 : it.start()] == _LRI else f"{_LRI}{it[0]}{_PDI}", text
    )


def is_turned(value: Any) -> bool:
    """Whether a text, or one within these lists and names, carries a mark that turns the reading direction."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and not BIDI_CONTROLS.isdisjoint(one):
            return True
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return False


class Phrase(str):
    """A sentence in English that keeps its pattern and values: a page says `_(it.pattern, **it.values)`."""

    __slots__ = ("pattern", "values")

    pattern: str
    values: dict[str, str]

    def __new__(cls, pattern: str, **values: str) -> Phrase:
        self = super().__new__(cls, pattern % values if values else pattern)
        self.pattern, self.values = pattern, values
        return self
