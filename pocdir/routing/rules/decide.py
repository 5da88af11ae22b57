"""From candidates to contacts: who is ruled out, in which order the others stand, and in which role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pocdir.core.text import Phrase
from pocdir.routing.rules.contacts import Contact, Decision, Rejected
from pocdir.routing.rules.gather import Reached
from pocdir.routing.rules.index import Candidate, Index
from pocdir.routing.rules.order import positions

MOST_SPECIFIC = {"prefix": Phrase("most specific prefix"), "domain": Phrase("most specific domain")}
LESS_SPECIFIC = {"prefix": Phrase("less specific prefix"), "domain": Phrase("parent domain")}
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
    order = positions(wish.kind_of_report)
    chosen: Chosen = {}
    rejected: dict[str, Rejected] = {}
    for candidate, reason in sorted(candidates, key=lambda reached: _rank(reached[0], order, wish.purpose)):
        team = candidate.desk.team
        obstacle = _obstacle(candidate, wish)
        if obstacle is None:
            chosen.setdefault(team.slug, []).append((candidate, reason))
        else:
            rejected.setdefault(team.slug, Rejected(team, candidate.basis, obstacle))
    notes = _about_countries(index, countries, chosen, wish)
    if rejected and not chosen and not notes:
        notes = [ALL_RULED_OUT]
    return Decision(
        _contacts(chosen, wish.purpose),
        tuple(out for slug, out in rejected.items() if slug not in chosen),
        tuple(notes),
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


def _obstacle(candidate: Candidate, wish: Wish) -> Phrase | None:
    """Why this candidate may not be written to, None when it may."""
    team = candidate.desk.team
    if team.slug in wish.exclude_teams:
        return Phrase("excluded by the asker: this team")
    if team.country in wish.exclude_countries:
        return Phrase("excluded by the asker: host country %(code)s", code=team.country or "")
    if team.host_kind in wish.exclude_hosts:
        return Phrase("excluded by the asker: hosted by %(kind)s", kind=team.host_kind or "")
    kind = wish.kind_of_report
    if kind and not {kind, kind.partition("/")[0]}.isdisjoint(team.opt_outs):
        return Phrase("opted out of reports on %(kind)s", kind=kind)
    obstacle = candidate.desk.reach[wish.purpose].obstacle
    if obstacle:
        return obstacle
    if candidate.valid_to <= wish.today:
        return Phrase("expired on %(day)s", day=candidate.valid_to)
    if candidate.valid_from > wish.today:
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
        elif all(not c.desk.team.channels for c in national):
            names = ", ".join(dict.fromkeys(c.desk.team.name for c in national))
            notes.append(
                Phrase(
                    "the national PoC of %(code)s is known by name, no address is: %(teams)s",
                    code=code,
                    teams=names,
                )
            )
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
