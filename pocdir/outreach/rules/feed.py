"""The link of a member's feed: derived, never stored, readable by whoever holds it."""

from __future__ import annotations

import uuid

from pocdir.core import tokens

PURPOSE = "feed"
MOST = 100  # entries


def feed_token(secret: bytes, user_ref: str, workspace_ref: str, state: str) -> str:
    """The token of one member's feed of one workspace; `state` changes with the member's password."""
    return tokens.sign(secret, PURPOSE, _payload(user_ref, workspace_ref), state)


def named(token: str) -> tuple[str, str] | None:
    """(user, workspace) that a token names, not yet proven; None when it is none."""
    payload = tokens.payload_of(token)
    if payload is None or len(payload) != 32:
        return None
    return str(uuid.UUID(bytes=payload[:16])), str(uuid.UUID(bytes=payload[16:]))


def is_feed_token(secret: bytes, token: str, state: str) -> bool:
    """Whether we signed it for a member in this state."""
    return tokens.is_signed(secret, PURPOSE, token, state)


def _payload(user_ref: str, workspace_ref: str) -> bytes:
    return uuid.UUID(user_ref).bytes + uuid.UUID(workspace_ref).bytes
