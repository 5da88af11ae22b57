"""Mail addresses as they are written to. Refusals are ValueErrors that say why."""

from __future__ import annotations

import re
import unicodedata

from pocdir.core.domains import parse_domain

LONGEST = 254  # octets of an address (RFC 5321, 4.5.3.1.3, less the angle brackets)
LONGEST_LOCAL = 64  # octets before the @ (RFC 5321, 4.5.3.1.1)
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\U0010ffff-]+")
_ODD = ("Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp")  # nobody sees them in a name


def parse_mailbox(text: str) -> str:
    """`cert@MÜNCHEN.de` is `cert@xn--mnchen-3ya.de`; the name before the @ stays as it is written.

    Refused: a display name, a comment, a quoted name and an address literal, which no team has.
    """
    local, at, domain = text.strip().rpartition("@")
    if not at or "@" in local:
        raise ValueError("a mail address such as team@example.org is right")
    if len(local.encode("utf-8", "replace")) > LONGEST_LOCAL:
        raise ValueError("a mail address has at most 64 characters before the @")
    if not all(map(_ATOM.fullmatch, local.split("."))):
        raise ValueError(
            "before the @ stand letters, digits and a few signs, without blanks, quotes or brackets"
        )
    if any(unicodedata.category(sign) in _ODD for sign in local):
        raise ValueError("there are characters before the @ that nobody sees")
    address = f"{unicodedata.normalize('NFC', local)}@{parse_domain(domain)}"
    if len(address.encode()) > LONGEST:
        raise ValueError("a mail address has at most 254 characters")
    return address


def domain_of(address: str) -> str:
    """What follows the @ of an address that `parse_mailbox` gave."""
    return address.rpartition("@")[2]


def needs_smtputf8(address: str) -> bool:
    """Whether only servers with SMTPUTF8 (RFC 6531) take it: the name before the @ is not ASCII."""
    return not address.isascii()
