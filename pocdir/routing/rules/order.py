"""The published order of contacts, as data: the resolver sorts by these tables, the rules page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pocdir.core.text import Phrase

# How a team is reached. A hosting network is a prefix or AS number whose team is a provider.
PLACES: Mapping[str, Phrase] = MappingProxyType(
    {
        "team": Phrase("the team itself, asked for by name"),
        "prefix": Phrase("a prefix or range with the address in it; the fewer addresses the better"),
        "hosting prefix": Phrase("the same, where the team is a provider"),
        "domain": Phrase("the domain or one above it, below the public suffix; the longer the better"),
        "asn": Phrase("the AS number"),
        "hosting asn": Phrase("the same, where the team is a provider"),
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
_COUNTRY: Groups = (("country+sector",), ("country",), ("tld",))
_OTHERS: Groups = (("sector",), ("coordinator",), ("global",))
DEFAULT: Groups = (
    ("team",),
    ("prefix", "hosting prefix"),
    ("domain",),
    ("asn", "hosting asn"),
    ("own domain",),
    *_COUNTRY,
    *_OTHERS,
)

# By kind of report: CLASS/TYPE, else CLASS, else the default.
BY_REPORT: Mapping[str, Groups] = MappingProxyType(
    {
        # Exposed data is its owner's first; the hoster comes after everybody who protects the owner.
        "information-content-security/data-leak": (
            ("team",),
            ("prefix",),
            ("domain",),
            ("asn",),
            ("own domain",),
            *_COUNTRY,
            ("hosting prefix",),
            ("hosting asn",),
            *_OTHERS,
        )
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


def positions(kind_of_report: str | None) -> Mapping[str, int]:
    """Place -> position for a kind of report (CLASS/TYPE); unknown kinds have the default order."""
    kind = kind_of_report or ""
    return _POSITIONS.get(kind) or _POSITIONS.get(kind.partition("/")[0]) or _POSITIONS[""]


_POSITIONS = {
    kind: {place: position for position, places in enumerate(groups) for place in places}
    for kind, groups in {"": DEFAULT, **BY_REPORT}.items()
}
