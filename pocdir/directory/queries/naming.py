"""Which team of the directory a record of somebody else's list speaks of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid
from pocdir.core.text import fold
from pocdir.directory.formats import values
from pocdir.directory.formats.outside import registrable
from pocdir.directory.formats.records import TeamRecord
from pocdir.directory.models import Responsibility, Team, TeamFact
from pocdir.directory.queries import parts
from pocdir.directory.rules.record import Key, Statement

# What a team is called by somebody who keeps a register of teams: it stays when the name changes.
IDS = ("first_id", "ripe_org", "misp_uuid")


@dataclass(slots=True)
class Known:
    """The teams there are, by what a record may name them with."""

    taken: set[str] = field(default_factory=set)
    by_name: dict[str, list[tuple[str | None, str]]] = field(default_factory=dict)
    by_domain: dict[str, set[str]] = field(default_factory=dict)
    by_id: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    called: dict[tuple[str, str | None], str] = field(default_factory=dict)  # by this source, the last time
    whole: dict[str, str] = field(
        default_factory=dict
    )  # the slug of an entry -> that of the team it is part of
    told: frozenset[str] = frozenset()  # whose facts this source gave the last time


def named(
    session: Session, given: Sequence[TeamRecord], before: Mapping[Key, Statement]
) -> dict[str, TeamRecord]:
    """The records by the slug of the team of which each speaks.

    Without a slug it is the team with one of its ids elsewhere (IDS), else the one that this source called so
    last, else the one of this name and country (a record without a country: the only one of this name), else the
    one whose website or domain it names, else a new one. A lead says nothing of a team that others know but its
    channels. Raises Invalid `record_invalid` for two records of one team, `team_ambiguous` for a domain of several and
    for a record that does not say whose it is.
    """
    known = _known(session, before, domains=any(record.domain for record in given))
    if any(it in record.facts for record in given for it in IDS):
        _by_id(session, known)
    there = frozenset(known.taken)
    found: dict[str, TeamRecord] = {}
    at: dict[str, int] = {}
    for position, record in enumerate(given):
        if record.slug is None and "name" not in record.facts:
            raise Invalid("team_ambiguous", "the file does not say whose it is; --team says so")
        slug = (
            record.slug
            or _slug_of(record, known)
            or free_slug(record.name, record.facts.get("country"), known.taken)
        )
        if slug in found:
            where = f"teams[{position}]"
            raise Invalid("record_invalid", f"is the same team as teams[{at[slug]}]", where=where)
        if record.lead and slug in there and slug not in known.told:
            record = replace(record, facts={})
        elif "name" not in record.facts and slug not in there:
            record = replace(record, facts={"name": slug, **record.facts})
        found[slug], at[slug] = record, position
        known.taken.add(slug)
    return found


def free_slug(name: str, country: str | None, taken: Collection[str]) -> str:
    """A slug that no team has: of the name, else with its country, else with a number."""
    base = values.slug_of(name)
    tries = [base, *([f"{base}-{country.lower()}"] if country else [])]
    return next(slug for slug in chain(tries, (f"{base}-{n}" for n in count(2))) if slug not in taken)


def _slug_of(record: TeamRecord, known: Known) -> str | None:
    name, country = fold(record.name), record.facts.get("country")
    theirs = {slug for it in IDS for slug in known.by_id.get((it, str(record.facts.get(it))), ())}
    if len(theirs) == 1:
        return next(iter(theirs))
    if (slug := known.called.get((name, country))) is not None:
        return slug
    same = {
        known.whole.get(slug, slug) for code, slug in known.by_name.get(name, ()) if country in (None, code)
    }
    if len(same) == 1:
        return same.pop()
    theirs = known.by_domain.get(record.domain or "", set())
    if len(theirs) > 1:
        several = ", ".join(sorted(theirs)[:5])
        raise Invalid("team_ambiguous", f"{record.domain} is the domain of {several}; --team says which")
    return next(iter(theirs), None)


def _known(session: Session, before: Mapping[Key, Statement], *, domains: bool) -> Known:
    known = Known(told=frozenset(key[1] for key in before if key[0] == "fact"))
    rows = session.connection().execute(
        select(Team.slug, Team.country, Team.name, Team.website, Team.retired_at).order_by(Team.id)
    )
    known.whole = {slug: into for slug, (into, _) in parts.merged().items()}
    sites: list[tuple[str, str]] = []
    for slug, country, name, website, retired_at in rows:
        known.taken.add(slug)
        known.by_name.setdefault(fold(name), []).append((country, slug))
        if domains and website and (retired_at is None or slug in known.whole):
            sites.append((slug, website))
    if domains:
        _by_domain(known, [*sites, *_domains(session)])
    for key, statement in before.items():
        if key[0] == "fact" and key[2] == "name":
            said = before.get(("fact", key[1], "country"))
            country = said.values["value"] if said else None
            known.called[fold(str(statement.values["value"])), country] = key[1]
    return known


def _by_id(session: Session, known: Known) -> None:
    chosen = select(Team.slug, TeamFact.field, TeamFact.value).join(Team, TeamFact.team_id == Team.id)
    stands = (TeamFact.field.in_(IDS), Team.retired_at.is_(None))
    for slug, name, value in session.connection().execute(chosen.where(*stands)):
        known.by_id.setdefault((name, str(value)), set()).add(slug)


def _domains(session: Session) -> Iterable[tuple[str, str]]:
    chosen = select(Team.slug, Responsibility.value).join(Team, Responsibility.team_id == Team.id)
    live = Team.retired_at.is_(None) | Team.merged_into_id.is_not(None)
    held = (Responsibility.key == "domain", live, Responsibility.withdrawn.is_(False))
    return [(slug, value) for slug, value in session.connection().execute(chosen.where(*held))]


def _by_domain(known: Known, places: Iterable[tuple[str, str]]) -> None:
    for slug, place in places:
        if domain := registrable(place):
            known.by_domain.setdefault(domain, set()).add(known.whole.get(slug, slug))
