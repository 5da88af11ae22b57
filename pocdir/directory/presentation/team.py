"""What a team's page shows: each fact with who says so and since when, and what other sources say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import asdict, replace
from typing import Any

from pocdir.core.times import zone_of
from pocdir.directory.keys.pinned import pinned as pinned_keys
from pocdir.directory.queries import dates, entries, listings, sources
from pocdir.directory.queries import parts as entry_parts
from pocdir.directory.queries.entries import Entry
from pocdir.directory.queries.reading import ChannelRow, Reading, ResponsibilityRow
from pocdir.directory.rules import record as rules

# The page's cards, and the facts in each, in this order.
GROUPS = {
    "about": (
        "name", "short_name", "names", "kind", "country", "website", "parent", "languages", "timezone",
        "business_hours", "established", "memberships", "rfc2350", "first_id", "ti_url", "ripe_org", "misp_uuid",
        "cna_name",
    ),
    "mandate": ("host_kind", "law_enforcement", "neutrality_policy"),
    "reception": (
        "accepts_private", "accepts_abroad", "line", "encryption_required", "accepts_samples", "samples_how",
        "size_limit", "tlp", "opt_outs", "intake", "promise",
    ),
}  # fmt: skip
_QUALIFIED = {of: name for name, of in rules.QUALIFIES.items()}


def team_page(
    entry: Entry, *, audiences: Collection[str], viewer: Any, reading: Reading, now: dt.datetime
) -> dict[str, Any]:
    """The values of templates/directory/team.html."""
    team = entry.team
    urls = sources.source_urls()
    said = sources.tellers(team.id, reading=reading)
    told = _told(sources.facts_of(team.slug, reading=reading), team.confirmed_at)
    pinned = pinned_keys([team.id]).get(team.id, {}) if reading.at is None else {}
    above, below = entries.family(team, reading=reading)
    parts = entry_parts.merged(reading)
    return {
        "team": team._mapping,
        "lead": team.lead and not team.retired_at and not _is_confirmed(entry),
        "as_of": reading.at,
        "groups": {name: _shown(told, fields, name == "mandate") for name, fields in GROUPS.items()},
        "above": above,
        "below": below,
        "parts": [(slug, names[0]) for slug, (into, names) in parts.items() if into == team.slug],
        "channels": [
            {
                **asdict(channel),
                "evidence": channel.state_evidence,
                "pinned": pinned.get(channel.value) if channel.kind == "email" else None,
                "url": urls.get(channel.source),
                "confirmed": channel.state == "verified",
                "others": _others(said, channel, (channel.kind, channel.value, channel.purpose), audiences),
            }
            for channel in channels_for(entry, viewer)
        ],
        "responsibilities": [
            {
                **asdict(row),
                "url": urls.get(row.source),
                "confirmed": _stood(said[row.key, row.value, row.role][0].since, team.confirmed_at),
                "others": _others(said, row, (row.key, row.value, row.role), audiences),
            }
            for row in entry.responsibilities
        ],
        "dates": dates.of_teams([team], viewer, reading=reading)[team.slug],
        "inner_dates": _is_inner(entry, viewer),
        "history": _history(entry, audiences, reading),
        "now_there": now.astimezone(there) if (there := zone_of(team.timezone)) else None,
        "states": rules.ADDRESS_STATES,
        "today": now.date().isoformat(),
    }


def channels_for(entry: Entry, viewer: Any) -> list[rules.Channel]:
    """The channels as somebody reads them: evidence of a state is for whoever is known here, and how far an address
    was seen to reach for the team itself and stewards."""
    known, inner = viewer.kind != "anonymous", _is_inner(entry, viewer)
    return [
        replace(
            it,
            state_evidence=it.state_evidence if known else None,
            reachability=it.reachability if inner else None,
        )
        for it in entry.channels
    ]


def _is_inner(entry: Entry, viewer: Any) -> bool:
    return "steward" in viewer.roles or viewer.team_id == entry.team.id


def _is_confirmed(entry: Entry) -> bool:
    """Whether the team has spoken of it, so that nobody calls it a list's word alone."""
    return bool(entry.team.confirmed_at) or any(channel.state == "verified" for channel in entry.channels)


def _stood(since: dt.datetime | None, confirmed: dt.datetime | None) -> bool:
    """Whether it stood here when the team confirmed its whole entry."""
    return confirmed is not None and since is not None and since <= confirmed


def _told(facts: list[dict[str, Any]], confirmed: dt.datetime | None) -> dict[str, list[dict[str, Any]]]:
    """By field what every source says, the one in force first."""
    found: dict[str, list[dict[str, Any]]] = {}
    for fact in facts:
        more = {"key": fact["field"], "confirmed": fact["in_force"] and _stood(fact["since"], confirmed)}
        found.setdefault(fact["field"], []).append(fact | more)
    return found


def _shown(
    told: Mapping[str, list[dict[str, Any]]], fields: Collection[str], empty_too: bool
) -> list[dict[str, Any]]:
    """One line a fact: what is in force, what qualifies it, what others say; `empty_too`: also what nobody says."""
    lines = []
    for name in fields:
        first, *others = told.get(name) or [{"key": name, "value": None, "in_force": False}]
        if not first["in_force"] and not empty_too:
            continue
        if name == "memberships" and first["in_force"] and first["origin"] == "imported":
            lines += _memberships([first, *others])
            continue
        beside = next((it for it in told.get(_QUALIFIED.get(name, ""), []) if it["in_force"]), None)
        lines.append({**first, "beside": beside, "others": others})
    return lines


def _memberships(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each source knows some, and all of them stand: a line for each, with everybody who says it."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for fact in told:
        for it in fact["value"] or ():
            by_name.setdefault(it["name"], []).append({**fact, "value": [it], "in_force": True})
    return [{**first, "others": others} for _, (first, *others) in sorted(by_name.items())]


def _others(
    said: Mapping[tuple[str, ...], list[ChannelRow | ResponsibilityRow]],
    first: Any,
    identity: tuple[str, ...],
    audiences: Collection[str],
) -> list[dict[str, Any]]:
    """What other sources say in the same place, and whether in other words."""
    rows = [row._asdict() for row in said.get(identity, [])]
    words = ("preference", "openpgp_fingerprint", "hours", "rank", "valid_from", "valid_to")
    return [
        {
            **row,
            "differs": {
                name: row[name] for name in words if name in row and row[name] != getattr(first, name)
            },
        }
        for row in rows
        if (row["source"], row["origin"]) != (first.source, first.origin)
        and not row["withdrawn"]
        and row.get("audience", "public") in audiences
    ]


def _history(entry: Entry, audiences: Collection[str], reading: Reading) -> list[dict[str, Any]]:
    events = listings.latest(entry.team.slug)
    if reading.at is not None:
        events = [event for event in events if event.recorded_at <= reading.at]
    return listings.happened(events, entry, audiences)
