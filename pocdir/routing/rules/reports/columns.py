"""Which column of a report holds whose address, by the names that Shadowserver, IntelMQ and people give."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from pocdir.core.domains import ends_in_listed_tld
from pocdir.core.errors import Invalid
from pocdir.routing.rules import indicator
from pocdir.routing.rules.reports.layout import KINDS

_PLAIN = {
    "ip": "ip ip_address ipaddress ip_addr ipaddr ip_adresse adresse_ip ipv4 ipv6 ip4 ip6 ipv4_address ipv6_address"
    " src_ip source_ip srcip sourceip source.address client_ip client.ip clientip remote_ip remote_addr victim_ip"
    " infected_ip host_ip host.ip device_ip address addr prefix cidr network netblock subnet ip_range inetnum",
    "indicator": "indicator ioc observable indicator_value value",
    "domain": "domain domain_name domainname fqdn hostname host_name host dns_name src_hostname source_fqdn"
    " source_domain source.domain site",
    "url": "url uri full_url source_url phishing_url malware_url link",
    "asn": "asn as_number asnumber autonomous_system src_asn source_asn as",
    "country": "cc country country_code countrycode geo src_geo source_geo source_cc iso2 geolocation.cc",
    "timestamp": "timestamp time date datetime date_time seen seen_at first_seen last_seen event_time detected_at"
    " observed_at time_source @timestamp",
}
PLAIN = {kind: tuple(names.split()) for kind, names in _PLAIN.items()}
INTELMQ = {
    "ip": ("source.ip", "source.network"),
    "domain": ("source.fqdn",),
    "url": ("source.url",),
    "asn": ("source.asn",),
    "country": ("source.geolocation.cc",),
    "timestamp": ("time.source", "time.observation"),
}
# A name that means other things too counts only where a row bears it out.
DOUBTFUL = frozenset(
    ["address", "addr", "host", "value", "network", "prefix", "site", "link", "as", "date", "time"]
)
# The party of a Shadowserver report whose columns stand first is the one it is for: src in a sinkhole's, dst in
# one of the targets of attacks, http_referer in one of sites that lead to a sinkhole.
_PARTY = re.compile(r"(|src_|dst_|http_referer_)ip")
_SANDBOX_DNS = frozenset({"md5hash", "request", "type", "response"})
_FOR_EXAMPLES = (".example", ".test")  # RFC 2606

_LONGEST_KEPT = 4000  # characters: a stranger's names are not kept without end

Columns = tuple[tuple[int, str], ...]


def plain_name(name: str) -> str:
    """A column's name without case, quotes and what stands for a space: ` "Source IP"` is source_ip."""
    return re.sub(r"[\s_-]+", "_", name.strip().strip("\"'").strip()).casefold()


def columns_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[str, Columns]:
    """The report's kind and its columns in order of preference, without any where no name is known.

    `rows` are some of the first: names that mean other things too are borne out by them, or dropped.
    """
    report, columns = by_name(header)
    return report, borne_out(header, columns, rows)


def by_name(header: Sequence[str]) -> tuple[str, Columns]:
    """The same by the names alone, doubtful ones too."""
    names = tuple(header)
    return _kept(names) if sum(map(len, names)) < _LONGEST_KEPT else _by_name(names)


def borne_out(header: Sequence[str], columns: Columns, rows: Sequence[Sequence[str]]) -> Columns:
    """The columns, those of doubtful names only as what the rows show them to hold."""
    return tuple(
        (index, seen)
        for index, kind in columns
        if (seen := _seen(index, kind, rows) if plain_name(header[index]) in DOUBTFUL else kind)
    )


def _by_name(header: tuple[str, ...]) -> tuple[str, Columns]:
    names = [plain_name(name) for name in header]
    for report, known in (("shadowserver", _shadowserver(names)), ("intelmq-csv", _intelmq(names))):
        if known and (found := _found(names, known)):
            return report, found
    return "plain", _found(names, PLAIN)


