"""From candidates to contacts: who is ruled out, in which order the others stand, and in which role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pocdir.core.text import Phrase
from pocdir.directory.rules.record import Team
from pocdir.routing.rules.contacts import Contact, Decision, Rejected
from pocdir.routing.rules.gather import Reached
from pocdir.routing.rules.index import Candidate, Index
from pocdir.routing.rules.order import Order, order_for, positions

MOST_SPECIFIC = {"prefix": Phrase("most specific prefix"), "domain": Phrase("most specific domain")}
LESS_SPECIFIC = {"prefix": Phrase("less specific prefix"), "domain": Phrase("parent domain")}
WITHOUT_DETAIL = Phrase("it hosts what is another's: told without detail")
ALL_RULED_OUT = Phrase("whoever is known for this is ruled out; the reasons stand beside")

Chosen = dict[str, list[Reached]]  # by slug, the best way first


class Wish(NamedTuple):
    """What the asker wants beside the indicator: resolve() describes the parts; `today` is an ISO date."""

    today: str
    purpose: str
    kind_of_report: str | None
    exclude_teams: frozenset[str]
    exclude_countries: frozenset[str]
    exclude_hosts: frozenset[str]


def decide(index: Index, candidates: Sequence[Reached], countries: tuple[str, ...], wish: Wish) -> Decision:
    """Sort, rule out, make one entry of each team; `countries` are those whose national PoC is meant."""
    places = positions(wish.kind_of_report)
    chosen: Chosen = {}
    rejected: dict[str, Rejected] = {}
    for candidate, reason in sorted(candidates, key=lambda reached: _rank(reached[0], places, wish.purpose)):
        team = candidate.indexed.team
        obstacle = _obstacle(candidate, wish)
        if obstacle is None:
            chosen.setdefault(team.slug, []).append((candidate, reason))
        else:
            rejected.setdefault(team.slug, Rejected(team, candidate.basis, obstacle))
    notes = _about_countries(index, countries, chosen, wish) + _about_hosts(chosen, wish)
    if rejected and not (chosen or notes):
        notes = [ALL_RULED_OUT]
    return Decision(
        _contacts(chosen, wish.purpose, order_for(wish.kind_of_report)),
        tuple(out for slug, out in rejected.items() if slug not in chosen),
        tuple(notes),
    )


def _rank(candidate: Candidate, places: Mapping[str, int], purpose: str) -> tuple[Any, ...]:
    """order.WITHIN, as a key to sort by."""
    return (
        places[candidate.place],
        candidate.size,
        candidate.before_state,
        candidate.indexed.reach[purpose].state,
        candidate.after_state,
    )


def _obstacle(candidate: Candidate, wish: Wish) -> Phrase | None:
    """Why this candidate may not be written to, None when it may."""
    team = candidate.indexed.team
    excluded = _excluded(team, wish)
    if excluded:
        return excluded
    kind = wish.kind_of_report
    if kind and not {kind, kind.partition("/")[0]}.isdisjoint(team.opt_outs):
        return Phrase("opted out of reports on %(kind)s", kind=kind)
    obstacle = candidate.indexed.reach[wish.purpose].obstacle
    if obstacle:
        return obstacle
    if candidate.valid_to <= wish.today:
        return Phrase("expired on %(day)s", day=candidate.valid_to)
    if candidate.valid_from > wish.today:
        return Phrase("not valid before %(day)s", day=candidate.valid_from)
    return None


def _excluded(team: Team, wish: Wish) -> Phrase | None:
    """Whether the asker does not want to write to this team, and why."""
    if team.slug in wish.exclude_teams:
        return Phrase("excluded by the asker: this team")
    if team.country in wish.exclude_countries:
        return Phrase("excluded by the asker: host country %(code)s", code=team.country or "")
    host = host_of(team)
    if host in wish.exclude_hosts:
        return Phrase("excluded by the asker: hosted by %(kind)s", kind=host or "")
    return None


def alternatives(index: Index, wish: Wish) -> list[Team]:
    """Coordinators who can be written to where nobody else is known, but not those excluded; by slug."""
    return [
        indexed.team
        for indexed in index.coordinators
        if indexed.reach[wish.purpose].channel and _excluded(indexed.team, wish) is None
    ]


def host_of(team: Team) -> str | None:
    """Who hosts a team, as is declared; a military team is the military's also where nobody declares it."""
    return team.host_kind or ("military" if team.kind == "military" else None)


