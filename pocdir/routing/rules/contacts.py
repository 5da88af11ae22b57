"""Contacts and those ruled out, as values and in their published shape."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pocdir.core.json_text import json_text
from pocdir.core.text import Phrase
from pocdir.directory.rules.record import Channel, Team
from pocdir.routing.rules.index import Basis


@dataclass(frozen=True, slots=True)
class Contact:
    """A team that may be written to; role: to, cc or fallback.

    `try_next_after`: without an answer for so long (ISO 8601, elapsed since it was told), the next one of the
    chain of to and fallback is tried; None for a copy and for the last. `without_detail`: it is told that, and
    not what.
    """

    rank: int
    role: str
    team: Team
    channel: Channel
    basis: Basis
    reasons: tuple[Phrase, ...]
    try_next_after: str | None = None
    without_detail: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """A team that answers for the indicator and is ruled out."""

    team: Team
    basis: Basis
    reason: Phrase


@dataclass(frozen=True)
class Decision:
    """What holds for everything that has the same candidates."""

    contacts: tuple[Contact, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[Phrase, ...]

    @cached_property
    def json_text(self) -> str:
        """Contacts and those ruled out as two members of a JSON object, without its braces."""
        return json_text(
            {
                "contacts": [contact_json(contact) for contact in self.contacts],
                "rejected": [rejected_json(out) for out in self.rejected],
            }
        )[1:-1]


def contact_json(contact: Contact) -> dict[str, Any]:
    """`responsiveness` is filled in by whoever may know it."""
    return {
        "rank": contact.rank,
        "role": contact.role,
        "team": team_json(contact.team),
        "channel": channel_json(contact.channel),
        "basis": basis_json(contact.basis),
        "reasons": list(contact.reasons),
        "try_next_after": contact.try_next_after,
        "without_detail": contact.without_detail,
        "responsiveness": None,
    }


def rejected_json(out: Rejected) -> dict[str, Any]:
    """A team that is ruled out, and why."""
    return {"team": {"slug": out.team.slug}, "basis": basis_json(out.basis), "reason": out.reason}


def team_json(team: Team) -> dict[str, Any]:
    """A team as an answer names it."""
    return {"slug": team.slug, "name": team.name, "kind": team.kind, "country": team.country}


def channel_json(channel: Channel) -> dict[str, Any]:
    """A channel as an answer gives it."""
    return {
        "kind": channel.kind,
        "value": channel.value,
        "purpose": channel.purpose,
        "state": channel.state,
        "openpgp_fingerprint": channel.openpgp_fingerprint,
        "openpgp_pinned": channel.openpgp_pinned,
    }


def basis_json(basis: Basis) -> dict[str, Any]:
    """What a team answers for, and who says so."""
    return {
        "key": basis.key,
        "value": basis.value,
        "origin": basis.origin,
        "source": basis.source,
        "as_of": basis.as_of,
    }
