"""Which entries may be of one team: signs in a short table, each with its points, and nothing hidden behind them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, permutations
from typing import NamedTuple

from pocdir.core.text import fold

# The whole table. An entry pair is shown from SHOWN points on; the points of its signs are added.
SIGNS: Mapping[str, int] = {
    "fingerprint": 4,  # the same OpenPGP key
    "address": 3,  # the same mail address
    "name": 3,  # the same name, but for case, accents, legal forms and CERT/CSIRT/... words, in one country
    "short_name": 2,  # one's short name is the other's name or short name
    "domain": 2,  # the same website or mail domain, used by no more than two entries here
    "name_elsewhere": 1,  # the same name in another country, or where one has none
    "other_country": -3,  # they are at home in two countries
    "other_kind": -1,  # one is for a country, the other of another kind
}
SHOWN = 2
NOT_FOR_A_COUNTRY = frozenset({"academic", "vendor", "provider", "sectoral", "military"})
MOST_USERS = 6  # an address or name that more entries share says nothing of two of them
_LEGAL = {
    "ag", "as", "asa", "bv", "co", "company", "corp", "corporation", "gmbh", "inc", "kg", "llc", "ltd", "limited", "nv",
    "ooo", "oy", "plc", "sa", "sas", "se", "spa", "srl", "sro", "the", "of", "for", "and", "de", "du", "la",
}  # fmt: skip
_TEAM = {
    "cert", "csirt", "cirt", "ciirt", "cdc", "csoc", "soc", "irt", "sirt", "team", "computer", "emergency",
    "response", "readiness", "security", "incident", "center", "centre", "coordination", "cc",
}  # fmt: skip
_JOINED = re.compile(r"(?:cert|csirt|cirt)$|^(?:cert|csirt|cirt)(?=[a-z]{2,})")
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """What of an entry is compared; domains are registrable ones of its website and mail addresses."""

    slug: str
    name: str
    short_name: str | None
    kind: str
    country: str | None
    addresses: frozenset[str] = frozenset()
    fingerprints: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()


class Sign(NamedTuple):
    """One reason for or against, with what was found."""

    name: str
    points: int
    value: str = ""


class Pair(NamedTuple):
    """Two entries (by slug, the smaller first) that may be one, with their signs and the sum of the points."""

    one: str
    other: str
    score: int
    signs: tuple[Sign, ...]


def core_name(name: str) -> str:
    """What is left of a name without legal forms and without what every team is called; empty for nothing.

    `CERT.AZ`, `AzCERT` and `Az-CSIRT` are `az`; words are sorted, so that their order does not count.
    """
    words = []
    for word in _WORD.findall(fold(name).replace("'", "")):
        rest = _JOINED.sub("", word)
        if word not in _LEGAL and word not in _TEAM and rest:
            words.append(rest)
    return " ".join(sorted(set(words)))


def pairs(entries: Iterable[Entry], apart: Collection[frozenset[str]] = frozenset()) -> list[Pair]:
    """Entries that may be one team, the surest first; never those in `apart`: a steward said that they are two."""
    known = {it.slug: it for it in entries}
    found: dict[tuple[str, str], dict[str, Sign]] = defaultdict(dict)
    for sign, sharing in _shared(known.values()):
        for (_, value), slugs in sharing.items():
            most = 2 if sign == "domain" else MOST_USERS
            for one, other in combinations(sorted(slugs), 2) if len(slugs) <= most else ():
                if frozenset((one, other)) not in apart:
                    seen = _sign(known[one], known[other], sign, value)
                    found[one, other].setdefault(seen.name, seen)
    made = [_pair(known[one], known[other], signs) for (one, other), signs in found.items()]
    return sorted((it for it in made if it.score >= SHOWN), key=lambda it: (-it.score, it.one, it.other))


def _shared(entries: Collection[Entry]) -> Iterable[tuple[str, dict[tuple[str, str], set[str]]]]:
    """For each sign, which entries share which value."""
    found: dict[str, dict[tuple[str, str], set[str]]] = defaultdict(lambda: defaultdict(set))
    for it in entries:
        for sign, values in (
            ("fingerprint", it.fingerprints), ("address", it.addresses), ("domain", it.domains),
        ):  # fmt: skip
            for value in values:
                found[sign][sign, value].add(it.slug)
        names, short = _spellings(it.name), _spellings(it.short_name or "")
        for value in names:
            found["name"]["name", value].add(it.slug)
        for value in names | short:  # two names that are the same count as such, and not as this
            found["short_name"]["short_name", value].add(it.slug)
    return found.items()


def _spellings(name: str) -> set[str]:
    """The name in one word, and what is left of it."""
    return {"".join(_WORD.findall(fold(name))), core_name(name)} - {""}


def _sign(one: Entry, other: Entry, sign: str, value: str) -> Sign:
    if sign in ("name", "short_name") and (one.country != other.country or one.country is None):
        sign = "name_elsewhere"
    return Sign(sign, SIGNS[sign], value)


def _pair(one: Entry, other: Entry, signs: Mapping[str, Sign]) -> Pair:
    kept = dict(signs)
    if "name" in kept:
        kept.pop("short_name", None)  # the same name says it already
    if "address" in kept:
        kept.pop("domain", None)  # and so does the same address
    if one.country and other.country and one.country != other.country:
        kept["other_country"] = Sign(
            "other_country", SIGNS["other_country"], f"{one.country}, {other.country}"
        )
    if any(a == "national" and b in NOT_FOR_A_COUNTRY for a, b in permutations((one.kind, other.kind))):
        kept["other_kind"] = Sign("other_kind", SIGNS["other_kind"], f"{one.kind}, {other.kind}")
    ordered = tuple(kept[name] for name in SIGNS if name in kept)
    return Pair(one.slug, other.slug, sum(it.points for it in ordered), ordered)
