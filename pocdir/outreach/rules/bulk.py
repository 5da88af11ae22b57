"""The same fact about many notifications at once: which, and how many."""

from __future__ import annotations

MOST = 500  # notifications at once
# What a person adds to many from the working list; programs may post the whole vocabulary.
ACTS = (
    "ack.given", "reply.human", "response.accepted", "outcome.remediation_claimed", "expectation.changed",
    "expectation.paused", "expectation.resumed", "notification.withdrawn",
)  # fmt: skip
