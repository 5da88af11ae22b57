"""One value at a time: what the outside writes becomes the one way in which it is kept, or is refused."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from pocdir.core import codes, times
from pocdir.core.domains import parse_domain
from pocdir.core.errors import Invalid
from pocdir.core.text import BIDI_CONTROLS

MOST_ADDRESS = 500
HIGHEST_ASN = 4_294_967_295
RESERVED_SLUGS = frozenset({"new"})

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SECTOR = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?(?:-[A-Za-z0-9]{5,8})*")
_PHONE = re.compile(r"\+?[0-9(][0-9 ()./-]*(?:(?: ?ext\.? ?| ?x ?|;ext=)[0-9]{1,8})?")
_SIGNAL = re.compile(r"[\w.]{3,32}\.[0-9]{2,9}")
_MATRIX = re.compile(r"[@#][^\s:@#]{1,200}:[A-Za-z0-9.\-]{1,200}(?::[0-9]{1,5})?")
# The addresses that nobody doubts, so that a large list need not wait for the whole of RFC 5322.
_PLAIN_MAIL = re.compile(
    r"[A-Za-z0-9_]+(?:[.+-][A-Za-z0-9_]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9]))*\.)+"
    r"(?!arpa|invalid|local|onion|test)[A-Za-z]{2,20}",
    re.IGNORECASE,
)
_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


def wrong(message: str) -> Invalid:
    """The refusal of one value; whoever knows its place adds it."""
    return Invalid("value_invalid", message)


def text(most: int) -> Callable[[Any], str]:
    """A check for text on one line: stripped, NFC, 1 to `most` characters, none that controls or turns it."""

    def check(raw: Any) -> str:
        if not isinstance(raw, str):
            raise wrong("text is right here")
        if raw.isascii() and raw.isprintable() and 1 <= len(plain := raw.strip()) <= most:
            return plain
        kept = unicodedata.normalize("NFC", raw).strip()
        if any(c in BIDI_CONTROLS or unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in kept):
            raise wrong("control characters, also those that turn the reading direction, are not allowed")
        if not 1 <= len(kept) <= most:
            raise wrong(f"1 to {most} characters are right")
        return kept

    return check


def one_of(words: tuple[str, ...]) -> Callable[[Any], str]:
    """A check for one word of a vocabulary."""

    def check(raw: Any) -> str:
        if raw not in words:
            raise wrong(f"one of {', '.join(words)} is right")
        return str(raw)

    return check


def whole(low: int, high: int) -> Callable[[Any], int]:
    """A check for a whole number, also as digits in text (CSV)."""

    def check(raw: Any) -> int:
        if isinstance(raw, str) and raw.isascii() and raw.isdigit() and len(raw) <= 10:
            raw = int(raw)
        if isinstance(raw, bool) or not isinstance(raw, int) or not low <= raw <= high:
            raise wrong(f"a whole number from {low} to {high} is right")
        return raw

    return check


def slug(raw: Any) -> str:
    """The public id of a team: lower-case ASCII letters, digits and single hyphens, at most 100."""
    if not isinstance(raw, str) or len(raw) > 100 or not _SLUG.fullmatch(raw):
        raise wrong("up to 100 small letters, digits and single hyphens are right, such as cert-at")
    if raw in RESERVED_SLUGS:
        raise wrong(f"{raw} is a word of ours; choose another")
    return raw


def country(raw: Any) -> str | None:
    """ISO 3166-1 alpha-2 (and EU, XK) from a code; None for a team of no country."""
    if raw is None:
        return None
    found = codes.alpha2(raw) if isinstance(raw, str) else None
    if found is None:
        raise wrong("a country code is right, such as AT, GBR or EU; null for a team of no country")
    return found


def email(raw: Any) -> str:
    """A mail address in lower case; one address has one spelling, so that its state is found again."""
    given = _short(raw)
    if _PLAIN_MAIL.fullmatch(given) and len(given) <= 100:
        return given.lower()
    import email_validator  # for files and forms: not for a lookup

    try:
        # test_environment lets .test pass, which is kept for examples as .example is (RFC 2606).
        checked = email_validator.validate_email(
            given, check_deliverability=False, allow_display_name=False, test_environment=True
        )
    except email_validator.EmailNotValidError as error:
        raise wrong(f"no mail address: {error}") from None
    return checked.normalized.lower()


def phone(raw: Any) -> str:
    """A telephone number as text, E.164 or as printed: 5 to 20 digits, an extension allowed."""
    given = " ".join(_short(raw).split())
    if not _PHONE.fullmatch(given) or not 5 <= sum(c.isdigit() for c in given) <= 20:
        raise wrong("a telephone number is right, such as +43 1 5056416")
    return given


def url(raw: Any) -> str:
    """An http or https address without a password in it."""
    given = _short(raw)
    try:
        parts = urlsplit(given)
        right = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        right = False
    if not right or any(c.isspace() or c in '<>"\\^`{|}' for c in given):
        raise wrong("an address that begins with https:// or http:// is right")
    return given


def signal(raw: Any) -> str:
    """A Signal user name (name.01) or the number it is reached under."""
    given = _short(raw)
    return given if _SIGNAL.fullmatch(given) else phone(given)


def matrix(raw: Any) -> str:
    """A Matrix user or room: @user:server or #room:server."""
    given = _short(raw)
    if not _MATRIX.fullmatch(given):
        raise wrong("a Matrix id is right, such as @cert:example.org")
    return given


