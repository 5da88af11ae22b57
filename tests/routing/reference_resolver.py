"""A slow and obvious resolver: it looks at every responsibility for every question."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import Any

from pocdir.directory.rules.record import Channel, Directory, Responsibility, Team
from tests.routing.directories import SmallRegistry

STATES = ["verified", "due", "in-check", "unverified", "unresponsive"]
ROLES = ["holder", "national", "sectoral", "coordinator", "cc"]
SUFFIXES = {"org", "uk", "co.uk", "example", "de", "com"}  # that the tests use
FREE_MAIL = {"gmail.com"}  # that the tests use
COUNTRIES_OF_TLDS = {"uk": "GB", "de": "DE"}
COUNTRY = ["country+sector", "country", "tld"]
OTHERS = ["sector", "coordinator", "global"]
# What ranks alike stands in one text, divided by bars; H: the team is a provider, V: it is a vendor.
HOLDER_FIRST = ["prefix|H prefix", "domain|H domain|V domain", "asn|H asn", "own domain", *COUNTRY, *OTHERS]
ORDERS = {
    "malicious-code/c2-server": [
        *["H prefix", "H asn", "H domain", "prefix", "domain|V domain", "asn", "own domain"], *COUNTRY, *OTHERS
    ],
    "information-content-security/data-leak": [
        *["prefix", "domain|V domain", "asn", "own domain"], *COUNTRY, *OTHERS, "H prefix", "H domain", "H asn"
    ],
    "vulnerable": [
        *["domain|H domain", "own domain", "prefix|H prefix", "asn|H asn", "V domain"], *COUNTRY, *OTHERS
    ],
}  # fmt: skip
WAITS = {
    "malicious-code/c2-server": "P1D",
    "information-content-security/data-leak": "P1D",
    "vulnerable": "P7D",
}
OTHER_PURPOSES = {"incident": ["general"], "sample": ["general"], "vulnerability": ["general", "incident"]}
PRIVATE = [ip_network(text) for text in ("203.0.113.0/24", "2001:db8::/32")]  # that the tests use


@dataclass(frozen=True)
class Question:
    """One indicator, taken apart by hand: addresses from first to last, or a name, number or code."""

    text: str
    first: Any = None
    last: Any = None
    name: str | None = None
    asn: int | None = None
    code: str | None = None


@dataclass(frozen=True)
class Wishes:
    sector: str | None
    purpose: str
    exclude_teams: frozenset[str]
    exclude_countries: frozenset[str]
    exclude_hosts: frozenset[str]
    kind_of_report: str | None
    on: dt.date


@dataclass(frozen=True)
class Told:
    slug: str
    role: str
    key: str
    value: str
    channel: str
    try_next_after: str | None
    without_detail: bool


def reference(
    known: Directory, registry: SmallRegistry | None, question: Question, wishes: Wishes
) -> tuple[str, list[Told], list[str]]:
    """Status; each contact in order; slugs of those ruled out, sorted."""
    found = list(_candidates(known, registry, question, wishes))
    if _special(question, registry) and not any(place in ("prefix", "asn") for place, *_ in found):
        return "not_routable", [], []
    found.sort(key=lambda candidate: _order(*candidate, wishes))
    kind = wishes.kind_of_report or ""
    kind = kind if kind in ORDERS else kind.split("/")[0]
    contacts: dict[str, Told] = {}
    ruled_out = set()
    for place, team, row in found:
        if not _may_be_told(team, row, wishes):
            ruled_out.add(team.slug)
        elif team.slug not in contacts:
            role = "fallback"
            if place in ("country", "country+sector") or row.role == "cc":
                role = "cc"
            if not contacts:
                role = "to"
            by_tld = row.key.startswith("country") and question.name is not None
            channel = _channel(team, wishes.purpose)
            key = "tld" if by_tld else row.key
            hidden = kind == "information-content-security/data-leak" and _hosting(place, team)
            wait = None if role == "cc" else WAITS.get(kind, "P2D")
            assert channel
            contacts[team.slug] = Told(team.slug, role, key, row.value, channel.value, wait, hidden)
    status = "ok" if contacts else "no_contact"
    told = list(contacts.values())
    for position in reversed(range(len(told))):
        if told[position].role != "cc":
            told[position] = replace(told[position], try_next_after=None)
            break
    return status, told, sorted(ruled_out - contacts.keys())


def _candidates(
    known: Directory, registry: SmallRegistry | None, question: Question, wishes: Wishes
) -> Iterator[tuple[str, Team, Responsibility]]:
    systems, codes = _systems_and_codes(registry, question)
    for team in known.teams:
        for row in team.responsibilities:
            place = _place(row, question, systems, codes, wishes.sector)
            if place:
                yield place, team, row
        for name, origin in _own_domains(team, known):
            if question.name and (question.name == name or question.name.endswith("." + name)):
                yield "own domain", team, Responsibility("domain", name, "holder", 1, origin)


def _own_domains(team: Team, known: Directory) -> Iterator[tuple[str, str]]:
    """Each domain of a mailbox of the team, with its website there or below, that no other team uses."""
    for name in {_mail_domain(channel) for channel in team.channels}:
        mailboxes = _mailboxes(team, name)
        site = _site(team)
        others = [other for other in known.teams if other is not team]
        if not mailboxes or not (site == name or site.endswith("." + name)):
            continue
        if name in SUFFIXES or name in FREE_MAIL:
            continue
        if any(_site(other) == name or _mailboxes(other, name) for other in others):
            continue
        yield name, mailboxes[0].origin


def _mailboxes(team: Team, domain: str) -> list[Channel]:
    return [
        channel
        for channel in team.channels
        if _mail_domain(channel) == domain and channel.audience == "public" and channel.state != "withdrawn"
    ]


def _mail_domain(channel: Channel) -> str:
    return channel.value.split("@")[1]


def _site(team: Team) -> str:
    """Of https://www.example.org/x what stands between the slashes, without www."""
    host = team.website.split("/")[2] if team.website else ""
    return host[4:] if host.startswith("www.") else host


