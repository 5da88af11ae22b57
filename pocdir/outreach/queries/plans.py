"""Whom an incident's assets concern: routing results grouped per contact. A preview; nothing is logged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from pocdir.core.errors import Invalid, NotFound
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.models import Asset, Incident
from pocdir.incidents.rules.assets import MOST_ASSETS, AssetValue
from pocdir.ledger.rules.vocabulary import NOTIFICATION_KINDS
from pocdir.outreach.models import Parcel
from pocdir.outreach.queries import parcels
from pocdir.outreach.rules.parcels import Brought
from pocdir.routing.queries import index, question
from pocdir.routing.rules.contacts import channel_json, team_json
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import answered
from pocdir.routing.rules.resolver import Answer, Contact, contact_json

SHOWN = ("team", "channel", "basis", "role", "reasons", "try_next_after")


def plan_of(incident: Incident, *, on: dt.date, brought: Sequence[Brought] = ()) -> dict[str, Any]:
    """Every asset that is no control goes to its `to` and `cc` contacts, or is listed with the reason why not.

    With parcels that are `brought` it is the plan as it will be when they are kept with the incident.
    Those to write to come first, then those who get a copy; within each, who has most assets. Where people may
    be at risk, each is held: nothing goes to any contact before a person has said yes to that contact.
    """
    known = index()
    contacts: dict[str, dict[str, Any]] = {}
    unrouted = []
    fresh = parcels.new_of(incident, brought)
    for asset, answer in _routed(incident, known, on, [it for each in fresh for it in each.assets]):
        reached = told(answer)
        if not reached:
            reason = answer.status if answer else "not_an_address"
            unrouted.append({"asset": shown(asset), "reason": reason})
        for contact in reached:
            _put(contacts, contact, shown(asset), held=incident.people_at_risk)
    waiting: list[Parcel | Brought] = [*parcels.held(incident), *fresh]
    for parcel in waiting:
        if not _put_parcel(contacts, known, parcel, held=incident.people_at_risk):
            unrouted.append({"asset": {"value": parcel.name}, "reason": "no_contact"})
    for slug, planned in contacts.items():
        planned["declines"] = declined_by(slug)
    return {
        "incident": incident.ref,
        "people_at_risk": incident.people_at_risk,
        "contacts": sorted(contacts.values(), key=_order),
        "unrouted": unrouted,
        "directory_version": known.directory_version,
        "registry_version": known.registry.version if known.registry else None,
    }


class Routed(NamedTuple):
    """What routing says of a notification whose sender names no channel, or no assets."""

    channel: tuple[str, str] | None  # kind, value of the team's first live channel for incidents
    assets: Sequence[Mapping[str, Any]]
    slugs: Collection[str] = ()  # of the team and of entries that are part of it: whose parcels go with it


def routed(given: Mapping[str, Any], *, workspace_id: int | None, on: dt.date) -> Routed:
    """For a notification as NotificationSchema loads it; to be asked before the transaction that writes it.

    An incident that is not the workspace's has no parcel: the transaction looks again and refuses.
    """
    channel = None if given["channel"] else first_live_channel(given["team"])
    if given["incident"] is None or given["assets"] is not None:
        return Routed(channel, ())
    try:
        incident = incident_queries.incident(str(given["incident"]), workspace_id=workspace_id)
    except NotFound:
        return Routed(channel, ())
    return Routed(channel, parcel_of(incident, given["team"], on=on), index().slugs(given["team"]))


def declined_by(slug: str) -> list[str]:
    """The kinds of notification that a team has said it does not take."""
    desk = index().desk(slug)
    return [kind for kind in NOTIFICATION_KINDS if desk and kind in desk.team.opt_outs]


def first_live_channel(slug: str) -> tuple[str, str] | None:
    """(kind, value) of the team's first live channel for incidents."""
    desk = index().desk(slug)
    channel = desk.reach["incident"].channel if desk else None
    return (channel.kind, channel.value) if channel else None


