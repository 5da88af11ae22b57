"""Registry files of the outside world: lines of text become ranges, holders and countries, or a refusal."""

from __future__ import annotations

import csv
import datetime as dt
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pocdir.core.errors import Invalid
from pocdir.routing.rules.registry_layers import Attribution, pack_country

FORMATS = ("rir-delegated", "ip-location-asn", "ip-location-country", "iptoasn")
COUNTRY_LAYERS = ("registered", "located")
LARGEST_ASN = 2**32 - 1

NRO = Attribution("Number Resource Organization (NRO)", "https://www.nro.net/", "CC BY 4.0")
DB_IP = Attribution("IP Geolocation by DB-IP", "https://db-ip.com", "CC BY 4.0")
ROUTEVIEWS = Attribution("RouteViews", "https://www.routeviews.org/routeviews/", "CC BY 4.0")
IPTOASN = Attribution("IPtoASN", "https://iptoasn.com/", "PDDL 1.0")
IP_LOCATION_DB = Attribution("ip-location-db", "https://github.com/sapics/ip-location-db", "as stated there")


def attributions_of(source_format: str, layer: str | None = None) -> tuple[Attribution, ...]:
    """Whom to name for data of that format; of geolocation only the collection is known, not the source."""
    if layer == "located":
        return (IP_LOCATION_DB,)
    return {
        "rir-delegated": (NRO,),
        "ip-location-asn": (DB_IP, ROUTEVIEWS, NRO),
        "ip-location-country": (NRO,),
        "iptoasn": (IPTOASN,),
    }[source_format]


@dataclass(slots=True)
class Facts:
    """What one file says: `(first, last, value)` per family 4 and 6, both ends inside the range.

    The value of `systems` is an AS number, that of `countries` a packed code (pack_country).
    """

    systems: dict[int, list[tuple[int, int, int]]] = field(default_factory=lambda: {4: [], 6: []})
    countries: dict[int, list[tuple[int, int, int]]] = field(default_factory=lambda: {4: [], 6: []})
    holders: list[tuple[int, str]] = field(default_factory=list)
    asn_countries: list[tuple[int, str]] = field(default_factory=list)
    as_of: str | None = None  # ISO date, where the file states one


def parse(source_format: str, lines: Iterable[str], *, name: str) -> Facts:
    """The facts of one file (lines of text, in any order, overlaps allowed).

    Raises Invalid `registry_malformed` with `where` = name:line, `registry_empty`, `registry_format_unknown`.
    """
    reader = {
        "rir-delegated": _rir_delegated,
        "ip-location-asn": _ip_location_asn,
        "ip-location-country": _ip_location_country,
        "iptoasn": _iptoasn,
    }.get(source_format)
    if reader is None:
        raise Invalid("registry_format_unknown", f"{source_format!r} is none of {', '.join(FORMATS)}")
    facts = reader(lines, name)
    if not any(facts.systems.values()) and not any(facts.countries.values()) and not facts.asn_countries:
        raise Invalid("registry_empty", f"no {source_format} record in it", where=name)
    return facts


def _ip_location_asn(lines: Iterable[str], name: str) -> Facts:
    """ip-location-db `asn`: start,end,AS number,organisation."""
    facts = Facts()
    for where, row in _rows(lines, name, fields=4):
        family, first, last = _range(row[0], row[1], where)
        number = _asn(row[2], where)
        facts.systems[family].append((first, last, number))
        facts.holders.append((number, " ".join(row[3].split())))
    return facts


def _ip_location_country(lines: Iterable[str], name: str) -> Facts:
    """ip-location-db `asn-country` and its like: start,end,country code."""
    facts = Facts()
    for where, row in _rows(lines, name, fields=3):
        family, first, last = _range(row[0], row[1], where)
        facts.countries[family].append((first, last, pack_country(_country(row[2], where))))
    return facts


def _iptoasn(lines: Iterable[str], name: str) -> Facts:
    """iptoasn.com TSV: start, end, AS number, country of the AS, description; AS 0 is "not routed"."""
    facts = Facts()
    for where, row in _rows(lines, name, fields=5, tabs=True):
        family, first, last = _range(row[0], row[1], where)
        if row[2] == "0":
            continue
        number = _asn(row[2], where)
        facts.systems[family].append((first, last, number))
        facts.holders.append((number, " ".join(row[4].split())))
        if row[3] not in ("None", ""):
            facts.asn_countries.append((number, _country(row[3], where)))
    return facts


