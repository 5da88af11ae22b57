"""Public references: UUIDv7 (RFC 9562), sortable by the time they were given."""

from __future__ import annotations

import datetime as dt
import secrets
import uuid


def new_ref(now: dt.datetime) -> str:
    """A UUIDv7 as text: 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(secrets.token_bytes(10))
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0b11 << 62) | 0b10 << 62
    text = f"{value:032x}"  # as str(UUID(int=value)), which costs as much again
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_refs(now: dt.datetime, count: int) -> list[str]:
    """So many of one moment in ascending order: rows written in it lie side by side in an index."""
    return sorted(new_ref(now) for _ in range(count))


def is_ref(text: str) -> bool:
    """Whether the text is a reference in its one canonical spelling."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
