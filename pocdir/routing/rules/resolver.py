"""From an indicator to the teams that answer for it, in the published order, each with its reasons."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pocdir.core.text import Phrase
from pocdir.directory.rules import Channel, Team
from pocdir.routing.rules.gather import Found, Network, gather
from pocdir.routing.rules.index import Basis, Candidate, Index
from pocdir.routing.rules.indicator import Indicator
from pocdir.routing.rules.order import positions

__all__ = [
    "Answer",
    "Contact",
    "Index",
    "Rejected",
    "answer_json",
    "basis_json",
    "channel_json",
    "resolve",
    "team_json",
]

NOBODY_LISTED: frozenset[str] = frozenset()
MOST_SPECIFIC = {"prefix": Phrase("most specific prefix"), "domain": Phrase("most specific domain")}
LESS_SPECIFIC = {"prefix": Phrase("less specific prefix"), "domain": Phrase("parent domain")}

Chosen = dict[str, list[tuple[Candidate, Phrase | None]]]  # by slug, the best way first


@dataclass(frozen=True, slots=True)
class Contact:
    """A team that may be written to; role: to, cc or fallback."""

    rank: int
    role: str
    team: Team
    channel: Channel
    basis: Basis
    reasons: tuple[Phrase, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A team that answers for the indicator and is ruled out."""

    team: Team
    basis: Basis
    reason: Phrase


