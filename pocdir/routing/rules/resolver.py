"""From an indicator to the teams that answer for it, in the published order, each with its reasons."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from pocdir.core.text import Phrase
from pocdir.directory.rules import Channel, Team
from pocdir.routing.rules.decide import Contact, Decision, Rejected, Wish, decide
from pocdir.routing.rules.gather import Found, Network, gather
from pocdir.routing.rules.index import Basis, Index
from pocdir.routing.rules.indicator import Indicator

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

NOTHING: frozenset[str] = frozenset()
NOBODY = Decision((), (), ())
MOST_DECISIONS = 20_000  # kept with one index; most lookups differ in nothing but the indicator


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


def resolve(
    index: Index,
    indicator: Indicator,
    *,
    on: dt.date,
    sector: str | None = None,
    purpose: str = "incident",
    kind_of_report: str | None = None,
    exclude_teams: frozenset[str] = NOTHING,
    exclude_countries: frozenset[str] = NOTHING,
    exclude_hosts: frozenset[str] = NOTHING,
    country_by: str = "registered",
) -> Answer:
    """Whom to tell about an indicator, as one version of directory and registry says.

    `on` is the day on which responsibilities have to be valid; purpose is one of PURPOSES; kind_of_report is
    CLASS/TYPE of the incident taxonomy; exclusions are slugs, host countries (alpha-2) and kinds of host;
    country_by says which country decides: registered, located or asn.
    """
    found = gather(index, indicator, sector, country_by)
    decision, status = NOBODY, "not_routable"
    if found.routable:
        wish = Wish(on.isoformat(), purpose, kind_of_report, exclude_teams, exclude_countries, exclude_hosts)
        decision = _decision(index, found, wish)
        status = "ok" if decision.contacts else "no_contact"
    return Answer(
        status,
        indicator,
        found.network,
        decision.contacts,
        decision.rejected,
        (*found.notes, *decision.notes),
        index.directory_version,
        index.registry.version if index.registry else None,
    )


def _decision(index: Index, found: Found, wish: Wish) -> Decision:
    """From the index's memory, else made and kept there; neither indicator nor network is part of it."""
    candidates = tuple(found.candidates)
    key = (candidates, found.countries, wish)
    decision = index.decisions.get(key)
    if decision is None:
        decision = decide(index, candidates, found.countries, wish)
        if len(index.decisions) >= MOST_DECISIONS:
            index.decisions.clear()
        index.decisions[key] = decision
    return decision


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
