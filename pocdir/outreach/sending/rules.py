"""How a notification's letter stands, and what its end in the outbox says about the notification."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from pocdir.mail.rules.protection import GONE, TAKEN_BACK
from pocdir.mail.rules.replies import is_bounce

# What a sender says of sending, wherever it is said; and where a letter is tried again.
SEND_FLAGS = ("send", "plain_text", "despite_rules", "despite_opt_out")
AGAIN_FLAGS = (*SEND_FLAGS[1:], "people_at_risk")
KEY_PROBLEM = "key problem:"
_REASONS = {"failed": "refused", "withdrawn": "withdrawn", "dead": "other"}  # by the state in the outbox
_BY_WORDS = {TAKEN_BACK: "withdrawn", GONE: "address"}
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
        is_key = said.startswith(KEY_PROBLEM)
        return End("message.stale", {"reason": "key" if is_key else _BY_WORDS.get(said, "expired")})
    return End("message.stale", {"reason": _REASONS[state]})


_STATES = {
    "queued": "waiting", "claimed": "waiting", "sent": "handed_over", "failed": "refused", "withdrawn": "withdrawn",
}  # fmt: skip
LATE = "it had not left within two days"


def told(sending: Any, row: Any) -> dict[str, Any] | None:
    """Of the last attempt (as queries.standing gives it) and its notification's row; None: the sender sends it."""
    if sending is None:
        return None
    state = "not_sent" if sending.state is None else _STATES.get(sending.state, "not_sent")
    reason = sending.problem or sending.last_error
    return {
        "state": state,
        "attempt": sending.attempt,
        "queued_at": sending.queued_at,
        "handed_over_at": sending.sent_at,
        "ended_at": sending.settled_at or (sending.queued_at if sending.state is None else None),
        "plain_text": sending.plain_text,
        "fingerprint": sending.fingerprint,
        "reason": LATE if state == "not_sent" and not reason else reason,
        "may_try_again": row.withdrawn_at is None and row.transport in ("stale", "failed"),
    }