@dataclass(frozen=True, slots=True)
class Answer:
    """All candidates in order; status: ok, no_contact or not_routable."""

    status: str
    query: Indicator
    registry: Network | None
    contacts: tuple[Contact, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[Phrase, ...]
    directory_version: str
    registry_version: str | None


@dataclass(frozen=True, slots=True)
class Exclusions:
    """To whom the asker will not write: slugs, host countries (alpha-2), kinds of host (police, ...)."""

    teams: frozenset[str] = NOBODY_LISTED
    countries: frozenset[str] = NOBODY_LISTED
    hosts: frozenset[str] = NOBODY_LISTED


def resolve(
    index: Index,
    indicator: Indicator,
    *,
    on: dt.date,
    sector: str | None = None,
    purpose: str = "incident",
    kind_of_report: str | None = None,
    exclude_teams: frozenset[str] = NOBODY_LISTED,
    exclude_countries: frozenset[str] = NOBODY_LISTED,
    exclude_hosts: frozenset[str] = NOBODY_LISTED,
    country_by: str = "registered",
) -> Answer:
    """Whom to tell about an indicator, as one version of directory and registry says.

    `on` is the day on which responsibilities have to be valid; purpose is one of PURPOSES; kind_of_report
    CLASS/TYPE of the incident taxonomy; country_by says which country decides: registered, located or asn.
    """
    found = gather(index, indicator, sector, country_by)
    if not found.routable and not found.candidates:
        return _answer(index, indicator, found, "not_routable", (), ())
    excluded = Exclusions(exclude_teams, exclude_countries, exclude_hosts)
    today = on.isoformat()
    if len(found.candidates) > 1:
        order = positions(kind_of_report)
        found.candidates.sort(key=lambda pair: _rank(pair[0], order, purpose))
    chosen: Chosen = {}
    rejected: dict[str, Rejected] = {}
    for pair in found.candidates:
        candidate = pair[0]
        slug = candidate.desk.team.slug
        obstacle = _obstacle(candidate, purpose, kind_of_report, excluded, today)
        if obstacle is None:
            chosen.setdefault(slug, []).append(pair)
        else:
            rejected.setdefault(slug, Rejected(candidate.desk.team, candidate.basis, obstacle))
    contacts = _contacts(chosen, purpose)
    found.notes += _about_countries(index, found, chosen, today)
    ruled_out = tuple(out for slug, out in rejected.items() if slug not in chosen)
    return _answer(index, indicator, found, "ok" if contacts else "no_contact", contacts, ruled_out)


def _answer(
    index: Index,
    indicator: Indicator,
    found: Found,
    status: str,
    contacts: tuple[Contact, ...],
    rejected: tuple[Rejected, ...],
) -> Answer:
    version = index.registry.version if index.registry else None
    notes = tuple(found.notes)
    return Answer(
        status, indicator, found.network, contacts, rejected, notes, index.directory_version, version
    )


def _rank(candidate: Candidate, order: Mapping[str, int], purpose: str) -> tuple[Any, ...]:
    """order.WITHIN, as a key to sort by."""
    return (
        order[candidate.place],
        candidate.size,
        candidate.before_state,
        candidate.desk.reach[purpose].state,
        candidate.after_state,
    )


def _obstacle(
    candidate: Candidate, purpose: str, kind_of_report: str | None, excluded: Exclusions, today: str
) -> Phrase | None:
    """Why this candidate may not be written to, None when it may."""
    team = candidate.desk.team
    if team.slug in excluded.teams:
        return Phrase("excluded by the asker: this team")
    if team.country in excluded.countries:
        return Phrase("excluded by the asker: host country %(code)s", code=team.country or "")
    if team.host_kind in excluded.hosts:
        return Phrase("excluded by the asker: hosted by %(kind)s", kind=team.host_kind or "")
    if kind_of_report and team.opt_outs:
        for kind in (kind_of_report, kind_of_report.partition("/")[0]):
            if kind in team.opt_outs:
                return Phrase("opted out of reports on %(kind)s", kind=kind)
    if candidate.desk.reach[purpose].obstacle:
        return candidate.desk.reach[purpose].obstacle
    if candidate.valid_to <= today:
        return Phrase("expired on %(day)s", day=candidate.valid_to)
    if candidate.valid_from > today:
        return Phrase("not valid before %(day)s", day=candidate.valid_from)
    return None


def _contacts(chosen: Chosen, purpose: str) -> tuple[Contact, ...]:
    contacts = []
    sharpest: dict[str, int] = {}  # by key: the size of the most specific one that may be written to
    for rank, pairs in enumerate(chosen.values(), 1):
        best, reason = pairs[0]
        key = best.basis.key
        if reason is None:
            specific = sharpest.setdefault(key, best.size) == best.size
            reason = (MOST_SPECIFIC if specific else LESS_SPECIFIC)[key]
        reach = best.desk.reach[purpose]
        if reach.channel is None:  # an obstacle, so never among the chosen
            continue
        reasons = [reason]
        if reach.remark:
            reasons.append(reach.remark)
        if len(pairs) > 1:
            reasons += _other_ways(pairs)
        contacts.append(
            Contact(rank, _role(rank, best), best.desk.team, reach.channel, best.basis, tuple(reasons))
        )
    return tuple(contacts)


def _role(rank: int, candidate: Candidate) -> str:
    if rank == 1:
        return "to"
    by_country = candidate.place in ("country", "country+sector")
    return "cc" if by_country or candidate.role == "cc" else "fallback"


def _other_ways(pairs: list[tuple[Candidate, Phrase | None]]) -> list[Phrase]:
    """By what else the team is a candidate; what several sources say is one way."""
    first = pairs[0][0].basis
    ways = dict.fromkeys((c.basis.key, c.basis.value) for c, _ in pairs)
    del ways[first.key, first.value]
    return [Phrase("also by %(key)s %(value)s", key=key, value=value) for key, value in ways]


def _about_countries(index: Index, found: Found, chosen: Chosen, today: str) -> list[Phrase]:
    """Where no national PoC is known, and who might help instead; where one is known and ruled out."""
    notes = []
    missing = False
    for code in found.countries:
        national = [c for c in index.nationals.get(code, ()) if c.valid_from <= today < c.valid_to]
        if not national:
            missing = True
            notes.append(Phrase("no national PoC known for %(code)s", code=code))
        elif not any(c.desk.team.slug in chosen for c in national):
            notes.append(Phrase("the national PoC of %(code)s is known and ruled out", code=code))
    if missing:
        neutral = [
            pairs[0][0].desk.team.name
            for pairs in chosen.values()
            if any(candidate.place in ("coordinator", "global") for candidate, _ in pairs)
        ]
        if neutral:
            notes.append(Phrase("neutral alternatives: %(teams)s", teams=", ".join(neutral)))
    return notes


def answer_json(answer: Answer) -> dict[str, Any]:
    """The answer in its published shape; `responsiveness` is filled in by whoever may know it."""
    query, network = answer.query, answer.registry
    return {
        "status": answer.status,
        "query": {"input": query.input, "kind": query.kind, "value": query.value},
        "registry": _network_json(network) if network else None,
        "contacts": [contact_json(contact) for contact in answer.contacts],
        "rejected": [
            {"team": {"slug": out.team.slug}, "basis": basis_json(out.basis), "reason": out.reason}
            for out in answer.rejected
        ],
        "notes": list(answer.notes),
        "directory_version": answer.directory_version,
        "registry_version": answer.registry_version,
    }


def _network_json(network: Network) -> dict[str, Any]:
    return {
        "prefix": network.prefix,
        "asn": network.asn,
        "holder": network.holder,
        "countries": {
            "registered": network.registered,
            "located": network.located,
            "asn": network.asn_country,
        },
        "as_of": network.as_of,
    }


def contact_json(contact: Contact) -> dict[str, Any]:
    return {
        "rank": contact.rank,
        "role": contact.role,
        "team": team_json(contact.team),
        "channel": channel_json(contact.channel),
        "basis": basis_json(contact.basis),
        "reasons": list(contact.reasons),
        "responsiveness": None,
    }


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
