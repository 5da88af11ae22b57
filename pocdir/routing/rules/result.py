"""What bulk routing keeps of an answer: whom a row goes to, or why to nobody."""

from __future__ import annotations

from typing import Any, NamedTuple

from pocdir.routing.rules.resolver import Answer, basis_json, channel_json


class Result(NamedTuple):
    """status: ok, no_contact, not_routable or invalid; the others as the contact of rank 1 has them.

    `reason` is the sentence for a row that goes to nobody, else None.
    """

    status: str
    team: str | None = None
    name: str | None = None
    channel: tuple[tuple[str, Any], ...] = ()
    basis: tuple[tuple[str, Any], ...] = ()
    reason: str | None = None


def result_of(answer: Answer) -> Result:
    """The first contact that may have the row, else the decision's own reasons, else the first thing there is to say.

    A row is detail: whoever is to be told without detail gets no parcel.
    """
    first = next((contact for contact in answer.contacts if not contact.without_detail), None)
    if first:
        return Result(
            answer.status,
            first.team.slug,
            first.team.name,
            tuple(channel_json(first.channel).items()),
            tuple(basis_json(first.basis).items()),
        )
    if answer.contacts:
        name = answer.contacts[0].team.name
        return Result(
            "no_contact", reason=f"only {name} is known, to be told without detail: a row is detail"
        )
    said = answer.decision.notes or answer.notes[:1]
    return Result(answer.status, reason="; ".join(said) or "no contact is known for this")


def invalid(reason: str) -> Result:
    return Result("invalid", reason=reason)