def _contacts(chosen: Chosen, purpose: str, order: Order) -> tuple[Contact, ...]:
    sharpest: dict[str, int] = {}  # by key: the size of the most specific one that may be written to
    for pairs in chosen.values():
        best = pairs[0][0]
        sharpest[best.basis.key] = min(best.size, sharpest.get(best.basis.key, best.size))
    roles = [_role(rank, pairs[0][0]) for rank, pairs in enumerate(chosen.values(), 1)]
    last = max((rank for rank, role in enumerate(roles, 1) if role != "cc"), default=0)
    contacts = []
    for rank, (role, pairs) in enumerate(zip(roles, chosen.values(), strict=True), 1):
        best, reason = pairs[0]
        reach = best.indexed.reach[purpose]
        if reach.channel is None:  # an obstacle, so never among the chosen
            continue
        if reason is None:
            key = best.basis.key
            reason = (MOST_SPECIFIC if best.size == sharpest[key] else LESS_SPECIFIC)[key]
        reasons = [reason]
        hidden = best.place in order.without_detail
        if hidden:
            reasons.append(WITHOUT_DETAIL)
        if reach.remark:
            reasons.append(reach.remark)
        if len(pairs) > 1:
            reasons += _other_ways(pairs)
        after = None if role == "cc" or rank == last else order.try_next_after
        contacts.append(
            Contact(rank, role, best.indexed.team, reach.channel, best.basis, tuple(reasons), after, hidden)
        )
    return tuple(contacts)


def _role(rank: int, candidate: Candidate) -> str:
    if rank == 1:
        return "to"
    by_country = candidate.place in ("country", "country+sector")
    return "cc" if by_country or candidate.role == "cc" else "fallback"


def _other_ways(pairs: list[Reached]) -> list[Phrase]:
    """By what else the team is a candidate; what several sources say is one way."""
    first = pairs[0][0].basis
    ways = dict.fromkeys((c.basis.key, c.basis.value) for c, _ in pairs)
    del ways[first.key, first.value]
    return [Phrase("also by %(key)s %(value)s", key=key, value=value) for key, value in ways]


def _about_countries(index: Index, countries: tuple[str, ...], chosen: Chosen, wish: Wish) -> list[Phrase]:
    """Where no national PoC is known, and who might help instead; where one is known and ruled out."""
    notes = []
    missing = False
    for code in countries:
        national = [c for c in index.nationals.get(code, ()) if c.valid_from <= wish.today < c.valid_to]
        if not national:
            missing = True
            notes.append(Phrase("no national PoC known for %(code)s", code=code))
        elif all(not c.indexed.team.channels for c in national):
            names = ", ".join(dict.fromkeys(c.indexed.team.name for c in national))
            notes.append(
                Phrase(
                    "the national PoC of %(code)s is known by name, no address is: %(teams)s",
                    code=code,
                    teams=names,
                )
            )
        elif not any(c.indexed.team.slug in chosen for c in national):
            notes.append(Phrase("the national PoC of %(code)s is known and ruled out", code=code))
    if missing:
        neutral = [
            pairs[0][0].indexed.team.name
            for pairs in chosen.values()
            if any(candidate.place in ("coordinator", "global") for candidate, _ in pairs)
        ]
        neutral = neutral or [team.name for team in alternatives(index, wish)]
        if neutral:
            notes.append(Phrase("neutral alternatives: %(teams)s", teams=", ".join(neutral)))
    return notes


def _about_hosts(chosen: Chosen, wish: Wish) -> list[Phrase]:
    """Whom an exclusion by kind of host could not judge."""
    teams = [pairs[0][0].indexed.team for pairs in chosen.values()] if wish.exclude_hosts else []
    unknown = ", ".join(team.name for team in teams if host_of(team) is None)
    if not unknown:
        return []
    return [Phrase("who hosts them is not known here, so they are not left out: %(teams)s", teams=unknown)]
