"""How teams answered the workspace that asks, from its own record and nobody else's."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from pocdir.accounts.guards import Principal
from pocdir.latency.promises import promised
from pocdir.latency.queries import cases, counted, figures
from pocdir.latency.rules import Group

LEVEL = "acknowledgement"
NO_RECORD: dict[str, Any] = {"n": 0, "acknowledged": 0, "median_seconds": None, "band": [None, None]}


def record_of(principal: Principal, slug: str, *, now: dt.datetime) -> dict[str, Any] | None:
    """How one team answered the workspace, as `responsiveness` has it, with `promise`: what it kept of its own."""
    if principal.workspace_id is None or not principal.may("latency.read"):
        return None
    found, _ = counted(cases(principal, level=LEVEL, now=now, teams=[slug]))
    (group,) = figures(found, None, promised(found, LEVEL))
    return _shape(group) | {"promise": group.promise}


def responsiveness(
    principal: Principal, teams: Iterable[str], *, now: dt.datetime
) -> dict[str, dict[str, Any]]:
    """By slug, for each of the teams: notifications, how many a person acknowledged, the median in seconds
    with its 95 % band (None = not reached; both None: too few for one). Empty for whoever has no workspace or may
    not read its figures.
    """
    wanted = frozenset(teams)
    if not wanted or principal.workspace_id is None or not principal.may("latency.read"):
        return {}
    found, _ = counted(cases(principal, level=LEVEL, now=now, teams=wanted))
    known = {group.key: _shape(group) for group in figures(found, "team")}
    return {slug: known.get(slug, NO_RECORD) for slug in wanted}


def with_responsiveness(
    answers: Iterable[dict[str, Any]], principal: Principal, *, now: dt.datetime
) -> list[dict[str, Any]]:
    """The lookup answers, their contacts with what the workspace knows of them."""
    filled = list(answers)
    contacts = [contact for answer in filled for contact in answer["contacts"]]
    known = responsiveness(principal, (contact["team"]["slug"] for contact in contacts), now=now)
    for contact in contacts:
        contact["responsiveness"] = known.get(contact["team"]["slug"])
    return filled


def _shape(group: Group) -> dict[str, Any]:
    return {
        "n": group.n,
        "acknowledged": group.events,
        "median_seconds": group.median_seconds,
        "band": list(group.band),
    }
