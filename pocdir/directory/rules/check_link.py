"""The link in a letter about a team's own entry: one check, one address, a bounded life, and nothing stored."""

from __future__ import annotations

import datetime as dt
import uuid

from pocdir.core import tokens
from pocdir.core.canonical import canonical_json
from pocdir.core.errors import Gone, NotFound

PURPOSE = "entry"
LIFE = dt.timedelta(days=180)  # a late answer is welcome
_PAYLOAD_BYTES = 16 + 4


def check_token(secret: bytes, ref: str, kind: str, value: str, version: int, expires: dt.datetime) -> str:
    """The token of `/r/entry/<token>`: good until `expires` (aware; whole seconds) or a change of the contact."""
    if expires.tzinfo is None:
        raise ValueError("expires needs its zone")
    payload = uuid.UUID(ref).bytes + int(expires.timestamp()).to_bytes(4, "big")
    return tokens.sign(secret, PURPOSE, payload, _bound(kind, value, version))


def claimed_ref(token: str) -> str:
    """The check a token speaks of *before* its signature is checked; raises NotFound `link_unknown`."""
    return str(uuid.UUID(bytes=_payload(token)[:16]))


def prove(secret: bytes, token: str, *, kind: str, value: str, version: int, now: dt.datetime) -> None:
    """Raises NotFound `link_unknown` for what we did not sign for this address as it stands, Gone `link_expired`."""
    payload = _payload(token)
    if not tokens.is_signed(secret, PURPOSE, token, _bound(kind, value, version)):
        raise unknown()
    if now.timestamp() >= int.from_bytes(payload[16:], "big"):
        raise Gone("link_expired", "this link has come to its end; the next letter brings another one")


def unknown() -> NotFound:
    """The one answer to a link that is forged, of another purpose, or of an address that has changed since."""
    return NotFound("link_unknown", "this link is not one of ours, or its contact has changed since")


def _bound(kind: str, value: str, version: int) -> str:
    return canonical_json([kind, value, version]).decode()


def _payload(token: str) -> bytes:
    payload = tokens.payload_of(token)
    if payload is None or len(payload) != _PAYLOAD_BYTES:
        raise unknown()
    return payload
