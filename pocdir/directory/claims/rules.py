"""Proving to be a team's own staff: the link that goes to an address on record, and the text to be signed."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from typing import Any

from pocdir.core import tokens
from pocdir.core.canonical import canonical_json
from pocdir.core.errors import Gone, Invalid, NotFound

MAIL, KEY = METHODS = ("mail", "key")
PURPOSE, CHOICE, CHALLENGE = "claim", "claim address", "claim key"
LINK_LASTS = dt.timedelta(days=7)
CHALLENGE_LASTS = dt.timedelta(hours=24)
ONE_A_DAY = dt.timedelta(days=1)  # to one address, whoever asks for whichever team
_HIDDEN = "•••"


def masked(address: str) -> str:
    """`reports@cert.example` as who knows it recognises it: `r•••@c•••.example`."""
    local, _, domain = address.rpartition("@")
    first, dot, rest = domain.rpartition(".")
    return f"{local[:1]}{_HIDDEN}@{first[:1]}{_HIDDEN}{dot}{rest}"


def choice_of(secret: bytes, slug: str, address: str) -> str:
    """What stands for an address on the page where it is chosen: it tells nothing of it."""
    return tokens.digest(secret, CHOICE, f"{slug}\0{address}".encode())


def link_token(secret: bytes, ref: str, expires: dt.datetime, bound: Sequence[Any]) -> str:
    """The token of a claim's link; `bound` is the address's (kind, value, version) or what stands for a key."""
    payload = uuid.UUID(ref).bytes + int(expires.timestamp()).to_bytes(4, "big")
    return tokens.sign(secret, PURPOSE, payload, canonical_json(list(bound)).decode())


def challenge(secret: bytes, slug: str, url: str, nonce: str, now: dt.datetime) -> str:
    """The one line that the team's staff signs; `nonce` (a new ref) makes it good once, for a day."""
    expires = int((now + CHALLENGE_LASTS).timestamp())
    payload = uuid.UUID(nonce).bytes + expires.to_bytes(4, "big")
    return f"I answer for {slug} in the directory at {url}. {tokens.sign(secret, CHALLENGE, payload, slug)}"


def answered(secret: bytes, slug: str, url: str, text: str, now: dt.datetime) -> str:
    """The nonce of a signed line that we gave for this team; raises Invalid `signature_invalid`."""
    said, _, token = " ".join(text.split()).rpartition(" ")
    payload = tokens.payload_of(token)
    ours = (
        said == f"I answer for {slug} in the directory at {url}."
        and payload is not None
        and len(payload) == 20
    )
    if not ours or payload is None or not tokens.is_signed(secret, CHALLENGE, token, slug):
        raise Invalid("signature_invalid", "sign the line of this page as it stands", where="signed")
    if now.timestamp() >= int.from_bytes(payload[16:], "big"):
        raise Invalid(
            "signature_invalid", "this line is over a day old; sign the one of today", where="signed"
        )
    return str(uuid.UUID(bytes=payload[:16]))


def claimed_ref(token: str) -> str:
    """The claim that a token names *before* it is checked; raises NotFound `link_unknown`."""
    payload = tokens.payload_of(token)
    if payload is None or len(payload) != 20:
        raise link_unknown()
    return str(uuid.UUID(bytes=payload[:16]))


def check_link(
    secret: bytes, token: str, *, bound: Sequence[Any], expires: dt.datetime, now: dt.datetime
) -> None:
    """Raises NotFound `link_unknown` (forged, or the address has changed since), Gone `link_expired`."""
    if not tokens.is_signed(secret, PURPOSE, token, canonical_json(list(bound)).decode()):
        raise link_unknown()
    if now >= expires:
        raise Gone("link_expired", "this link has come to its end; ask for a new one on the team's page")


def link_unknown() -> NotFound:
    """One answer for whatever is not a link of ours, or not any more."""
    return NotFound("link_unknown", "this link is not one of ours, or its contact has changed since")
