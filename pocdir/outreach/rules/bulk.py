"""The same fact about many notifications at once: which, and where it says nothing."""

from __future__ import annotations

from pocdir.core.errors import Conflict

MOST = 500  # notifications at once
# What a person adds to many from the working list; programs may post the whole vocabulary.
ACTS = (
    "ack.given", "reply.human", "response.accepted", "outcome.remediation_claimed", "expectation.paused",
    "expectation.resumed", "notification.withdrawn",
)  # fmt: skip
_NO_CLOCK = ("none", "paused", "stopped")


def check_act(type_: str, *, clock: str, withdrawn: bool) -> None:
    """Raises Conflict `withdrawn_already`, `clock_not_running` or `clock_not_paused` where it would change nothing."""
    if withdrawn and type_ == "notification.withdrawn":
        raise Conflict("withdrawn_already", "it was taken back before")
    if type_ == "expectation.paused" and (withdrawn or clock in _NO_CLOCK):
        raise Conflict("clock_not_running", "no clock of it runs that could be paused")
    if type_ == "expectation.resumed" and (withdrawn or clock != "paused"):
        raise Conflict("clock_not_paused", "no clock of it is paused")