def _systems_and_codes(registry: SmallRegistry | None, question: Question) -> tuple[set[int], set[str]]:
    if question.code:
        return set(), {question.code}
    if question.name:
        code = COUNTRIES_OF_TLDS.get(question.name.rpartition(".")[2])
        return set(), {code} if code else set()
    if question.asn is not None:
        system = registry.asn(question.asn) if registry else None
        return {question.asn}, set(system.registered_countries) if system else set()
    entries = []
    address = question.first
    while registry and address <= question.last:
        entries.append(registry.lookup(address))
        address += 1
    systems = {entry.asn for entry in entries if entry and entry.asn is not None}
    return systems, {entry.registered for entry in entries if entry and entry.registered}


def _place(
    row: Responsibility, question: Question, systems: set[int], codes: set[str], sector: str | None
) -> str | None:
    weak = "tld" if question.name else None
    if row.key == "prefix" and question.first is not None:
        first, last = _ends(row.value)
        same = first.version == question.first.version
        return "prefix" if same and first <= question.first and question.last <= last else None
    if row.key == "asn" and int(row.value) in systems:
        return "asn"
    if row.key == "domain" and question.name:
        if question.name == row.value:
            return "domain"
        return "domain" if question.name.endswith("." + row.value) and row.value not in SUFFIXES else None
    if row.key == "country" and row.value in codes:
        return "coordinator" if row.role == "coordinator" else weak or "country"
    if row.key == "country+sector" and sector and row.value in {f"{code}/{sector}" for code in codes}:
        return weak or "country+sector"
    if row.key == "sector" and row.value == sector:
        return "sector"
    return "global" if row.key == "global" else None


def _ends(value: str) -> tuple[Any, Any]:
    if "/" in value:
        network = ip_network(value)
        return network[0], network[-1]
    first, last = value.split("-")
    return ip_address(first), ip_address(last)


def _order(place: str, team: Team, row: Responsibility, wishes: Wishes) -> tuple[Any, ...]:
    size = 0
    if place == "prefix":
        first, last = _ends(row.value)
        size = int(last) - int(first)
    elif place in ("domain", "own domain"):
        size = -len(row.value.split("."))
    elif place == "tld" and row.key == "country+sector":
        size = -1
    channel = _channel(team, wishes.purpose)
    state = STATES.index(channel.state) if channel else 0
    position = _position(place, team, wishes.kind_of_report)
    origin = row.origin == "imported"
    return position, size, ROLES.index(row.role), origin, state, row.rank, team.slug


def _hosting(place: str, team: Team) -> bool:
    return team.kind == "provider" and place in ("prefix", "asn", "domain")


def _position(place: str, team: Team, kind_of_report: str | None) -> int:
    if _hosting(place, team):
        place = "H " + place
    elif place == "domain" and team.kind == "vendor":
        place = "V domain"
    kind = kind_of_report or ""
    order = ORDERS.get(kind) or ORDERS.get(kind.split("/")[0]) or HOLDER_FIRST
    return next(position for position, alike in enumerate(order) if place in alike.split("|"))


def _channel(team: Team, purpose: str) -> Channel | None:
    public = [c for c in team.channels if c.audience == "public"]
    right = [c for c in public if c.purpose == purpose]
    for other in OTHER_PURPOSES[purpose]:
        if not right:
            right = [c for c in public if c.purpose == other]
    alive = [c for c in right if c.state not in ("bouncing", "withdrawn")]
    if not alive:
        return None
    return min(alive, key=lambda c: (c.preference, STATES.index(c.state), c.origin == "imported", c.value))


def _may_be_told(team: Team, row: Responsibility, wishes: Wishes) -> bool:
    if team.slug in wishes.exclude_teams or team.country in wishes.exclude_countries:
        return False
    if team.host_kind in wishes.exclude_hosts:
        return False
    if team.kind == "military" and team.host_kind is None and "military" in wishes.exclude_hosts:
        return False
    kind = wishes.kind_of_report or "none"
    if kind in team.opt_outs or kind.split("/")[0] in team.opt_outs:
        return False
    today = wishes.on.isoformat()
    if row.valid_from and row.valid_from > today:
        return False
    if row.valid_to and row.valid_to <= today:
        return False
    return _channel(team, wishes.purpose) is not None


def _special(question: Question, registry: SmallRegistry | None) -> bool:
    if question.asn is not None:
        return question.asn in (64500, 64501) and not (registry and registry.asn(question.asn))
    if question.first is None:
        return False
    return any(question.first in space and question.last in space for space in PRIVATE)
