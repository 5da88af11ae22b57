"""Whom a step goes to, as the directory stands at the time of the step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pocdir.core.errors import Invalid
from pocdir.directory.rules.record import DEAD_STATES
from pocdir.outreach.escalation.rules.path import Rung
from pocdir.outreach.rules.intake import opted_out_of
from pocdir.routing.rules.contacts import Contact
from pocdir.routing.rules.index import Index, IndexedTeam, channels_for
from pocdir.routing.rules.question import Question, answered

MOST_LOOKED_UP = 50  # assets of a parcel whose routing is asked; a parcel is of one contact


class Target(NamedTuple):
    """A team and a way to reach it that was not used for this yet."""

    team: str  # slug
    name: str
    kind: str  # of the channel
    value: str
    languages: tuple[str, ...]


class Coming(NamedTuple):
    """A step to come, with whom it goes to as the directory stands, or why to nobody."""

    rung: Rung
    target: Target | str


@dataclass(frozen=True, slots=True)
class Reported:
    """What a notification was: to whom, about what, and who knows of it already."""

    team: str
    assets: Sequence[Mapping[str, Any]]
    kind_of_report: str | None
    teams: frozenset[str]  # told of the same, with the team itself
    addresses: frozenset[tuple[str, str]]  # (kind, value) over which the team itself was told


def target_of(step: str, reported: Reported, index: Index, asked: Question) -> Target | str:
    """The target of a step (one of TARGETS), or why there is none: `no_contact`, `opted_out`.

    Nobody who was told of the same already is told again; a team with several addresses, over another one.
    """
    indexed = index.indexed_team(reported.team)
    if step == "same_team":
        if indexed and "follow_up" in indexed.team.opt_outs:
            return "opted_out"
        return other_channel(indexed, reported.addresses) or "no_contact"
    opted_out = False
    for found in _WAYS[step](indexed, reported, index, asked):
        channel = found.reach["incident"].channel
        if channel is None or found.team.slug in reported.teams:
            continue
        if _has_opted_out(found, reported.kind_of_report):
            opted_out = True
            continue
        return Target(
            found.team.slug, found.team.name, channel.kind, channel.value, tuple(found.team.languages)
        )
    return "opted_out" if opted_out else "no_contact"


def other_mail_of(reported: Reported, index: Index) -> Target | str:
    """The next mail address of the team itself that works and was not told yet; or `opted_out`, `no_mail`."""
    indexed = index.indexed_team(reported.team)
    if indexed is None:
        return "no_mail"
    team = indexed.team
    if opted_out_of(team.opt_outs, kind="follow_up", about=reported.kind_of_report):
        return "opted_out"
    told = {value.lower() for kind, value in reported.addresses if kind == "email"}
    for channel in channels_for(team, "incident"):
        if channel.kind == "email" and channel.state not in DEAD_STATES and channel.value.lower() not in told:
            return Target(team.slug, team.name, channel.kind, channel.value, tuple(team.languages))
    return "no_mail"


def other_channel(indexed: IndexedTeam | None, told: Collection[tuple[str, str]]) -> Target | None:
    """Another working address of a team than those over which it was told (kind, value)."""
    for channel in channels_for(indexed.team, "incident") if indexed else ():
        if channel.state not in DEAD_STATES and (channel.kind, channel.value) not in told:
            team = indexed.team if indexed else None
            assert team is not None  # noqa: S101 - channels are of a team
            return Target(team.slug, team.name, channel.kind, channel.value, tuple(team.languages))
    return None


def _has_opted_out(indexed: IndexedTeam, kind: str | None) -> bool:
    return bool(opted_out_of(indexed.team.opt_outs, kind="referral", about=kind))


def _routed(reported: Reported, index: Index, asked: Question) -> Iterator[Contact]:
    """The contacts of what it is about, in the order in which routing names them."""
    for asset in reported.assets[:MOST_LOOKED_UP]:
        if asset.get("kind") == "hash":
            continue
        try:
            yield from answered(index, str(asset["value"]), asked).contacts
        except Invalid:
            continue


def _resolver(
    _indexed: IndexedTeam | None, reported: Reported, index: Index, asked: Question
) -> Iterator[IndexedTeam]:
    for contact in _routed(reported, index, asked):
        yield index.indexed[contact.team.slug]


def _parent(
    indexed: IndexedTeam | None, _reported: Reported, index: Index, _asked: Question
) -> Iterable[IndexedTeam]:
    above = index.indexed_team(indexed.team.parent) if indexed and indexed.team.parent else None
    return [above] if above else []


def _national(
    indexed: IndexedTeam | None, reported: Reported, index: Index, asked: Question
) -> Iterator[IndexedTeam]:
    for contact in _routed(reported, index, asked):
        if contact.basis.key == "country":
            yield index.indexed[contact.team.slug]
    if indexed and indexed.team.country:
        yield from (row.indexed for row in index.nationals.get(indexed.team.country, ()))


def _sector(
    indexed: IndexedTeam | None, reported: Reported, index: Index, asked: Question
) -> Iterator[IndexedTeam]:
    keys = ("sector", "country+sector")
    for contact in _routed(reported, index, asked):
        if contact.basis.key in keys:
            yield index.indexed[contact.team.slug]
    for row in indexed.team.responsibilities if indexed else ():
        if row.key in keys:
            yield from (each.indexed for each in index.sectors.get(row.value, ()))


def _regional(
    indexed: IndexedTeam | None, _reported: Reported, index: Index, _asked: Question
) -> Iterator[IndexedTeam]:
    code = indexed.team.country if indexed else None
    for row in index.countries.get(code or "", ()):
        if row.indexed.team.kind == "regional" or row.place == "coordinator":
            yield row.indexed


def _global(
    _indexed: IndexedTeam | None, _reported: Reported, index: Index, _asked: Question
) -> Iterator[IndexedTeam]:
    yield from (row.indexed for row in index.everywhere)
    yield from index.coordinators


_WAYS: Mapping[str, Callable[[IndexedTeam | None, Reported, Index, Question], Iterable[IndexedTeam]]] = {
    "parent": _parent, "sector": _sector, "national": _national, "regional": _regional, "global": _global,
    "resolver": _resolver,
}  # fmt: skip
