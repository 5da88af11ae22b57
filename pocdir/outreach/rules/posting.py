"""What people may add to a notification themselves, as whose word, and when it may have happened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from pocdir.core.errors import Forbidden, Invalid
from pocdir.core.text import is_turned
from pocdir.core.times import isoformat
from pocdir.ledger.rules.admission import event_type
from pocdir.ledger.rules.vocabulary import VOCABULARY

# What begins so, a `member` of the notification's workspace or a `contact` of the notified team may post; the
# rest the service writes by itself.
_MEMBERS = (
    "delivery.", "reply.", "ack.", "response.", "outcome.", "expectation.set", "expectation.changed",
    "expectation.paused", "expectation.resumed", "notification.withdrawn", "event.corrected",
    "classification.corrected",
)  # fmt: skip
_CONTACTS = ("ack.", "response.", "outcome.remediation_claimed", "event.corrected")
POSTED_BY = {
    type_: tuple(
        poster
        for poster, theirs in (("member", _MEMBERS), ("contact", _CONTACTS))
        if type_.startswith(theirs)
    )
    for type_ in VOCABULARY
}
# Who posts -> how the ledger names the claim, and what it is worth (A5: signed in).
_POSTERS = {"member": ("sender", "S"), "contact": ("recipient", "A5")}


def claim_of(type_: str, poster: str) -> tuple[str, str]:
    """(claimed_by, assurance) for an event posted by a `member` of the workspace or a `contact` of the team.

    Raises Invalid `event_unknown`, Forbidden `event_not_yours`.
    """
    event_type(type_)
    if poster not in POSTED_BY[type_]:
        raise Forbidden("event_not_yours", f"{type_} is not yours to record", where="type")
    return _POSTERS[poster]


def check_readable(payload: Mapping[str, Any]) -> None:
    """Raises Invalid `payload_invalid` for what does not read as it is written."""
    for name, value in payload.items():
        if is_turned(value):
            raise Invalid("payload_invalid", "control characters are not allowed", where=f"payload.{name}")


def occurred(occurred_at: dt.datetime, precision: str, *, sent_at: dt.datetime) -> dt.datetime:
    """When it is taken to have happened: of the day of sending only the part after it.

    Raises Invalid `event_before_sending`.
    """
    if occurred_at >= sent_at:
        return occurred_at
    if precision == "day" and sent_at - occurred_at < dt.timedelta(days=1):
        return sent_at
    raise Invalid(
        "event_before_sending", f"the notification was sent at {isoformat(sent_at)}", where="occurred_at"
    )
