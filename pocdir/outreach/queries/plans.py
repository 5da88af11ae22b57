"""What a plan is drawn up from: an incident's assets with their routing, and the parcels that wait with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pocdir.core.errors import Invalid, NotFound
from pocdir.db import db
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.models import Asset, Incident
from pocdir.incidents.rules.assets import MOST_ASSETS, AssetValue
from pocdir.outreach.models import Parcel
from pocdir.outreach.queries import parcels
from pocdir.outreach.queries.controls import controls_of
from pocdir.outreach.rules.parcels import Brought
from pocdir.outreach.rules.plan import (
    Plan,
    WaitingParcel,
    asset_as_sent,
    drawn_up,
    opted_out_kinds,
    reached_by,
)
from pocdir.routing.queries import index, question
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import answered
from pocdir.routing.rules.resolver import Answer


def plan_of(incident: Incident, *, on: dt.date, brought: Sequence[Brought] = ()) -> Plan:
    """The plan of an incident: of its assets that are no controls, and of the parcels that wait with it.

    With parcels that are `brought` it is the plan as it will be when they are kept with the incident.
    """
    known = index()
    fresh = parcels.new_of(incident, brought)
    return drawn_up(
        known,
        _routed(incident, known, on, [it for each in fresh for it in each.assets]),
        [*map(_waiting, parcels.held(incident)), *map(_waiting, fresh)],
        incident=incident.ref,
        people_at_risk=incident.people_at_risk,
    )


class Routed(NamedTuple):
    """What routing says of a notification whose sender names no channel, or no assets."""

    channel: tuple[str, str] | None  # kind, value of the team's first live channel for incidents
    assets: Sequence[Mapping[str, Any]]
    slugs: Collection[str] = ()  # of the team and of entries that are part of it: whose parcels go with it


def routed(given: Mapping[str, Any], *, workspace_id: int | None, on: dt.date) -> Routed:
    """What a notification, as NotificationSchema loads it, leaves open; asked before the transaction that writes it.

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


def opted_out_kinds_of(slug: str) -> list[str]:
    """The kinds of notification that a team has said it does not take."""
    indexed = index().indexed_team(slug)
    return opted_out_kinds(indexed.team) if indexed else []


def first_live_channel(slug: str) -> tuple[str, str] | None:
    """(kind, value) of the team's first live channel for incidents."""
    found = reached_by(index(), slug)
    return (found[1].kind, found[1].value) if found else None


def parcel_of(incident: Incident, team: str, *, on: dt.date) -> list[dict[str, Any]]:
    """The incident's assets that concern this team, also as one to try next: its sender chose it."""
    known = index()
    team = known.merged.get(team, team)
    return [
        asset_as_sent(asset)
        for asset, answer in _routed(incident, known, on)
        if answer and any(contact.team.slug == team for contact in answer.contacts)
    ]


def _routed(
    incident: Incident, known: Index, on: dt.date, more: Iterable[AssetValue] = ()
) -> Iterator[tuple[AssetValue, Answer | None]]:
    """Each asset that is no control, and each of `more` that is none yet, with what a lookup of it would answer.

    None for what cannot be looked up.
    """
    asked = question(known, on=on, kind_of_report=incident.kind_of_report)
    kept = incident_queries.assets(incident, limit=MOST_ASSETS)
    assets = {_name(each): AssetValue(*_name(each), each.control) for each in kept}
    controls = controls_of(db.session(), incident)
    for asset in (assets | {_name(each): each for each in more if _name(each) not in assets}).values():
        if asset.control or controls.names(asset.value, asset.port):
            continue
        try:
            answer = answered(known, asset.value, asked) if asset.kind != "hash" else None
        except Invalid:
            answer = None
        yield asset, answer


def _name(asset: Asset | AssetValue) -> tuple[str, str, int]:
    return asset.kind, asset.value, asset.port


def _waiting(parcel: Parcel | Brought) -> WaitingParcel:
    return WaitingParcel(
        ref=parcel.ref if isinstance(parcel, Parcel) else None, team=parcel.team, basis=parcel.basis, name=parcel.name,
        rows=parcel.rows, size=parcel.size, sha256=parcel.sha256,
    )  # fmt: skip
