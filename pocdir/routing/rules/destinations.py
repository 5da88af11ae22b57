"""An address and a name that belong together: two destinations, the host of the one and the owner of the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pocdir.core.errors import Invalid
from pocdir.directory.rules.record import DEAD_STATES
from pocdir.routing.rules.contacts import Contact
from pocdir.routing.rules.index import Index, channels_for
from pocdir.routing.rules.question import Question, answered
from pocdir.routing.rules.resolver import Answer


class Destinations(NamedTuple):
    """Who answers for the network of the address, and who for the name; None for what was not asked."""

    host: Answer | None
    owner: Answer | None


def destinations(index: Index, asked: Question, *, ip: str | None, domain: str | None) -> Destinations:
    """Both answers, apart: whoever runs the machine and whoever holds the name may be told different things.

    Raises Invalid `indicator_invalid` at `ip` or `domain`: also for a name where an address should stand.
    """
    return Destinations(
        _one(index, asked, ip, "ip") if ip else None, _one(index, asked, domain, "domain") if domain else None
    )


def _one(index: Index, asked: Question, text: str, kind: str) -> Answer:
    try:
        answer = answered(index, text, asked)
    except Invalid as error:
        raise Invalid(error.code, error.message, where=kind) from None
    if answer.query.kind != kind:
        message = "an address is right" if kind == "ip" else "a domain is right"
        raise Invalid("indicator_invalid", message, where=kind)
    return answer


def told(answer: Answer) -> Sequence[Contact]:
    """Those who are written to at once: rank one, and those who get a copy."""
    return [contact for contact in answer.contacts if contact.role in ("to", "cc")]


def mailboxes(contact: Contact, purpose: str) -> list[str]:
    """The one mail address to write to: the contact's own, else the team's next living one; empty without any."""
    if contact.channel.kind == "email":
        return [contact.channel.value]
    found = channels_for(contact.team, purpose)
    return [c.value for c in found if c.kind == "email" and c.state not in DEAD_STATES][:1]
