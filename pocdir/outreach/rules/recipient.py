"""The recipient's link: one notification, one recipient, a bounded life, and nothing stored."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pocdir.core import tokens
from pocdir.core.canonical import canonical_json
from pocdir.core.errors import Gone, Invalid, NotFound
from pocdir.core.text import OVERRIDES

PURPOSE = "recipient"
LIFE = dt.timedelta(days=180)
UNDO_WINDOW = dt.timedelta(hours=24)
# Mail scanners follow links and post forms within seconds of delivery; a person takes longer.
MAY_BE_AUTOMATIC = dt.timedelta(seconds=60)
_PAYLOAD_BYTES = 16 + 4


@dataclass(frozen=True, slots=True)
class Action:
    """What a recipient may say: the event it becomes, what goes into it, and what else may be filled in."""

    event: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    asks: tuple[str, ...] = ()
    needs: str = ""  # of what it asks, what says nothing when it is empty


ACTIONS: Mapping[str, Action] = {
    "received": Action("ack.given", asks=("ticket", "note")),
    "passed_on": Action("response.passed_on", asks=("count", "ticket", "note")),
    "not_ours": Action("response.misdirected", asks=("ask", "note")),
    "need": Action("response.info_requested", asks=("note", "ticket"), needs="note"),
    "done": Action("outcome.remediation_claimed", asks=("count", "ticket", "note")),
    "answered": Action("ack.given", {"already": True}, asks=("ticket", "note")),
    "contest": Action("response.contested", asks=("note",), needs="note"),
}


def recipient_token(
    secret: bytes,
    notification_ref: str,
    channel_kind: str,
    channel_value: str,
    channel_version: int,
    expires: dt.datetime,
) -> str:
    """The token of `/r/<token>`: good until `expires` (aware; whole seconds) or a change of the contact."""
    if expires.tzinfo is None:
        raise ValueError("expires needs its zone")
    payload = uuid.UUID(notification_ref).bytes + int(expires.timestamp()).to_bytes(4, "big")
    return tokens.sign(secret, PURPOSE, payload, _bound(channel_kind, channel_value, channel_version))


def claimed_ref(token: str) -> str:
    """The notification a token speaks of *before* its signature is checked: to find what to check it with.

    Raises NotFound `link_unknown` for what is no token at all.
    """
    return str(uuid.UUID(bytes=_payload(token)[:16]))


def read_recipient_token(
    secret: bytes,
    token: str,
    *,
    channel_kind: str,
    channel_value: str,
    channel_version: int,
    now: dt.datetime,
) -> str:
    """The notification's reference, for a token that we signed for this contact as it stands today.

    Raises NotFound `link_unknown` (forged, of another purpose, or of a contact that has changed since: one
    answer for all), Gone `link_expired`.
    """
    payload = _payload(token)
    if not tokens.is_signed(secret, PURPOSE, token, _bound(channel_kind, channel_value, channel_version)):
        raise _unknown()
    if now.timestamp() >= int.from_bytes(payload[16:], "big"):
        raise Gone(
            "link_expired", "this link has come to its end; a reply to the mail still reaches the sender"
        )
    return str(uuid.UUID(bytes=payload[:16]))


def action(name: str) -> Action:
    """What the recipient chose; raises Invalid `action_unknown`."""
    if name not in ACTIONS:
        raise Invalid("action_unknown", f"one of {', '.join(ACTIONS)} is needed", where="action")
    return ACTIONS[name]


def check_said(chosen: Action, filled_in: Mapping[str, Any]) -> None:
    """Raises Invalid `payload_invalid` for a question that asks nothing, a contest that says nothing, and for letters
    that are forced to run the other way; marks that a keyboard for Arabic or Hebrew types are welcome.
    """
    for name, value in filled_in.items():
        if isinstance(value, str) and not OVERRIDES.isdisjoint(value):
            raise Invalid("payload_invalid", "control characters are not allowed", where=f"payload.{name}")
    if not chosen.needs or str(filled_in.get(chosen.needs) or "").strip():
        return
    where = f"payload.{chosen.needs}"
    if chosen.event == "response.contested":
        raise Invalid("payload_invalid", "say what you contest, and why", where=where)
    raise Invalid("payload_invalid", "say what is missing", where=where)


def may_be_automatic(posted_at: dt.datetime, delivered_at: dt.datetime | None) -> bool:
    """Whether a machine may have posted it: within 60 s of delivery, or before (a scanner on the way)."""
    return delivered_at is not None and posted_at - delivered_at < MAY_BE_AUTOMATIC


def may_undo(recorded_at: dt.datetime, now: dt.datetime) -> bool:
    """Whether what was said through the link can still be taken back there."""
    return now - recorded_at <= UNDO_WINDOW


def _bound(kind: str, value: str, version: int) -> str:
    return canonical_json([kind, value, version]).decode()


def _payload(token: str) -> bytes:
    payload = tokens.payload_of(token)
    if payload is None or len(payload) != _PAYLOAD_BYTES:
        raise _unknown()
    return payload


def _unknown() -> NotFound:
    return NotFound("link_unknown", "this link is not one of ours, or its contact has changed since")