def parcel_of(incident: Incident, team: str, *, on: dt.date) -> list[dict[str, Any]]:
    """The incident's assets that concern this team, also as one to try next: its sender chose it."""
    known = index()
    team = known.merged.get(team, team)
    return [
        shown(asset)
        for asset, answer in _routed(incident, known, on)
        if answer and any(contact.team.slug == team for contact in answer.contacts)
    ]


def told(answer: Answer | None) -> Sequence[Contact]:
    """The contacts that a plan writes to: rank one, and those who get a copy."""
    return [contact for contact in answer.contacts if contact.role in ("to", "cc")] if answer else []


def shown(asset: Asset | AssetValue) -> dict[str, Any]:
    """An asset as a parcel holds it."""
    return {"kind": asset.kind, "value": asset.value, "port": asset.port or None}


def _routed(
    incident: Incident, known: Index, on: dt.date, more: Iterable[AssetValue] = ()
) -> Iterable[tuple[Asset | AssetValue, Answer | None]]:
    """Each asset, and each of `more` that is none yet, with what a lookup of it would answer.

    None for what cannot be looked up.
    """
    class_, type_ = incident.rsit_class, incident.rsit_type
    asked = question(known, on=on, kind_of_report=f"{class_}/{type_}" if class_ and type_ else class_)
    assets = {_name(each): each for each in incident_queries.assets(incident, limit=MOST_ASSETS)}
    for asset in (assets | {_name(each): each for each in more if _name(each) not in assets}).values():
        if asset.control:
            continue
        try:
            answer = answered(known, asset.value, asked) if asset.kind != "hash" else None
        except Invalid:
            answer = None
        yield asset, answer


def _name(asset: Asset | AssetValue) -> tuple[str, str, int]:
    return asset.kind, asset.value, asset.port


def _put(
    contacts: dict[str, dict[str, Any]], contact: Contact, asset: Mapping[str, Any], *, held: bool
) -> None:
    """Into the team's parcel; whoever is to be written to for one asset is so for the parcel, with that reason."""
    parcel = contacts.setdefault(
        contact.team.slug, {"role": "", "without_detail": False, "assets": [], "parcels": [], "copies": 0}
    )
    if parcel["role"] != "to" and parcel["role"] != contact.role:
        shape = contact_json(contact)
        parcel |= {name: shape[name] for name in SHOWN}
        # A copy is for information: the told owe nobody an answer, and are asked no more often than it helps.
        parcel |= {"answer_asked": contact.role == "to", "held": held}
    parcel["without_detail"] |= contact.without_detail  # for one asset: so is the letter about all of them
    parcel["assets"].append(asset)
    parcel["copies"] += contact.role == "cc"


def _put_parcel(
    contacts: dict[str, dict[str, Any]], known: Index, parcel: Parcel | Brought, *, held: bool
) -> bool:
    """Beside the assets of its team, which is written to; whether that team can be reached today."""
    desk = known.desk(known.merged.get(parcel.team, parcel.team))
    channel = desk.reach["incident"].channel if desk else None
    if desk is None or channel is None:
        return False
    contact = contacts.setdefault(
        desk.team.slug,
        {
            "team": team_json(desk.team),
            "channel": channel_json(channel),
            "basis": parcel.basis,
            "reasons": [],
            "try_next_after": None,
            "without_detail": False,
            "held": held,
            "assets": [],
            "parcels": [],
            "copies": 0,
        },
    )
    contact |= {"role": "to", "answer_asked": True}
    contact["parcels"].append(parcels.shown(parcel))
    return True


def _order(parcel: Mapping[str, Any]) -> tuple[Any, ...]:
    rows = sum(each["rows"] for each in parcel["parcels"])
    return parcel["role"] != "to", -max(rows, len(parcel["assets"])), parcel["team"]["slug"]
