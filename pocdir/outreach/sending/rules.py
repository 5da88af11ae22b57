"""What the end of a letter in the outbox says about the notification that it was to tell."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pocdir.mail.rules.replies import is_bounce

KEY_PROBLEM = "key problem:"
_REASONS = {"failed": "refused", "withdrawn": "withdrawn", "dead": "other"}  # by the state in the outbox
_BY_RECIPIENT = re.compile(r"(?:RCPT|DATA): ")
_STATUS = re.compile(r"(?:RCPT|DATA): \d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b")


class End(NamedTuple):
    """The event, what of its payload is its own, and whether the address is none."""

    type: str
    payload: dict[str, Any]
    bounced: bool = False


def end(state: str, said: str) -> End:
    """Of a letter that is settled in this state of the outbox; `said`: why, as the outbox has it."""
    if state == "sent":
        return End("message.submitted", {"hop": "relay"})
    if state == "failed" and _BY_RECIPIENT.match(said):
        status = _STATUS.match(said)
        payload = {"action": "failed", "status": status[1] if status else None, "diagnostic": said or None}
        return End("delivery.failed", payload, is_bounce(said))
    if state == "stale":
        return End("message.stale", {"reason": "key" if said.startswith(KEY_PROBLEM) else "expired"})
    return End("message.stale", {"reason": _REASONS[state]})
