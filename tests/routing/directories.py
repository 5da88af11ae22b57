"""Small directories and registries for the tests of routing, written in one line a team."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Any

from pocdir.directory.rules.record import Channel, Directory, Responsibility, Team
from pocdir.routing.rules.indicator import parse
from pocdir.routing.rules.resolver import Answer, Index, resolve

SOURCE, AS_OF = "test list", "2026-06-17"


def mailbox(slug: str, **changes: Any) -> Channel:
    """An unverified public mailbox for incidents."""
    channel = Channel("email", f"{slug}@example.org", "incident", 1, source=SOURCE, as_of=AS_OF)
    return replace(channel, **changes)


def row(key: str, value: str, role: str = "holder", **changes: Any) -> Responsibility:
    """An imported responsibility of rank 1."""
    return replace(Responsibility(key, value, role, 1, source=SOURCE, as_of=AS_OF), **changes)


def prefix(value: str, **changes: Any) -> Responsibility:
    return row("prefix", value, **changes)


def national(code: str, **changes: Any) -> Responsibility:
    return row("country", code, "national", **changes)


def team(slug: str, *rows: Responsibility, **changes: Any) -> Team:
    """A team of kind other in AT with one mailbox; `state` and `since` are the mailbox's."""
    state, since = changes.pop("state", "unverified"), changes.pop("since", None)
    channels = (mailbox(slug, state=state, state_since=since),)
    plain = Team(slug, slug.upper(), None, "other", "AT", channels=channels, responsibilities=rows)
    return replace(plain, **changes)


def directory(*teams: Team) -> Directory:
    return Directory("d1", teams)


@dataclass(frozen=True)
class Entry:
    """What the registry says of a prefix."""

    prefix: str
    asn: int | None = None
    holder: str | None = None
    registered: str | None = None
    located: str | None = None
    asn_country: str | None = None
    as_of: str = AS_OF


@dataclass(frozen=True)
class System:
    """What the registry says of an AS number."""

    holder: str | None
    asn_country: str | None
    registered_countries: tuple[str, ...]


class SmallRegistry:
    """Looks at every entry; they may not overlap."""

    version, as_of = "r1", AS_OF

    def __init__(self, entries: Iterable[Entry] = (), systems: Mapping[int, System] | None = None) -> None:
        self.entries = [(ip_network(entry.prefix), entry) for entry in entries]
        self.systems = systems or {}

    def lookup(self, address: IPv4Address | IPv6Address) -> Entry | None:
        return next((entry for network, entry in self.entries if address in network), None)

    def at(self, family: int, number: int) -> Entry | None:
        return self.lookup(IPv4Address(number) if family == 4 else IPv6Address(number))

    def asn(self, number: int) -> System | None:
        return self.systems.get(number)


TODAY = dt.date(2026, 11, 22)


def ask(text: str, known: Directory, registry: SmallRegistry | None = None, **wishes: Any) -> Answer:
    index = Index.build(known, registry)
    return resolve(index, parse(text, index.names), on=wishes.pop("on", TODAY), **wishes)


def slugs(answer: Answer) -> list[str]:
    return [contact.team.slug for contact in answer.contacts]


def told(answer: Answer) -> list[tuple[str, str, str]]:
    return [(contact.team.slug, contact.role, contact.basis.value) for contact in answer.contacts]


def refused(answer: Answer) -> dict[str, str]:
    return {out.team.slug: out.reason for out in answer.rejected}
