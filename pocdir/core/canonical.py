"""One byte string for one value: RFC 8785 canonical JSON."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import rfc8785


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value (objects, arrays, text, numbers within 2**53, true, false, null)."""
    return rfc8785.dumps(value)


def sha256(data: bytes) -> bytes:
    """The 32 bytes of SHA-256."""
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")