CHANNEL_VALUES: dict[str, Callable[[Any], str]] = {
    "email": email,
    "phone": phone,
    "form": url,
    "api": url,
    "signal": signal,
    "matrix": matrix,
    "postal": text(MOST_ADDRESS),
}


def fingerprint(raw: Any) -> str:
    """An OpenPGP fingerprint (v4: 40, v6: 64 hexadecimal digits) in capitals without spaces."""
    given = re.sub(r"[\s:]", "", _short(raw)).upper().removeprefix("0X")
    if not re.fullmatch(r"[0-9A-F]{40}|[0-9A-F]{64}", given):
        raise wrong("a whole OpenPGP fingerprint is right: 40 or 64 hexadecimal digits, no short key id")
    return given


def language(raw: Any) -> str:
    """A BCP 47 tag in its usual case: de, pt-BR, zh-Hant."""
    if not isinstance(raw, str) or not _LANGUAGE.fullmatch(raw):
        raise wrong("a language tag is right, such as de or pt-BR")
    first, *rest = raw.split("-")
    cased = {2: str.upper, 4: str.title}
    return "-".join([first.lower(), *(cased.get(len(part), str.lower)(part) for part in rest)])


def timezone(raw: Any) -> str:
    """A zone of the IANA database, such as Europe/Vienna."""
    if isinstance(raw, str) and times.zone_of(raw):
        return raw
    raise wrong("a time zone is right, such as Europe/Vienna")


def date(raw: Any) -> str:
    """An ISO date; a year or a month alone when no more is known."""
    given = raw if isinstance(raw, str) else ""
    try:
        if _DATE.fullmatch(given):
            dt.date.fromisoformat(given + "-01-01"[len(given) - 4 :] if len(given) < 10 else given)
            return given
    except ValueError:
        pass
    raise wrong("a date is right, such as 2026-06-17")


def day(raw: Any) -> str:
    """An ISO date, whole."""
    if len(given := date(raw)) != 10:
        raise wrong("a whole date is right, such as 2026-06-17")
    return given


def prefix(raw: Any) -> str:
    """An address prefix or an inclusive range `first-last` in its one spelling.

    A range that is a prefix becomes one, IPv4 mapped into IPv6 becomes IPv4, one address its /32 or /128.
    """
    given = _short(raw)
    try:
        networks = _range(given) if "-" in given else [_network(given)]
    except (ValueError, TypeError) as error:
        if "host bits" in str(error):
            raise wrong(f"has host bits set; {ipaddress.ip_network(given, strict=False)} is right") from None
        raise wrong("an address prefix or a range is right, such as 203.0.113.0/24 or first-last") from None
    if any(network.prefixlen == 0 for network in networks):
        raise wrong('no team answers for all addresses by prefix; use the key "global" with the value "*"')
    return str(networks[0]) if len(networks) == 1 else f"{networks[0][0]}-{networks[-1][-1]}"


def _network(given: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    address, slash, length = given.partition("/")
    if "%" in address or (slash and not (length.isascii() and length.isdigit() and len(length) <= 3)):
        raise ValueError("a prefix length is a number")
    network = ipaddress.ip_network(given)
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return ipaddress.IPv4Network((int(mapped or 0), network.prefixlen - 96))
    return network


def _range(given: str) -> list[Any]:
    first, last = (_network(part.strip())[0] for part in given.split("-") if "/" not in part)
    return list(ipaddress.summarize_address_range(first, last))


def asn(raw: Any) -> str:
    """An autonomous system's number as digits; `AS64500` is read too."""
    given = str(raw).strip() if isinstance(raw, str | int) and not isinstance(raw, bool) else ""
    digits = given[2:] if given[:2].upper() == "AS" else given
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and 1 <= int(digits) <= HIGHEST_ASN):
        raise wrong(f"an AS number from 1 to {HIGHEST_ASN} is right")
    return str(int(digits))


def domain(raw: Any) -> str:
    """A domain name as lower-case A-labels without the final dot; it stands for what is below it too."""
    try:
        return parse_domain(_short(raw))
    except ValueError as error:
        raise wrong(str(error)) from None


def sector(raw: Any) -> str:
    """A sector's name in small letters with hyphens: energy, financial-market-infrastructure."""
    given = re.sub(r"[\s_]+", "-", _short(raw).lower())
    if len(given) > 60 or not _SECTOR.fullmatch(given):
        raise wrong("a sector in small letters is right, such as energy or public-administration")
    return given


def _country_there(raw: Any) -> str:
    found = country(raw)
    if found is None:
        raise wrong("a country code is right, such as AT")
    return found


def _country_sector(raw: Any) -> str:
    code, slash, name = _short(raw).partition("/")
    if not slash:
        raise wrong("a country and a sector are right, such as AT/energy")
    return f"{_country_there(code.strip())}/{sector(name)}"


def _everything(raw: Any) -> str:
    if raw != "*":
        raise wrong('"*" is right')
    return "*"


RESPONSIBILITY_VALUES: dict[str, Callable[[Any], str]] = {
    "prefix": prefix,
    "asn": asn,
    "domain": domain,
    "country": _country_there,
    "sector": sector,
    "country+sector": _country_sector,
    "global": _everything,
}


def slug_of(name: str) -> str:
    """A slug made from a name; names without any ASCII letter get one from their digest."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii").lower()
    made = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:90].strip("-")
    if not made or made in RESERVED_SLUGS:
        made = f"team-{hashlib.sha256(name.encode()).hexdigest()[:10]}"
    return made


_short = text(MOST_ADDRESS)
