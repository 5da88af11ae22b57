"""The published order of contacts, as data: the resolver sorts by these tables, the rules page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from pocdir.core.text import Phrase

# How a team is reached. A hosting network or name is one whose team is a provider: hoster or registrar.
PLACES: Mapping[str, Phrase] = MappingProxyType(
    {
        "team": Phrase("the team itself, asked for by name"),
        "prefix": Phrase("a prefix or range with the address in it; the fewer addresses the better"),
        "hosting prefix": Phrase("a prefix or range of a provider (the hoster)"),
        "domain": Phrase("the domain or one above it, below the public suffix; the longer the better"),
        "hosting domain": Phrase("a domain of a provider (the registrar or hoster of the name)"),
        "vendor domain": Phrase("a domain of a vendor (its product security team, PSIRT)"),
        "asn": Phrase("the AS number"),
        "hosting asn": Phrase("the AS number of a provider (the hoster)"),
        "own domain": Phrase("the domain of the team's own mailbox and website, a weak reason"),
        "country+sector": Phrase("the country and the sector, when a sector is given"),
        "country": Phrase("the country in which the address is registered, or which is asked for"),
        "tld": Phrase("the country of the top level domain, a weak reason"),
        "sector": Phrase("the sector in any country, when a sector is given"),
        "coordinator": Phrase("a coordinator for several countries"),
        "global": Phrase("a coordinator for all countries"),
    }
)

# Places of one group rank alike, and the more specific among them comes first.
Groups = tuple[tuple[str, ...], ...]


class Order(NamedTuple):
    """The order for one kind of report, and what else depends on the kind."""

    title: Phrase
    groups: Groups
    try_next_after: (
        str  # ISO 8601, elapsed: without an answer for so long, the next one in the chain is tried
    )
    purpose: str = "incident"  # which of a team's channels, unless somebody asks for another
    without_detail: frozenset[str] = frozenset()  # places whose team is told that, and not what


_BY_NAME: Groups = (("team",),)
_COUNTRY: Groups = (("country+sector",), ("country",), ("tld",))
_OTHERS: Groups = (("sector",), ("coordinator",), ("global",))
_HOLDER: Groups = (
    *_BY_NAME,
    ("prefix", "hosting prefix"),
    ("domain", "hosting domain", "vendor domain"),
    ("asn", "hosting asn"),
    ("own domain",),
    *_COUNTRY,
    *_OTHERS,
)

DEFAULT = Order(
    Phrase("Who holds the network or the name first; the national team gets a copy."), _HOLDER, "P2D"
)

# By kind of report: CLASS/TYPE, else CLASS, else the default.
BY_REPORT: Mapping[str, Order] = MappingProxyType(
    {
        "malicious-code/infected-system": Order(
            Phrase("An infected system: its holder first; the national team gets a copy."), _HOLDER, "P2D"
        ),
        "malicious-code/c2-server": Order(
            Phrase("A command-and-control server: the hoster first, then the registrar of the name."),
            (
                *_BY_NAME,
                ("hosting prefix",),
                ("hosting asn",),
                ("hosting domain",),
                ("prefix",),
                ("domain", "vendor domain"),
                ("asn",),
                ("own domain",),
                *_COUNTRY,
                *_OTHERS,
            ),
            "P1D",
        ),
        "information-content-security/data-leak": Order(
            Phrase(
                "Exposed data: its owner first, the team of the sector, the national team;"
                " the hoster last, and without detail."
            ),
            (
                *_BY_NAME,
                ("prefix",),
                ("domain", "vendor domain"),
                ("asn",),
                ("own domain",),
                *_COUNTRY,
                *_OTHERS,
                ("hosting prefix",),
                ("hosting domain",),
                ("hosting asn",),
            ),
            "P1D",
            without_detail=frozenset(("hosting prefix", "hosting domain", "hosting asn")),
        ),
        "vulnerable": Order(
            Phrase(
                "A vulnerability: the owner of the name as its security.txt says, who holds the network,"
                " the vendor's product security team, the national team."
            ),
            (
                *_BY_NAME,
                ("domain", "hosting domain"),
                ("own domain",),
                ("prefix", "hosting prefix"),
                ("asn", "hosting asn"),
                ("vendor domain",),
                *_COUNTRY,
                *_OTHERS,
            ),
            "P7D",
            purpose="vulnerability",
        ),
    }
)

# Whose channels serve a purpose where a team names none for it, the best first.
PURPOSE_ORDER: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "incident": ("incident", "general"),
        "vulnerability": ("vulnerability", "general", "incident"),
        "sample": ("sample", "general"),
        "emergency": ("emergency", "general"),
        "general": ("general",),
    }
)

# Within a group, one after the other; the first difference decides.
WITHIN: tuple[Phrase, ...] = (
    Phrase("the more specific before the less specific"),
    Phrase("the role in the order of the roles"),
    Phrase("entered by hand before imported"),
    Phrase("the state of the address in the order of the states"),
    Phrase("the rank that the entry gives"),
    Phrase("the slug, so that there is always one order"),
)
ROLE_ORDER = ("holder", "national", "sectoral", "coordinator", "cc")
ORIGIN_ORDER = ("manual", "imported")
STATE_ORDER = ("verified", "due", "in-check", "unverified", "unresponsive")

# Of one team's channels for a purpose, one after the other.
CHANNELS: tuple[Phrase, ...] = (
    Phrase("the preference that the entry gives"),
    Phrase("the state of the address in the order of the states"),
    Phrase("entered by hand before imported"),
    Phrase("mail before telephone before forms and the rest"),
)


def order_for(kind_of_report: str | None) -> Order:
    """The order for a kind of report (CLASS/TYPE or CLASS); unknown kinds have the default one."""
    kind = kind_of_report or ""
    return BY_REPORT.get(kind) or BY_REPORT.get(kind.partition("/")[0]) or DEFAULT


def positions(kind_of_report: str | None) -> Mapping[str, int]:
    """Place -> position for a kind of report; unknown kinds have the default order."""
    kind = kind_of_report or ""
    return _POSITIONS.get(kind) or _POSITIONS.get(kind.partition("/")[0]) or _POSITIONS[""]


_POSITIONS = {
    kind: {place: position for position, places in enumerate(order.groups) for place in places}
    for kind, order in {"": DEFAULT, **BY_REPORT}.items()
}