def _rir_delegated(lines: Iterable[str], name: str) -> Facts:
    """RIR delegated and delegated-extended statistics, version 2 (the registries' common exchange format).

    Records that are available or reserved belong to nobody and are passed over. A file with fewer records
    than its own summary lines promise was cut off and is refused.
    """
    facts = Facts()
    promised: dict[str, int] = {}
    seen = {"ipv4": 0, "ipv6": 0, "asn": 0}
    for number, line in enumerate(lines, start=1):
        text, where = line.lstrip("\ufeff").strip(), f"{name}:{number}"
        if not text or text.startswith("#"):
            continue
        row = text.split("|")
        if facts.as_of is None:
            facts.as_of = _version_line(row, where)
        elif row[-1] == "summary" and len(row) == 6:
            promised[row[2]] = _number(row[4], where, 10**9)
        elif len(row) < 7 or row[2] not in seen:
            raise _malformed("no version, summary or record line of a delegated file", where)
        else:
            seen[row[2]] += 1
            _record(row, where, facts)
    for kind, count in promised.items():
        if seen.get(kind, 0) < count:
            raise _malformed(f"{count} {kind} records promised, {seen.get(kind, 0)} there: cut off", name)
    return facts


def _version_line(row: list[str], where: str) -> str:
    """The last day that a delegated file speaks of, from `2|apnic|20260617|...|19830613|20260616|+1000`."""
    if len(row) == 7 and row[0].split(".")[0] == "2":
        try:
            return dt.date.fromisoformat(row[5]).isoformat()
        except ValueError:
            pass
    raise _malformed("the file does not begin with a version 2 line of a delegated file", where)


def _record(row: list[str], where: str, facts: Facts) -> None:
    kind, start, size, status = row[2], row[3], row[4], row[6]
    if status not in ("allocated", "assigned"):
        return
    country = _country(row[1], where)
    if kind == "asn":
        first = _asn(start, where)
        last = first + _number(size, where, LARGEST_ASN) - 1
        if last < first or last > LARGEST_ASN:
            raise _malformed(f"{size} AS numbers from {start} do not exist", where)
        facts.asn_countries.extend((number, country) for number in range(first, last + 1))
        return
    family, first = _address(start, where)
    if kind != f"ipv{family}":
        raise _malformed(f"{start} is no {kind} address", where)
    if family == 4:
        count, end = _number(size, where, 2**32), 2**32
    else:
        count, end = 1 << (128 - _number(size, where, 128)), 1 << 128
    if count < 1 or first + count > end:
        raise _malformed(f"{size} from {start} is no range", where)
    facts.countries[family].append((first, first + count - 1, pack_country(country)))


def _rows(
    lines: Iterable[str], name: str, *, fields: int, tabs: bool = False
) -> Iterator[tuple[str, list[str]]]:
    reader = (
        csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if tabs else csv.reader(lines, strict=True)
    )
    try:
        for row in reader:
            where = f"{name}:{reader.line_num}"
            if not row:
                continue
            if len(row) != fields:
                raise _malformed(f"{len(row)} fields where {fields} belong", where)
            if reader.line_num == 1:
                row[0] = row[0].lstrip("\ufeff")
            yield where, row
    except csv.Error as error:
        raise _malformed(str(error), f"{name}:{reader.line_num}") from error


def _range(start: str, end: str, where: str) -> tuple[int, int, int]:
    family, first = _address(start, where)
    other, last = _address(end, where)
    if family != other or last < first:
        raise _malformed(f"{start}-{end} is no range", where)
    return family, first, last


def _address(text: str, where: str) -> tuple[int, int]:
    family = 6 if ":" in text else 4
    try:  # ten times faster than ipaddress, and as strict: no leading zeros, no zone
        packed = socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, text.strip())
    except (OSError, ValueError):
        raise _malformed(f"{text[:60]!r} is no IP address", where) from None
    return family, int.from_bytes(packed)


def _asn(text: str, where: str) -> int:
    number = _number(text, where, LARGEST_ASN)
    if not number:
        raise _malformed("AS number 0 is nobody's", where)
    return number


def _number(text: str, where: str, largest: int) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= largest:
        return int(text)
    raise _malformed(f"{text[:20]!r} is no number from 0 to {largest}", where)


def _country(text: str, where: str) -> str:
    if len(text) == 2 and text.isascii() and text.isalpha():
        return text.upper()
    raise _malformed(f"{text[:20]!r} is no country code of two letters", where)


def _malformed(message: str, where: str) -> Invalid:
    return Invalid("registry_malformed", message, where=where)
