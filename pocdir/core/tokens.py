"""Signed tokens: derived from what they speak of, never stored."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

MAC_BYTES = 18


def sign(secret: bytes, purpose: str, payload: bytes, bound: str = "") -> str:
    """A URL-safe token that carries `payload` and is valid for one purpose and one `bound` context only."""
    mac = _mac(secret, purpose, payload, bound)
    return base64.urlsafe_b64encode(payload + mac).decode("ascii").rstrip("=")


def payload_of(token: str) -> bytes | None:
    """What the token carries, before its signature was checked; None when it is no token at all."""
    try:
        raw = base64.urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
    except (UnicodeEncodeError, binascii.Error, ValueError):
        return None
    # One spelling only: else the same token could be written in several ways.
    if base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=") != token:
        return None
    return raw[:-MAC_BYTES] if len(raw) > MAC_BYTES else None


def is_signed(secret: bytes, purpose: str, token: str, bound: str = "") -> bool:
    """Whether we signed exactly this token for this purpose and context."""
    payload = payload_of(token)
    return payload is not None and hmac.compare_digest(sign(secret, purpose, payload, bound), token)


def digest(secret: bytes, purpose: str, data: bytes) -> str:
    """A keyed digest in hex: nobody without the secret can guess short content from it."""
    return _mac(secret, purpose, data, "").hex()


def _mac(secret: bytes, purpose: str, payload: bytes, bound: str) -> bytes:
    message = b"\0".join((purpose.encode(), bound.encode(), payload))
    return hmac.new(secret, message, hashlib.sha256).digest()[:MAC_BYTES]
