"""Addresses, prefixes and ranges as numbers; which space is special. Refusals are ValueErrors."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

IPAddress = IPv4Address | IPv6Address
BITS = {4: 32, 6: 128}
_MAPPED = 0xFFFF  # above the last 32 bits of an IPv4-mapped IPv6 address (RFC 4291)


class Span(NamedTuple):
    """All addresses from first to last, both inside, of one family (4 or 6)."""

    family: int
    first: int
    last: int

    def covers(self, other: Span) -> bool:
        return self.family == other.family and self.first <= other.first and other.last <= self.last

    def __str__(self) -> str:
        """The prefix if it is one, else `first-last`."""
        size = self.last - self.first + 1
        first = address_text(self.family, self.first)
        if size & (size - 1) == 0 and self.first % size == 0:
            return f"{first}/{BITS[self.family] + 1 - size.bit_length()}"
        return f"{first}-{address_text(self.family, self.last)}"


_V4_LIKE = re.compile(r"[0-9]+(?:\.[0-9]*)+")
_V6_LIKE = re.compile(r"[0-9a-fA-F.]*:[0-9a-fA-F.]*:[0-9a-fA-F:.]*(?:%.*)?")
_DASH = re.compile(" ?[-–—] ?")
_LENGTH = re.compile(r"0|[1-9][0-9]{0,2}")


def looks_like_address(text: str) -> bool:
    """Whether only an address can be meant, rightly or wrongly written (brackets around IPv6 allowed)."""
    text = _unbracketed(text)
    return bool(_V4_LIKE.fullmatch(text) or _V6_LIKE.fullmatch(text))


def parse_address(text: str) -> IPAddress:
    """An IPv4 or IPv6 address in any spelling; an IPv4-mapped IPv6 address is the IPv4 address."""
    address = _as_written(text)
    return getattr(address, "ipv4_mapped", None) or address


def parse_prefix(text: str) -> Span:
    """`address/length` without host bits; below ::ffff:0:0/96 the IPv4 prefix is meant."""
    written, _, length_text = text.partition("/")
    family, number = _number(written)
    bits = BITS[family]
    if not _LENGTH.fullmatch(length_text) or int(length_text) > bits:
        raise ValueError(f"after the slash stands the length of the prefix, a number from 0 to {bits}")
    length = int(length_text)
    if family == 6 and number >> 32 == _MAPPED and length >= 96:
        family, number, bits, length = 4, number & 0xFFFFFFFF, 32, length - 96
    rest = (1 << (bits - length)) - 1
    if number & rest:
        right = Span(family, number & ~rest, number | rest)
        raise ValueError(f"bits are set behind the length of the prefix; the prefix is {right}")
    return Span(family, number, number | rest)


def parse_range(text: str) -> Span:
    """`first-last`, both inside (a hyphen or a dash, spaces around it allowed)."""
    ends = _DASH.split(text, maxsplit=1)
    if len(ends) != 2:
        raise ValueError("a range is written first-last, for example 203.0.113.0-203.0.113.9")
    (family, first), (other, last) = map(_unmapped, ends)
    if family != other:
        raise ValueError("a range begins and ends in the same family, IPv4 or IPv6")
    if first > last:
        right = f"{address_text(family, last)}-{address_text(family, first)}"
        raise ValueError(f"the range ends before it begins; the range is {right}")
    return Span(family, first, last)


def parse_span(text: str) -> Span:
    """A prefix, a range or a single address."""
    if "/" in text:
        return parse_prefix(text)
    return parse_range(text) if _DASH.search(text) else span_of(parse_address(text))


def span_of(address: IPAddress) -> Span:
    """The span that holds this address alone."""
    return Span(address.version, int(address), int(address))


def span_at(canonical: str) -> Span:
    """The span of one address that is in its canonical spelling already (ten times faster than parsing)."""
    family = 6 if ":" in canonical else 4
    number = int.from_bytes(inet_pton(AF_INET6 if family == 6 else AF_INET, canonical))
    return Span(family, number, number)


_GLOBAL_IPV6 = re.compile(r"[23][0-9a-f]{3}:[0-9a-f:]{1,34}")


def is_plain_ipv6(text: str) -> bool:
    """Whether a text is an address of the IPv6 Internet (2000::/3) in its canonical spelling already."""
    if not _GLOBAL_IPV6.fullmatch(text):
        return False
    try:
        return inet_ntop(AF_INET6, inet_pton(AF_INET6, text)) == text
    except OSError:
        return False


def address_text(family: int, number: int) -> str:
    """The canonical spelling (RFC 5952 for IPv6)."""
    return str(IPv4Address(number) if family == 4 else IPv6Address(number))


def _number(text: str) -> tuple[int, int]:
    """Family and number, at once where the address is in its plain spelling."""
    family = 6 if ":" in text else 4
    try:
        return family, int.from_bytes(inet_pton(AF_INET6 if family == 6 else AF_INET, text))
    except (OSError, ValueError):  # brackets, a zone id, or no address: said by the slower reader
        address = _as_written(text)
        return address.version, int(address)


def _unmapped(text: str) -> tuple[int, int]:
    """The same, an IPv4-mapped IPv6 address as the IPv4 address."""
    family, number = _number(text)
    return (4, number & 0xFFFFFFFF) if family == 6 and number >> 32 == _MAPPED else (family, number)


def _unbracketed(text: str) -> str:
    return text[1:-1] if text.startswith("[") and text.endswith("]") else text


def _as_written(text: str) -> IPAddress:
    text = _unbracketed(text)
    if "%" in text:
        raise ValueError("a zone id has a meaning on one machine only; leave out what stands from the % on")
    if ":" in text:
        try:
            return IPv6Address(text)
        except ValueError:
            raise ValueError("this is no IPv6 address; one looks like 2001:db8::1") from None
    try:
        return IPv4Address(text)
    except ValueError:
        if re.fullmatch(r"(?:[0-9]+\.){3}[0-9]+", text) and re.search(r"\b0[0-9]", text):
            reason = "with a leading zero a number is octal to some, decimal to others; leave it out"
        else:
            reason = "this is no IPv4 address; it has four numbers from 0 to 255"
        raise ValueError(reason) from None


# IANA's IPv4 and IPv6 Special-Purpose Address Registries (read 2026-11), multicast, and what IANA has not
# allocated: nobody is registered as answering for an address in it. Teredo, 6to4 and NAT64 are among it.
SPECIAL_SPACE = (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
    "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
    "203.0.113.0/24", "224.0.0.0/3",
    "::/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1",
)  # fmt: skip


def special_ends(family: int) -> tuple[list[int], list[int]]:
    """The first and last numbers of the special space, adjacent pieces joined."""
    return _special_ends()[family]


@cache
def _special_ends() -> dict[int, tuple[list[int], list[int]]]:
    ends: dict[int, tuple[list[int], list[int]]] = {4: ([], []), 6: ([], [])}
    for span in sorted(map(parse_prefix, SPECIAL_SPACE)):
        firsts, lasts = ends[span.family]
        if lasts and lasts[-1] + 1 == span.first:
            lasts[-1] = span.last
        else:
            firsts.append(span.first)
            lasts.append(span.last)
    return ends


def is_special(span: Span) -> bool:
    """Whether all of it is private, reserved or documentation space."""
    firsts, lasts = special_ends(span.family)
    row = bisect_right(firsts, span.first) - 1
    return row >= 0 and span.last <= lasts[row]


_NAT64 = int(IPv6Address("64:ff9b::")) >> 32  # RFC 6052: the well-known prefix, a /96


def carried_address(number: int) -> str | None:
    """The IPv4 address within one of 6to4 (RFC 3056), Teredo (the client's, RFC 4380) or NAT64 (RFC 6052)."""
    address = IPv6Address(number)
    if number >> 32 == _NAT64:
        return str(IPv4Address(number & 0xFFFFFFFF))
    inner = address.sixtofour or (address.teredo[1] if address.teredo else None)
    return str(inner) if inner else None
