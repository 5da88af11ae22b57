"""What lists of others have in common: contacts that may be unusable, kinds in words, keys with an end."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from pocdir.core.domains import registrable_domain
from pocdir.core.errors import Invalid
from pocdir.directory.formats import values
from pocdir.directory.formats.records import ChannelRecord, ResponsibilityRecord, identity
from pocdir.directory.formats.text import refuse, shown
from pocdir.directory.rules import record as rules

T = TypeVar("T")
MOST_NOTES = 1000
MOST_ASNS = 1000  # that one range of AS numbers may name
# What the lists call a constituency or a type, by word; the first that fits says what kind a team is.
_KINDS = (
    ("national", {"national"}),
    ("military", {"military", "defence", "defense"}),
    ("governmental", {"government", "governmental", "govcert", "gov"}),
    ("academic", {"academic", "research", "education", "nren", "university"}),
    ("sectoral", {"ciip", "critical", "energy", "financial", "finance", "health", "sectoral"}),
    ("provider", {"isp", "provider", "telecommunications"}),
    ("vendor", {"vendor", "psirt", "product"}),
)
# The words with which we say a kind in their shapes, so that it is read back as the same.
KIND_WORDS = {
    "national": "National", "military": "Military", "governmental": "Government", "academic": "Research & Education",
    "sectoral": "Sectoral", "provider": "ISP Customer Base", "vendor": "Vendor Customer Base",
}  # fmt: skip
_NOTHING = frozenset({"", "-", "--", "n/a", "na", "none", "null", "unknown", "\\n"})


class Notes:
    """What a file says and we leave out, each by its line or path; at most MOST_NOTES are kept."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.more = 0

    def add(self, where: str, message: str) -> None:
        if len(self.kept) < MOST_NOTES:
            self.kept.append(f"{where}: {message}")
        else:
            self.more += 1

    def usable(self, where: str, check: Callable[[Any], T], raw: Any) -> T | None:
        """The checked value; None, with a note, for one that is not what it should be."""
        try:
            return check(raw)
        except Invalid as error:
            self.add(where, f"{error.message}; left out")
            return None

    def told(self) -> tuple[str, ...]:
        return (*self.kept, f"and {self.more} more") if self.more else tuple(self.kept)


class Contacts:
    """The channels of one team, each once for its purpose, in the order in which they stand."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.found: dict[tuple[str, ...], ChannelRecord] = {}
        self.placeholders: dict[str, None] = {}

    def add(
        self, where: str, kind: str, raw: Any, purpose: str = "incident", *, fingerprint: str | None = None
    ) -> None:
        """One contact; a placeholder is remembered as such, one that is nothing or not usable gives none."""
        given = " ".join(raw.split()) if isinstance(raw, str) else raw
        if given is None or (isinstance(given, str) and given.casefold() in _NOTHING):
            return
        if isinstance(given, str) and (why := rules.placeholder(given)):
            self.placeholders[shown(given)] = None
            self.notes.add(where, f"{shown(given)} {why}; left out")
            return
        value = self.notes.usable(where, values.CHANNEL_VALUES[kind], given)
        if value is None:
            return
        preference = 1 + sum(channel.purpose == purpose for channel in self.found.values())
        channel = ChannelRecord(kind, value, purpose, preference, fingerprint if kind == "email" else None)
        self.found.setdefault(identity(channel), channel)

    def channels(self) -> tuple[ChannelRecord, ...]:
        return tuple(self.found.values())


def several(raw: Any) -> Iterator[tuple[str, Any]]:
    """Each of what may be one or a list of it, with the end of its path."""
    if isinstance(raw, list):
        yield from ((f"[{position}]", item) for position, item in enumerate(raw))
    elif raw is not None:
        yield "", raw


def addresses(raw: Any) -> list[Any]:
    """The addresses of a text that holds one or more, divided by blanks, commas or semicolons."""
    return [word for word in re.split(r"[\s,;]+", raw) if word] if isinstance(raw, str) else [raw]


def kind_of(words: Iterable[Any]) -> str | None:
    """The kind of team that a list's own words describe; None when they say none of ours."""
    said = {word for text in words if isinstance(text, str) for word in re.findall(r"[a-z]+", text.lower())}
    return next((kind for kind, names in _KINDS if names & said), None)


def asns(raw: Any) -> list[str]:
    """One AS number, or each of a range `AS1109-AS1123`; raises Invalid."""
    first, dash, last = str(raw).replace(" ", "").partition("-")
    if not dash or isinstance(raw, bool):
        return [values.asn(raw)]
    low, high = int(values.asn(first)), int(values.asn(last))
    if not low <= high < low + MOST_ASNS:
        raise values.wrong(f"a range of at most {MOST_ASNS} AS numbers is right")
    return [str(number) for number in range(low, high + 1)]


def domain(raw: Any) -> str:
    """A domain that a list may write `*.example.org` or `.example.org`; raises Invalid."""
    return values.domain(raw.strip().removeprefix("*").removeprefix(".") if isinstance(raw, str) else raw)


def registrable(raw: str) -> str | None:
    """The registrable domain of a mail address, a web address or a domain name; None where there is none."""
    host = raw.rpartition("@")[2] if "@" in raw else re.sub(r"^[a-z]+://", "", raw.strip().lower())
    try:
        return registrable_domain(values.domain(re.split(r"[/:?#]", host, maxsplit=1)[0]))
    except Invalid:
        return None


def day(raw: Any) -> str | None:
    """The date in an ISO time, an HTTP date or `August 23, 2019`, as ISO; None for anything else."""
    given = raw.strip() if isinstance(raw, str) else ""
    if len(given) > 60:
        return None
    try:
        return values.date(given[:10])
    except Invalid:
        pass
    for read in (parsedate_to_datetime, _long_date):
        try:
            return read(given).date().isoformat()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None


def _long_date(given: str) -> dt.datetime:
    return dt.datetime.strptime(given, "%B %d, %Y").replace(tzinfo=dt.UTC)


def mappings(raw: Any, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each object of a list with its path; raises Invalid for what is none."""
    if not isinstance(raw, list):
        refuse("a list is right", where)
    for position, item in enumerate(raw):
        at = f"{where}[{position}]"
        if not isinstance(item, Mapping):
            refuse("an object is right", at)
        yield at, item


def country_of(code: str) -> ResponsibilityRecord:
    """The responsibility of a national team for its country."""
    return ResponsibilityRecord("country", code, "national")


def contacts_for(team: Mapping[str, Any], kind: str, purpose: str) -> list[str]:
    """The values of a team's (pocdir-json) channels of one kind for one purpose, in the order to be tried."""
    return [it["value"] for it in team["channels"] if (it["kind"], it["purpose"]) == (kind, purpose)]


def mails_for(team: Mapping[str, Any], *purposes: str) -> list[Mapping[str, Any]]:
    """The mail channels for these purposes, those for the first before others.

    These shapes say one key of a team, which is read as that of its first address: no other one's is said.
    """
    mails = [it for it in team["channels"] if it["kind"] == "email" and it["purpose"] in purposes]
    return sorted(mails, key=lambda it: purposes.index(it["purpose"]))
