"""How the state of an address moves: one table; beside it only a steward's hand puts an address into a state."""

from __future__ import annotations

from collections.abc import Mapping

from pocdir.ledger.rules.vocabulary import ADDRESS_STATES

# What happens to an address. Of these only the first two are a person's word.
CONFIRMED = "confirmed"  # a person at this very address says that it is right, or answers a test
VOUCHED = "vouched"  # the entry was confirmed, at another address of the team
DUE = "due"  # the last confirmation has grown old
ASKED = "asked"  # a letter that asks for confirmation went to it
UNANSWERED = "unanswered"  # what it was asked came to its end without an answer, and so did the days of grace
ENDED = "ended"  # we ended what it was asked: the team or its use of the address is gone
BOUNCED = "bounced"  # mail to it came back for good
OCCASIONS = (CONFIRMED, VOUCHED, DUE, ASKED, UNANSWERED, ENDED, BOUNCED)

# What an occasion does not name stays as it is. Nothing leads out of `withdrawn`, and out of `bouncing` only a
# person at that address: that somebody elsewhere calls the entry right does not make its mail arrive.
MOVES: Mapping[str, Mapping[str, str]] = {
    CONFIRMED: dict.fromkeys(("unverified", "due", "in-check", "unresponsive", "bouncing"), "verified"),
    VOUCHED: dict.fromkeys(("unverified", "due", "in-check"), "verified"),
    DUE: {"verified": "due"},
    ENDED: {"in-check": "due"},
    ASKED: {"unverified": "in-check", "due": "in-check"},
    UNANSWERED: dict.fromkeys(("unverified", "verified", "due", "in-check"), "unresponsive"),
    BOUNCED: dict.fromkeys(("unverified", "verified", "due", "in-check", "unresponsive"), "bouncing"),
}


def after(state: str, occasion: str) -> str:
    """The state that follows; raises ValueError for what is neither a state nor an occasion."""
    if state not in ADDRESS_STATES or occasion not in MOVES:
        raise ValueError(f"{state!r} and {occasion!r}: no state and occasion of an address")
    return MOVES[occasion].get(state, state)
