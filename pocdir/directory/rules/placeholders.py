"""What stands where an address should be: the one table of it."""

from __future__ import annotations

import re

# Addresses that registries write where they withhold or never had a contact. `.example` is not among them:
# it is kept for examples (RFC 2606), and examples are imported like anything else.
PLACEHOLDERS = frozenset(
    {"removed@lacnic.net", "unread@ripe.net", "no-email@apnic.net", "abuse@example.com."}
)
# Registries of numbers: their hostmaster answers for the registry, never for a network that names him.
REGISTRIES = frozenset({
    "afrinic.net", "apnic.net", "arin.net", "lacnic.net", "ripe.net", "iana.org", "nic.ad.jp", "nic.or.kr",
    "krnic.net", "cnnic.cn", "cnnic.net.cn", "twnic.tw", "twnic.net.tw", "apjii.or.id", "idnic.net",
    "irinn.in", "vnnic.vn", "vnnic.net.vn", "registro.br", "nic.br", "nic.mx",
})  # fmt: skip
REGISTRY_DESKS = frozenset({"hostmaster", "hm-changed", "ripe-dbm", "afrinic-dbm", "ip-request", "ipas"})
_WITHHELD = re.compile(
    r"\b(?:data )?redacted\b|\bwithheld\b|\bnot disclosed\b|\bstatutory masking\b|\bgdpr masked\b"
)


def placeholder(value: str) -> str | None:
    """Why a value only stands where an address should be; None for one that may be an address.

    A registry's hostmaster, an address on the list above, or a word such as REDACTED.
    """
    given = value.strip().casefold()
    local, at, domain = given.partition("@")
    if given in PLACEHOLDERS:
        return "stands for an address that was removed or never there"
    if at and local in REGISTRY_DESKS and domain.removesuffix(".") in REGISTRIES:
        return "is the desk of a registry, not of the team"
    if _WITHHELD.search(given):
        return "says that the address is withheld"
    return None
