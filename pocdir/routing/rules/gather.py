"""Everybody who might answer for an indicator: the keys it has, and the candidates under each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from pocdir.core.domains import country_of_tld, suffix_labels
from pocdir.core.text import Phrase
from pocdir.routing.rules.addresses import Span, carried_address, is_special, parse_prefix
from pocdir.routing.rules.index import (
    NOBODY,
    Candidate,
    Index,
    Registry,
    RegistryEntry,
    sector_key,
)
from pocdir.routing.rules.indicator import Indicator, domain, span

Value = TypeVar("Value")

Reached = tuple[Candidate, Phrase | None]  # with the reason; None: its specificity

MOST_ENTRIES = 64  # of the registry that one prefix or range is looked up in

# IANA's AS numbers registry (read 2026-11): reserved, AS_TRANS, documentation, private use.
SPECIAL_SYSTEMS = (
    (0, 0),
    (23456, 23456),
    (64496, 131071),
    (4200000000, 4294967295),
)

# IANA's special-use domain names (read 2026-11) that are top level domains, and ICANN's .internal.
SPECIAL_TLDS = frozenset(("alt", "example", "internal", "invalid", "local", "localhost", "onion", "test"))

AS_NUMBER = Phrase("AS number")
DEPENDS = Phrase("depends on the prefix")
ASKED_COUNTRY = Phrase("the country asked for")
TLD_ONLY = Phrase("by TLD only")
OWN_DOMAIN = Phrase("the domain of the team's own mailbox and website, a weak reason")
REGIONAL = Phrase("coordinator for several countries")
GLOBAL = Phrase("global coordinator")
SECTOR = Phrase("country and sector")
SECTOR_ANYWHERE = Phrase("the sector in any country")
BY_NAME = Phrase("asked for by name")
COUNTRY_REASONS = {
    "registered": Phrase("registered country"),
    "located": Phrase("country in which it is located"),
    "asn": Phrase("country of the AS"),
}
NOT_ROUTABLE = Phrase("not routable: no contact exists for private, reserved or documentation space")
NO_REGISTRY = Phrase("no registry data is loaded: network and country are not known")
NOT_REGISTERED = Phrase("the registry data says nothing about this")
NO_COUNTRY = Phrase("the registry data names no country for this")
IN_COUNTRIES = Phrase("its prefixes are registered in several countries; ask for the single address")
IN_PIECES = Phrase("the registry data divides this: the country depends on the address")
NOT_ALL = Phrase("only a part of this was looked up in the registry data; ask for smaller prefixes")
NO_COUNTRY_BY_NAME = Phrase("this domain alone tells no country; look up the IP address that it leads to")
NOT_PUBLIC = Phrase("names of this top level domain are not in the public DNS: nobody is registered for them")
HAS_PARTS = Phrase("parts of this have contacts of their own; ask for the single addresses")


class Network(NamedTuple):
    """What the registry says of the indicator; None where it says nothing, or not the same of all of it."""

    prefix: str | None
    asn: int | None
    holder: str | None
    registered: str | None
    located: str | None
    asn_country: str | None
    as_of: str


@dataclass(slots=True)
class Found:
    """The candidates, and what else there is to say."""

    candidates: list[Reached] = field(default_factory=list)
    network: Network | None = None
    countries: tuple[str, ...] = ()
    notes: list[Phrase] = field(default_factory=list)
    routable: bool = True

    def add(self, candidates: Iterable[Candidate], reason: Phrase | None) -> None:
        self.candidates += [(candidate, reason) for candidate in candidates]


def gather(index: Index, indicator: Indicator, sector: str | None, country_by: str) -> Found:
    """All candidates, in no order, also those that are ruled out; country_by: registered, located or asn."""
    found = Found()
    asked = span(indicator)
    if asked:
        _addresses(index, asked, sector, country_by, found)
    elif indicator.kind == "asn":
        _system(index, int(indicator.value), sector, country_by, found)
    elif indicator.kind == "country":
        _countries(index, (indicator.value,), sector, ASKED_COUNTRY, found)
    elif indicator.kind == "team":
        found.add(index.teams.get(indicator.value, NOBODY), BY_NAME)
    else:
        _name(index, domain(indicator) or "", sector, found)
    return found


def _addresses(index: Index, asked: Span, sector: str | None, country_by: str, found: Found) -> None:
    pieces = index.pieces[asked.family]
    if asked.first == asked.last:
        found.add(pieces.at(asked.first), None)
    else:
        found.add([c for c in pieces.at(asked.first) if c.span and c.span.last >= asked.last], None)
        if not pieces.whole(asked.first, asked.last):
            found.notes.append(HAS_PARTS)
    entries = _entries(index.registry, asked, found)
    found.network = _network(entries)
    systems = _distinct([entry.asn for entry in entries])
    for number in systems:
        found.add(index.systems.get(number, NOBODY), AS_NUMBER if len(systems) == 1 else DEPENDS)
    if not found.candidates and is_special(asked):
        found.routable, found.notes = False, [NOT_ROUTABLE, *_held_within(asked)]
        return
    codes = _distinct([_deciding(entry, country_by) for entry in entries])
    if len(codes) > 1:
        found.notes.append(IN_PIECES)
    elif not codes and NOT_ALL not in found.notes:
        found.notes.append(NO_COUNTRY if entries else NOT_REGISTERED if index.registry else NO_REGISTRY)
    found.notes += _disagreement(found.network)
    _countries(index, codes, sector, COUNTRY_REASONS[country_by] if len(codes) == 1 else DEPENDS, found)


def _held_within(asked: Span) -> list[Phrase]:
    """The IPv4 address that one of a transition mechanism (6to4, Teredo, NAT64) carries."""
    inner = carried_address(asked.first) if asked.family == 6 and asked.first == asked.last else None
    return [Phrase("it carries the IPv4 address %(address)s; look that up", address=inner)] if inner else []


def _entries(registry: Registry | None, asked: Span, found: Found) -> list[RegistryEntry]:
    """What the registry says from the first address to the last, piece by piece."""
    entries: list[RegistryEntry] = []
    number = asked.first
    while registry is not None and number <= asked.last:
        entry = registry.at(asked.family, number)
        if entry:
            entries.append(entry)
        if asked.first == asked.last:
            break
        if entry is None or entry.prefix is None or len(entries) == MOST_ENTRIES:
            found.notes.append(NOT_ALL)
            break
        number = parse_prefix(entry.prefix).last + 1
    return entries


def _network(entries: list[RegistryEntry]) -> Network | None:
    if not entries:
        return None
    first = entries[0]
    if len(entries) == 1:
        return Network(
            first.prefix,
            first.asn,
            first.holder,
            first.registered,
            first.located,
            first.asn_country,
            first.as_of,
        )
    return Network(
        None,
        _common(entry.asn for entry in entries),
        _common(entry.holder for entry in entries),
        _common(entry.registered for entry in entries),
        _common(entry.located for entry in entries),
        _common(entry.asn_country for entry in entries),
        min(entry.as_of for entry in entries),
    )


def _deciding(entry: RegistryEntry, country_by: str) -> str | None:
    if country_by == "registered":
        return entry.registered
    return entry.located if country_by == "located" else entry.asn_country


def _disagreement(network: Network | None) -> list[Phrase]:
    """Where the registered country is not the one of the place or of the AS."""
    if network is None or network.registered is None:
        return []
    code, notes = network.registered, []
    if network.located not in (None, code):
        there = network.located or ""
        notes.append(Phrase("registered in %(code)s, located in %(there)s", code=code, there=there))
    if network.asn_country not in (None, code):
        there = network.asn_country or ""
        notes.append(Phrase("registered in %(code)s, its AS in %(there)s", code=code, there=there))
    return notes


def _system(index: Index, number: int, sector: str | None, country_by: str, found: Found) -> None:
    found.add(index.systems.get(number, NOBODY), AS_NUMBER)
    entry = index.registry.asn(number) if index.registry else None
    if not found.candidates and entry is None and any(low <= number <= high for low, high in SPECIAL_SYSTEMS):
        found.routable, found.notes = False, [NOT_ROUTABLE]
        return
    if entry is None or index.registry is None:
        found.notes.append(NOT_REGISTERED if index.registry else NO_REGISTRY)
        _countries(index, (), sector, DEPENDS, found)
        return
    codes = entry.registered_countries
    if country_by == "asn":
        codes = (entry.asn_country,) if entry.asn_country else ()
    found.network = Network(
        None,
        number,
        entry.holder,
        _common(entry.registered_countries),
        None,
        entry.asn_country,
        index.registry.as_of,
    )
    if not codes:
        found.notes.append(NO_COUNTRY)
    elif len(codes) > 1:
        found.notes.append(IN_COUNTRIES)
    reason = COUNTRY_REASONS["asn" if country_by == "asn" else "registered"]
    _countries(index, codes, sector, reason if len(codes) == 1 else DEPENDS, found)


def _name(index: Index, name: str, sector: str | None, found: Found) -> None:
    """Each parent below the public suffix (a public suffix asked for is looked up itself), then the ccTLD."""
    labels = name.split(".")
    for start in range(max(len(labels) - suffix_labels(labels), 1)):
        parent = ".".join(labels[start:])
        found.add(index.domains.get(parent, NOBODY), None)
        found.add(index.own_domains.get(parent, NOBODY), OWN_DOMAIN)
        teams = index.shared_domains.get(parent)
        if teams:
            found.notes.append(
                Phrase(
                    "several teams share %(domain)s, none answers for all of it: %(teams)s",
                    domain=parent,
                    teams=teams,
                )
            )
    code = country_of_tld(name)
    if code is None and not found.candidates and not found.notes:
        found.notes.append(NOT_PUBLIC if labels[-1] in SPECIAL_TLDS else NO_COUNTRY_BY_NAME)
    _countries(index, (code,) if code else (), sector, TLD_ONLY, found, weak=True)


def _countries(
    index: Index,
    codes: tuple[str, ...],
    sector: str | None,
    reason: Phrase,
    found: Found,
    *,
    weak: bool = False,
) -> None:
    """The teams of the countries and of the sector in them, then those of the sector and of the world."""
    countries, sectors = (index.tlds, index.tld_sectors) if weak else (index.countries, index.sectors)
    for code in codes:
        if sector:
            found.add(sectors.get(sector_key(sector, code), NOBODY), reason if weak else SECTOR)
        for candidate in countries.get(code, NOBODY):
            found.candidates.append((candidate, REGIONAL if candidate.place == "coordinator" else reason))
    if sector:
        found.add(index.sectors.get(sector_key(sector), NOBODY), SECTOR_ANYWHERE)
        without = ", ".join(code for code in codes if sector_key(sector, code) not in sectors)
        if without:
            found.notes.append(
                Phrase(
                    "no team is known for the sector %(sector)s in %(codes)s", sector=sector, codes=without
                )
            )
        _say_which_sectors(sector, index, found)
    found.add(index.everywhere, GLOBAL)
    found.countries = codes


def _say_which_sectors(sector: str, index: Index, found: Found) -> None:
    """Of a sector that stands nowhere in the directory: it may be a slip."""
    known = {key.rpartition("/")[2] for key in index.sectors}
    if known and sector_key(sector) not in known:
        names = ", ".join(sorted(known))
        found.notes.append(Phrase("the directory knows these sectors alone: %(sectors)s", sectors=names))


def _distinct(values: list[Value | None]) -> tuple[Value, ...]:
    if len(values) == 1:  # an address has one entry
        return () if values[0] is None else (values[0],)
    return tuple(dict.fromkeys(value for value in values if value is not None))


def _common(values: Iterable[Value]) -> Value | None:
    """The value if they are all the same."""
    found = set(values)
    return found.pop() if len(found) == 1 else None
