"""What somebody pastes, read as address, prefix, range, AS number, e-mail, URL, domain, country or team."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from pocdir.core.codes import alpha2, code_by_name
from pocdir.core.domains import parse_domain
from pocdir.core.errors import Invalid
from pocdir.core.text import fold
from pocdir.routing.rules.addresses import (
    IPAddress,
    Span,
    address_text,
    is_plain_ipv6,
    looks_like_address,
    parse_address,
    parse_prefix,
    parse_range,
    span_at,
    span_of,
)

KINDS = ("ip", "prefix", "range", "asn", "domain", "url", "email", "country", "team")
LONGEST = 4096  # characters
LARGEST_ASN = 2**32 - 1

EXAMPLES = "203.0.113.70, 2001:db8::/32, AS64500, example.org, user@example.org, AT"
NO_NAMES: Mapping[str, Sequence[str]] = MappingProxyType({})


class Indicator(NamedTuple):
    """One thing somebody asks about.

    `value` is normalised, and parse() reads it as itself: ip 203.0.113.70; prefix 2001:db8::/32; range
    first-last; asn 64500; domain in A-labels; url with its host normalised, without user and password, the
    path untouched; email with its domain normalised; country AT; team its slug. `input` is what was given.
    """

    kind: str
    value: str
    input: str


_LIKE_A_CODE = re.compile("[a-zA-Z]{2,3}")
_NOTHING = f"this is nothing that can be looked up; what can is, for example, {EXAMPLES}"
_NO_CODE = (
    "{} is no country code (ISO 3166-1, EU or XK), and no team here has this name; a code such as AT is right"
)
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PLAIN_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")


def parse(text: str, directory_names: Mapping[str, Sequence[str]] = NO_NAMES) -> Indicator:
    """Read one indicator; `directory_names` gives the slugs of teams by folded slug, name or short name.

    Tried in this order: address, prefix, range, AS number, e-mail, URL, domain, country code, country name,
    team. Raises Invalid `indicator_invalid`, which says what was wrong and what would be right.
    """
    if _PLAIN_IPV4.fullmatch(text) or is_plain_ipv6(text):  # what is asked most: in its one spelling already
        return Indicator("ip", text, text)
    plain = _one_line(text)
    found, reason = _read(plain)
    found = found or _known_name(plain, directory_names)
    if found is None:
        raise _refused(_NO_CODE.format(plain.upper()) if _LIKE_A_CODE.fullmatch(plain) else reason)
    return Indicator(*found, text)


def parse_network_name(text: str) -> Indicator:
    """The same where neither a country nor a team can be meant: the rubbish in a large file loads no names of them."""
    found, reason = _read(_one_line(text))
    if found is None:
        raise _refused(reason)
    return Indicator(*found, text)


def _read(plain: str) -> tuple[tuple[str, str] | None, str]:
    """Kind and value, if it is the name of something in the network; and why not."""
    try:
        return _network_name(*_refanged(plain)), _NOTHING
    except ValueError as error:
        return None, str(error)


def span(indicator: Indicator) -> Span | None:
    """The addresses asked about; None when a name, number or country is."""
    if indicator.kind == "ip":
        return span_at(indicator.value)
    if indicator.kind == "prefix":
        return parse_prefix(indicator.value)
    if indicator.kind == "range":
        return parse_range(indicator.value)
    if indicator.kind in ("url", "email"):
        name = _host(indicator)
        return span_of(parse_address(name)) if looks_like_address(name) else None
    return None


def domain(indicator: Indicator) -> str | None:
    """The domain asked about: of a URL its host, of an e-mail address what follows the @; else None."""
    if indicator.kind == "domain":
        return indicator.value
    name = _host(indicator) if indicator.kind in ("url", "email") else ""
    return name if name and not looks_like_address(name) else None


def _host(indicator: Indicator) -> str:
    """The host of a value that parse() has made."""
    if indicator.kind == "email":
        return indicator.value.rpartition("@")[2].replace("[IPv6:", "[")
    _, head, _ = _refanged(indicator.value)
    return _split_port(head)[0]


def _refused(reason: str) -> Invalid:
    return Invalid("indicator_invalid", reason)


_PAIRS = {'"': '"', "'": "'", "`": "`", "<": ">", "“": "”", "«": "»"}
_EDGES = "\ufeff\u200b\u200e\u200f"  # marks that copying leaves at both ends


def _one_line(text: str) -> str:
    """What was pasted without white space and quotes around it; raises where it cannot be one indicator."""
    if len(text) > LONGEST:
        raise _refused(f"this is longer than {LONGEST} characters; look up one indicator at a time")
    plain, before = text, None
    while plain != before:
        before, plain = plain, plain.strip().strip(_EDGES)
        if len(plain) > 1 and _PAIRS.get(plain[0]) == plain[-1]:
            plain = plain[1:-1]
        plain = plain.rstrip(",;")  # as it stood in a sentence
    if not plain:
        raise _refused(f"nothing was given; look up, for example, {EXAMPLES}")
    for character in "" if plain.isprintable() else plain:
        if not (character.isprintable() or _harmless(character)):
            name = unicodedata.name(character, "a control character")
            raise _refused(f"this contains U+{ord(character):04X} ({name}); look up one indicator without it")
    return " ".join(plain.split())


def _harmless(character: str) -> bool:
    """Spaces of other widths; the joiners, without which some languages cannot be written."""
    return character in "\u200c\u200d" or unicodedata.category(character) == "Zs"


_BARE = re.compile(r"[\w.:-]*")  # most indicators: nothing to undo, nothing to cut off
_SCHEME = re.compile(r"([a-z][a-z0-9+.*-]{0,30}) ?[\[({]?:[\])}]?//[\])}]?", re.I)
_DEFANGED_SCHEMES = {"hxxp": "http", "hxxps": "https", "h**p": "http", "h**ps": "https", "fxp": "ftp"}
_MAILTO = re.compile(r"mailto ?[\[({]?:[\])}]?", re.I)
_TAIL = re.compile(r"[/?#\\]")
_DOT = re.compile(r" ?[\[({] ?(?:\.|dot) ?[\])}] ?", re.I)
_AT = re.compile(r" ?[\[({] ?(?:@|at) ?[\])}] ?", re.I)
_COLON = re.compile(r"[\[({]:[\])}]")


def _refanged(plain: str) -> tuple[str, str, str]:
    """Scheme (small letters, or empty), host part with its defanging undone, the rest from / ? # or \\ on.

    The rest stays as it was: what looks defanged in a path may be meant so.
    """
    if _BARE.fullmatch(plain):
        return "", plain, ""
    match = _SCHEME.match(plain)
    scheme = match[1].lower() if match else ""
    match = match or _MAILTO.match(plain)
    rest = plain[match.end() :] if match else plain
    cut = _TAIL.search(rest)
    head, tail = (rest[: cut.start()], rest[cut.start() :]) if cut else (rest, "")
    head = _COLON.sub(":", _AT.sub("@", _DOT.sub(".", head)))
    return _DEFANGED_SCHEMES.get(scheme, scheme), head.strip(), tail


_PORT = re.compile(r"(.*[^:]|\[.*\]):([0-9]{0,5})")
_ASN = re.compile(r"(?:asn?)? ?([0-9]+)", re.I)
_DASH = re.compile(" ?[-–—] ?")


def _network_name(scheme: str, head: str, tail: str) -> tuple[str, str] | None:
    """Kind and value of what networks name; None for other words, ValueError for what is wrongly written."""
    if scheme:
        return "url", _url(f"{scheme}://", head, tail)
    if tail.startswith("/") and (looks_like_address(head) or head.isdecimal()):
        return "prefix", str(parse_prefix(head + tail))
    if tail.startswith("?") and "@" in head:  # mailto:user@example.org?subject=...
        return "email", _email(head)
    if tail:
        return ("url", _url("", head, tail)) if "." in head and " " not in head else None
    if _PLAIN_IPV4.fullmatch(head.removesuffix(".")):
        head = head.removesuffix(".")
    return _address(head) or _range(head) or _asn(head) or _email_or_domain(head)


def _address(head: str) -> tuple[str, str] | None:
    host, port = _split_port(head)
    if port and looks_like_address(host):
        head = host
    return ("ip", str(parse_address(head))) if looks_like_address(head) else None


def _range(head: str) -> tuple[str, str] | None:
    ends = _DASH.split(head, maxsplit=1)
    if len(ends) == 1 or not looks_like_address(ends[0]):
        return None
    if re.fullmatch("[0-9a-fA-F]{1,4}", ends[1]):
        raise ValueError("a range is written with two whole addresses, for example 203.0.113.0-203.0.113.9")
    if not looks_like_address(ends[1]):
        return None
    found = parse_range(head)
    return "range", "-".join(address_text(found.family, end) for end in (found.first, found.last))


def _asn(head: str) -> tuple[str, str] | None:
    match = _ASN.fullmatch(head)
    if not match:
        return None
    if len(match[1]) > 10 or int(match[1]) > LARGEST_ASN:
        raise ValueError(f"AS numbers end at {LARGEST_ASN}")
    return "asn", str(int(match[1]))


def _email_or_domain(head: str) -> tuple[str, str] | None:
    if " " in head:
        return None
    if "@" in head:
        return "email", _email(head)
    host, _ = _split_port(head.removeprefix("*."))  # as certificates name it
    return ("domain", parse_domain(host)) if re.search("[.。．｡]", host) else None


_LOCAL = re.compile(r'[^\s@<>()\[\]{},;:"\\/?#]{1,64}')


def _email(text: str) -> str:
    local, _, host = text.rpartition("@")
    if not _LOCAL.fullmatch(local):
        raise ValueError("an e-mail address has one name before its one @, for example user@example.org")
    if host.startswith("["):
        address = parse_address(re.sub(r"^\[IPv6:", "[", host, flags=re.I))
        return f"{local}@[{'IPv6:' if address.version == 6 else ''}{address}]"
    return f"{local}@{parse_domain(host)}"


def _url(scheme: str, head: str, tail: str) -> str:
    """The URL with its host normalised; user and password, if any, left out."""
    if "*" in scheme:
        raise ValueError("the scheme of the URL is incomplete; write, for example, https://example.org/")
    host, port = _split_port(head.rpartition("@")[2])
    if port and int(port) > 65535:
        raise ValueError("ports end at 65535")
    if not host:
        raise ValueError("the URL names no host; write, for example, https://example.org/")
    name = _url_address(parse_address(host)) if looks_like_address(host) else parse_domain(host)
    url = f"{scheme}{name}{':' if port else ''}{port}{tail}"
    if len(url) > LONGEST:
        raise ValueError(f"this is longer than {LONGEST} characters; the scheme and the host are enough")
    return url


def _url_address(address: IPAddress) -> str:
    return f"[{address}]" if address.version == 6 else str(address)


def _split_port(head: str) -> tuple[str, str]:
    """Host and port (empty without one) of `host:port`, `[address]:port`; an IPv6 address stays whole."""
    match = _PORT.fullmatch(head)
    if match and (match[1].endswith("]") or ":" not in match[1]):
        return match[1], match[2]
    return head, ""


def _known_name(plain: str, directory_names: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    """A country or a team; raises Invalid where a name is that of several teams."""
    code = alpha2(plain) or code_by_name(plain)
    if code:
        return "country", code
    slugs = directory_names.get(fold(plain), ())
    if len(slugs) > 1:
        raise _refused(f"several teams have this name; look one of them up by its slug: {', '.join(slugs)}")
    return ("team", slugs[0]) if slugs else None
