"""From an indicator to the teams that answer for it, in the published order, each with its reasons."""

from __future__ import annotations

import datetime as dt
from typing import Any, NamedTuple

from pocdir.core.text import Phrase
from pocdir.routing.rules.contacts import (
    Contact,
    Decision,
    Rejected,
    basis_json,
    channel_json,
    contact_json,
    json_text,
    rejected_json,
    team_json,
)
from pocdir.routing.rules.decide import Wish, decide
from pocdir.routing.rules.gather import Found, Network, gather
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.indicator import Indicator

__all__ = [
    "Answer",
    "Contact",
    "Index",
    "Rejected",
    "answer_json",
    "answer_text",
    "answer_to",
    "basis_json",
    "channel_json",
    "contact_json",
    "resolve",
    "team_json",
]

NOTHING: frozenset[str] = frozenset()
NOBODY = Decision((), (), ())
MOST_DECISIONS = 5_000  # kept with one index; most lookups differ in nothing but the indicator


class Answer(NamedTuple):
    """All candidates in order; status: ok, no_contact or not_routable."""

    status: str
    query: Indicator
    registry: Network | None
    decision: Decision
    notes: tuple[Phrase, ...]
    directory_version: str
    registry_version: str | None

    @property
    def contacts(self) -> tuple[Contact, ...]:
        return self.decision.contacts

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        return self.decision.rejected


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
    wish = Wish(on.isoformat(), purpose, kind_of_report, exclude_teams, exclude_countries, exclude_hosts)
    return answer_to(index, indicator, wish, sector, country_by)


def answer_to(index: Index, indicator: Indicator, wish: Wish, sector: str | None, country_by: str) -> Answer:
    """The same for whoever asks often and makes the wish once."""
    found = gather(index, indicator, sector, country_by)
    decision, status = NOBODY, "not_routable"
    if found.routable:
        decision = _decision(index, found, wish)
        status = "ok" if decision.contacts else "no_contact"
    return Answer(
        status,
        indicator,
        found.network,
        decision,
        (*found.notes, *decision.notes, *index.notes),
        index.directory_version,
        index.registry.version if index.registry else None,
    )


def _decision(index: Index, found: Found, wish: Wish) -> Decision:
    """From the index's memory, else made and kept there; neither indicator nor network is part of it.

    Exclusions are too many and too rarely the same to be kept.
    """
    candidates = tuple(found.candidates)
    if wish.exclude_teams or wish.exclude_countries or wish.exclude_hosts:
        return decide(index, candidates, found.countries, wish)
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
    return {
        **_asked_json(answer),
        "contacts": [contact_json(contact) for contact in answer.contacts],
        "rejected": [rejected_json(out) for out in answer.rejected],
    }


def answer_text(answer: Answer) -> str:
    """The same as JSON text; what was decided for all indicators of the same candidates is written once."""
    return f"{json_text(_asked_json(answer))[:-1]},{answer.decision.json_text}}}"


def _asked_json(answer: Answer) -> dict[str, Any]:
    query, network = answer.query, answer.registry
    return {
        "status": answer.status,
        "query": {"input": query.input, "kind": query.kind, "value": query.value},
        "registry": _network_json(network) if network else None,
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
