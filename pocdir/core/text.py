"""Words compared as people mean them, and sentences that can be said again in another language."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """Case and accents folded, runs of white space one space: two spellings of a name become one."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return " ".join(plain.casefold().split())


class Phrase(str):
    """A sentence in English that keeps its pattern and values: a page says `_(it.pattern, **it.values)`."""

    __slots__ = ("pattern", "values")

    pattern: str
    values: dict[str, str]

    def __new__(cls, pattern: str, **values: str) -> Phrase:
        self = super().__new__(cls, pattern % values if values else pattern)
        self.pattern, self.values = pattern, values
        return self
