"""One byte string for one value: RFC 8785 canonical JSON."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import Any

import orjson
import rfc8785

_LARGEST = 2**53 - 1
_PLAIN = frozenset({str, bool, type(None)})


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of a JSON value (objects, arrays, text, numbers within 2**53, true, false, null).

    Raises ValueError for what has no such form.
    """
    # A faster encoder writes the same bytes wherever nothing is a fraction and names sort as ASCII.
    if type(value) is str or _is_simple(value):
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return rfc8785.dumps(value)


def _is_simple(value: Any) -> bool:
    kind = type(value)
    if kind is dict:
        if not _sorts_as_ascii(tuple(value)):
            return False
        items = value.values()
    elif kind is list:
        items = value
    else:
        return kind in _PLAIN or (kind is int and -_LARGEST <= value <= _LARGEST)
    for item in items:  # noqa: SIM110 - a generator costs as much as what it looks at
        if type(item) not in _PLAIN and not _is_simple(item):
            return False
    return True


@lru_cache(maxsize=512)
def _sorts_as_ascii(names: tuple[Any, ...]) -> bool:
    """Of the names of an object; most objects have the names of another one."""
    return set(map(type, names)) <= {str} and "".join(names).isascii()


def sha256(data: bytes) -> bytes:
    """The 32 bytes of SHA-256."""
    return hashlib.sha256(data).digest()


def b64(data: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(data).decode("ascii")