_kept = lru_cache(maxsize=256)(_by_name)  # the records of a JSON report have the same few names


def has_address(columns: Columns) -> bool:
    """A country alone is no address: a list of anything has one."""
    return any(kind not in ("country", "timestamp") for _, kind in columns)


def known_names(names: Sequence[str]) -> int:
    """How many of the names are those of a column that we know."""
    return len(_EVERY.intersection(map(plain_name, names)))


def kind_of(cell: str) -> str | None:
    """ip, domain, url or asn (with AS before it) as a cell without a name over it says; None for other text."""
    text = cell.strip()
    if not 3 <= len(text) <= 2000 or text.isdecimal() or not re.search(r"[.:]|(?i:^as ?[0-9])", text):
        return None
    try:
        kind, value, _ = indicator.parse(text)
    except Invalid:
        return None
    if kind in ("prefix", "range"):
        return "ip"
    if kind == "domain" and not (ends_in_listed_tld(value) or value.endswith(_FOR_EXAMPLES)):
        return None
    return kind if kind in ("ip", "domain", "url", "asn") else None


def without_names(rows: Sequence[Sequence[str]]) -> Columns:
    """The column that holds addresses in at least half of the rows: the leftmost with an IP, else the leftmost."""
    best: Columns = ()
    for index in range(max(map(len, rows), default=0)):
        cells = [row[index] for row in rows if len(row) > index and row[index].strip()]
        kinds = [kind for cell in cells if (kind := kind_of(cell))]
        if not kinds or 2 * len(kinds) < len(cells):
            continue
        one = kinds[0] if len(set(kinds)) == 1 else "indicator"
        if "ip" in kinds:
            return ((index, one),)
        best = best or ((index, one),)
    return best


def _shadowserver(names: list[str]) -> dict[str, tuple[str, ...]] | None:
    if "timestamp" not in names:
        return None
    if set(names) >= _SANDBOX_DNS:
        return {"domain": ("request",), "timestamp": ("timestamp",)}
    party = next((match[1] for name in names if (match := _PARTY.fullmatch(name))), None)
    if party is None or not {f"{party}asn", f"{party}geo"} <= set(names):
        return None
    return {
        "ip": (f"{party}ip",),
        "domain": (*(("http_host", "host") if "url" in names else ()), f"{party}hostname"),
        "url": () if party or "http_host" in names else ("url",),  # beside http_host it is a path
        "asn": (f"{party}asn",),
        "country": (f"{party}geo",),
        "timestamp": ("timestamp",),
    }


def _intelmq(names: list[str]) -> dict[str, tuple[str, ...]] | None:
    return INTELMQ if has_address(_found(names, INTELMQ)) else None


def _found(names: list[str], known: dict[str, tuple[str, ...]]) -> Columns:
    places: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        places.setdefault(name, []).append(index)
    return tuple(
        (index, kind) for kind in KINDS for wanted in known.get(kind, ()) for index in places.get(wanted, ())
    )


def _seen(index: int, kind: str, rows: Sequence[Sequence[str]]) -> str | None:
    """What the rows say that the column holds: `host` has addresses in one file, names in another."""
    cells = [row[index].strip() for row in rows if len(row) > index and row[index].strip()]
    if not cells:
        return kind
    if kind == "timestamp":
        return kind if any(sign.isdecimal() for sign in cells[0]) else None
    if kind == "asn":
        return kind if any(re.fullmatch(r"(?i:as)? ?[0-9]{1,10}", cell) for cell in cells) else None
    kinds = {seen for cell in cells if (seen := kind_of(cell))}
    return "indicator" if len(kinds) > 1 else next(iter(kinds), None)


_EVERY = frozenset(
    [name for names in (*PLAIN.values(), *INTELMQ.values()) for name in names]
    + ["dst_ip", "http_referer_ip", *_SANDBOX_DNS]
)
