"""A plan: an incident's assets and the parcels that wait with it, grouped by the contact to write to."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pocdir.core.text import Phrase
from pocdir.directory.rules.record import Channel, Team
from pocdir.incidents.rules.assets import AssetValue
from pocdir.ledger.rules.vocabulary import NOTIFICATION_KINDS
from pocdir.routing.rules.destinations import told
from pocdir.routing.rules.index import Basis, Index
from pocdir.routing.rules.resolver import Answer, Contact

ASKED_OF: Mapping[str, tuple[str, ...]] = {"true": ("to",), "all": ("to", "cc"), "false": ()}  # roles


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingParcel:
    """A parcel that waits with the incident; `ref` None: it is brought, and not kept yet."""

    ref: str | None
    team: str  # the slug that routing gave, maybe of an entry that is part of another team by now
    basis: Mapping[str, str]
    name: str
    rows: int
    size: int  # bytes
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A contact to write to, with what goes to it; `role`: to, or cc for a copy.

    `without_detail`: it is told that, and not what. `held`: nothing goes to it before a person has said yes. `copies`:
    how many of the assets concern it for information only.
    """

    team: Team
    channel: Channel
    role: str
    basis: Basis | Mapping[str, str]  # of parcels alone: what their manifest says
    reasons: Sequence[Phrase] = ()
    try_next_after: str | None = None
    without_detail: bool = False
    held: bool = False
    assets: Sequence[AssetValue] = ()
    copies: int = 0
    parcels: Sequence[WaitingParcel] = ()

    @property
    def slug(self) -> str:
        return self.team.slug

    @property
    def answer_asked(self) -> bool:
        """A copy is for information: the told owe nobody an answer, and are asked no more often than it helps."""
        return self.role == "to"

    @property
    def rows(self) -> int:
        """The rows of its parcels together."""
        return sum(each.rows for each in self.parcels)


@dataclass(frozen=True, slots=True)
class Unrouted:
    """An asset or parcel that goes to nobody; reason: not_an_address, not_routable or no_contact."""

    what: AssetValue | WaitingParcel
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Whom to tell of an incident, as one version of directory and registry says, and what goes to nobody."""

    incident: str  # reference
    people_at_risk: bool
    contacts: Sequence[Planned]
    unrouted: Sequence[Unrouted]
    directory_version: str
    registry_version: str | None

    def by_slug(self) -> dict[str, Planned]:
        """The contacts by the slug of their team."""
        return {each.slug: each for each in self.contacts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Which contacts of a plan are told, by slug, and what is said to all of them.

    `answer_asked`, of whom: "true" those to write to, "all", "false" none. `within` is ISO 8601. `people_at_risk`: it
    was known, when they were chosen, that the incident says so.
    """

    choose: Sequence[str]
    kind: str = "report"
    sent_at: dt.datetime | None = None
    answer_asked: str = "true"
    within: str | None = None
    message: str | None = None
    people_at_risk: bool = False
    send: bool = False  # from here, now
    plain_text: bool = False
    despite_rules: bool = False
    despite_opt_out: bool = False

    @property
    def slugs(self) -> list[str]:
        """The slugs chosen, each once."""
        return list(dict.fromkeys(self.choose))

    def asks(self, contact: Planned) -> bool:
        """Whether an answer is asked of this one."""
        return contact.role in ASKED_OF[self.answer_asked]


def drawn_up(
    index: Index,
    routed: Iterable[tuple[AssetValue, Answer | None]],
    waiting: Iterable[WaitingParcel],
    *,
    incident: str,
    people_at_risk: bool,
) -> Plan:
    """The plan of an incident, from its assets, each with what routing answered (None: it cannot be looked up).

    Every one goes to its `to` and `cc` contacts, or is listed with the reason why not; the team of a parcel is written
    to. Those to write to come first, then those who get a copy; within each, who has most. Where people may be at risk,
    each is held.
    """
    reached: dict[str, list[tuple[Contact, AssetValue]]] = {}
    unrouted: list[Unrouted] = []
    for asset, answer in routed:
        contacts = told(answer) if answer else ()
        if not contacts:
            unrouted.append(Unrouted(asset, answer.status if answer else "not_an_address"))
        for contact in contacts:
            reached.setdefault(contact.team.slug, []).append((contact, asset))
    planned = {slug: _of_assets(each, held=people_at_risk) for slug, each in reached.items()}
    for parcel in waiting:
        found = reached_by(index, parcel.team)
        if found is None:
            unrouted.append(Unrouted(parcel, "no_contact"))
            continue
        team, channel = found
        there = planned.get(team.slug) or Planned(
            team=team, channel=channel, role="to", basis=parcel.basis, held=people_at_risk
        )
        planned[team.slug] = replace(there, role="to", parcels=(*there.parcels, parcel))
    return Plan(
        incident=incident, people_at_risk=people_at_risk, contacts=sorted(planned.values(), key=_order),
        unrouted=unrouted, directory_version=index.directory_version,
        registry_version=index.registry.version if index.registry else None,
    )  # fmt: skip


def reached_by(index: Index, slug: str) -> tuple[Team, Channel] | None:
    """A team, or the one that this entry is part of, and its first live channel for incidents; None without one."""
    indexed = index.indexed_team(slug)
    channel = indexed.reach["incident"].channel if indexed else None
    return (indexed.team, channel) if indexed and channel else None


def opted_out_kinds(team: Team) -> list[str]:
    """The kinds of notification that a team has said it does not take."""
    return [kind for kind in NOTIFICATION_KINDS if kind in team.opt_outs]


def asset_as_sent(asset: AssetValue) -> dict[str, Any]:
    """An asset as a notification holds it."""
    return {"kind": asset.kind, "value": asset.value, "port": asset.port or None}


def _of_assets(reached: Sequence[tuple[Contact, AssetValue]], *, held: bool) -> Planned:
    """One team's assets together; who is to be written to for one is so for all, with that reason."""
    lead = next((contact for contact, _ in reached if contact.role == "to"), reached[0][0])
    return Planned(
        team=lead.team, channel=lead.channel, role=lead.role, basis=lead.basis, reasons=lead.reasons,
        try_next_after=lead.try_next_after, held=held,
        without_detail=any(contact.without_detail for contact, _ in reached),  # so is the letter about all of them
        assets=[asset for _, asset in reached], copies=sum(contact.role == "cc" for contact, _ in reached),
    )  # fmt: skip


def _order(contact: Planned) -> tuple[Any, ...]:
    return contact.role != "to", -max(contact.rows, len(contact.assets)), contact.slug
