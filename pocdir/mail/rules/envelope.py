"""The signed envelope sender (VERP) by which a bounce names its letter."""

from __future__ import annotations

import base64
import binascii
import hmac
import uuid

from pocdir.core.mailboxes import LONGEST_LOCAL
from pocdir.core.tokens import digest

# 64 bits are enough: each guess costs a mail, and gains one false bounce of an address that stays guarded.
MAC_BYTES = 8
TOKEN = 39  # characters: 16 octets of reference and 8 of signature in base32
LONGEST_NAME = LONGEST_LOCAL - TOKEN - 1
_PURPOSE = "envelope sender"
_REPLY = "reply"


def envelope_sender(secret: bytes, address: str, ref: str) -> str:
    """`pocdir+TOKEN@example.org` for the letter `ref`; the plain address where its name is over 24 octets long.

    Base32 in small letters: some servers fold the case of what stands before the @.
    """
    name, _, domain = address.rpartition("@")
    if len(name.encode()) > LONGEST_NAME:
        return address
    payload = uuid.UUID(ref).bytes
    token = base64.b32encode(payload + _mac(secret, payload)).decode("ascii").rstrip("=").lower()
    return f"{name}+{token}@{domain}"


def ref_of(secret: bytes, address: str) -> str | None:
    """The letter that a bounce to this address speaks of; None when we never signed it."""
    token = address.rpartition("@")[0].rpartition("+")[2]
    if len(token) != TOKEN or not token.isascii():
        return None
    try:
        raw = base64.b32decode(token.upper() + "=")
    except (binascii.Error, ValueError):
        return None
    if base64.b32encode(raw).decode("ascii").rstrip("=") != token.upper():
        return None  # one spelling only
    payload, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    return str(uuid.UUID(bytes=payload)) if hmac.compare_digest(mac, _mac(secret, payload)) else None


def reply_sign(secret: bytes, ref: str) -> str:
    """What follows the reference in the subject of the letter `ref` on its way, and stands nowhere else: 13 characters.

    Message-ID and reference are shown to whoever looks after the outbox; this only its reader has.
    """
    mac = _mac(secret, uuid.UUID(ref).bytes, _REPLY)
    return base64.b32encode(mac).decode("ascii").rstrip("=").lower()


def _mac(secret: bytes, payload: bytes, purpose: str = _PURPOSE) -> bytes:
    return bytes.fromhex(digest(secret, purpose, payload))[:MAC_BYTES]
