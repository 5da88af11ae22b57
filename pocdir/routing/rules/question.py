"""What is asked: the words that came with an indicator, checked, and the answer to them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from pocdir.core import rsit
from pocdir.core.codes import alpha2
from pocdir.core.errors import Invalid
from pocdir.directory.formats import values
from pocdir.directory.rules.record import HOST_KINDS, PURPOSES
from pocdir.routing.rules.decide import Wish
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.indicator import parse
from pocdir.routing.rules.order import DEFAULT, order_for
from pocdir.routing.rules.resolver import Answer, answer_to

_NOBODY: frozenset[str] = frozenset()
_BETWEEN = re.compile(r"[\s,;]+")


class Question(NamedTuple):
    """What besides the indicator decides the answer; resolve() describes the parts."""

    wish: Wish
    sector: str | None
    country_by: str


def question(
    index: Index,
    *,
    on: dt.date,
    country_by: str,
    sector: str | None = None,
    kind_of_report: str | None = None,
    exclude_team: Iterable[str] = (),
    exclude_country: Iterable[str] = (),
    exclude_host: Iterable[str] = (),
    purpose: str | None = None,
) -> Question:
    """The question as somebody typed it; each exclusion may name several, with blanks or commas between.

    Without a purpose it is that of the kind of report. Raises Invalid `sector_invalid`, `class_invalid` or
    `type_invalid` (kind_of_report), `purpose_invalid`, `team_unknown`, `country_invalid`, `host_invalid`: an
    exclusion with a typing error would leave in the answer whom it should keep out.
    """
    if not (sector or kind_of_report or exclude_team or exclude_country or exclude_host or purpose):
        return _plain(on, country_by)
    kind = _kind_of_report(kind_of_report) if kind_of_report else None
    wish = Wish(
        on.isoformat(),
        _purpose(purpose) if purpose else order_for(kind).purpose if kind else DEFAULT.purpose,
        kind,
        _teams(index, exclude_team) if exclude_team else _NOBODY,
        _countries(exclude_country) if exclude_country else _NOBODY,
        _hosts(exclude_host) if exclude_host else _NOBODY,
    )
    return Question(wish, _sector(sector) if sector else None, country_by)


@lru_cache(maxsize=8)
def _plain(on: dt.date, country_by: str) -> Question:
    """The question of whoever narrows nothing, as most do."""
    return Question(Wish(on.isoformat(), DEFAULT.purpose, None, _NOBODY, _NOBODY, _NOBODY), None, country_by)


def answered(index: Index, text: str, asked: Question) -> Answer:
    """The answer for one indicator; raises Invalid `indicator_invalid` at `q`."""
    try:
        indicator = parse(text, index.names)
    except Invalid as error:
        raise Invalid(error.code, error.message, where="q") from None
    return answer_to(index, indicator, asked.wish, asked.sector, asked.country_by)


def _sector(text: str) -> str:
    try:
        return values.sector(text)
    except Invalid as error:
        raise Invalid("sector_invalid", error.message, where="sector") from None


def _kind_of_report(text: str) -> str:
    class_, slash, type_ = text.strip().lower().partition("/")
    try:
        rsit.check(class_, type_ if slash else None)
    except Invalid as error:
        raise Invalid(error.code, error.message, where="kind_of_report") from None
    return f"{class_}/{type_}" if slash else class_


def _named(texts: Iterable[str]) -> list[str]:
    return [name for text in texts for name in _BETWEEN.split(text) if name]


def _teams(index: Index, texts: Iterable[str]) -> frozenset[str]:
    slugs = [index.merged.get(slug, slug) for slug in _named(texts)]
    unknown = [slug for slug in slugs if slug not in index.indexed]
    if unknown:
        message = f"no team here has the short name {unknown[0][:100]!r}, so it cannot be left out"
        raise Invalid("team_unknown", message, where="exclude_team")
    return frozenset(slugs)


def _countries(texts: Iterable[str]) -> frozenset[str]:
    found = set()
    for text in _named(texts):
        code = alpha2(text)
        if code is None:
            message = f"{text[:40]!r} is no country code; one such as AT is right"
            raise Invalid("country_invalid", message, where="exclude_country")
        found.add(code)
    return frozenset(found)


def _hosts(texts: Iterable[str]) -> frozenset[str]:
    named = [name.lower() for name in _named(texts)]
    unknown = [name for name in named if name not in HOST_KINDS]
    if unknown:
        message = f"{unknown[0][:40]!r} is no kind of host; one of {', '.join(HOST_KINDS)} is right"
        raise Invalid("host_invalid", message, where="exclude_host")
    return frozenset(named)


def _purpose(text: str) -> str:
    name = text.strip().lower()
    if name not in PURPOSES:
        message = f"{text[:40]!r} is no purpose; one of {', '.join(PURPOSES)} is right"
        raise Invalid("purpose_invalid", message, where="purpose")
    return name
