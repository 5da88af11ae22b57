"""One version of the directory, arranged for lookups: immutable, shared by threads, replaced as a whole."""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Protocol

from pocdir.core.text import Phrase, fold
from pocdir.directory.rules.record import (
    CHANNEL_KINDS,
    DEAD_STATES,
    PURPOSES,
    Channel,
    Directory,
    Responsibility,
    Team,
)
from pocdir.routing.rules.addresses import Span, parse_span
from pocdir.routing.rules.order import ORIGIN_ORDER, PURPOSE_ORDER, ROLE_ORDER, STATE_ORDER
from pocdir.routing.rules.own_domains import own_domains

PUBLIC = frozenset({"public"})


class RegistryEntry(Protocol):
    """What a registry says of one address."""

    @property
    def prefix(self) -> str | None: ...
    @property
    def asn(self) -> int | None: ...
    @property
    def holder(self) -> str | None: ...
    @property
    def registered(self) -> str | None: ...
    @property
    def located(self) -> str | None: ...
    @property
    def asn_country(self) -> str | None: ...
    @property
    def as_of(self) -> str: ...


class AsnEntry(Protocol):
    """What a registry says of one AS number."""

    @property
    def holder(self) -> str | None: ...
    @property
    def asn_country(self) -> str | None: ...
    @property
    def registered_countries(self) -> tuple[str, ...]: ...


class Registry(Protocol):
    """One version of the registry data."""

    @property
    def version(self) -> str: ...
    @property
    def as_of(self) -> str: ...
    @property
    def attributions(self) -> tuple[Any, ...]: ...
    def at(self, family: int, number: int, /) -> RegistryEntry | None: ...
    def asn(self, number: int, /) -> AsnEntry | None: ...


@dataclass(frozen=True, slots=True)
class Basis:
    """Why a team is a candidate: what it answers for, and who says so."""

    key: str
    value: str
    origin: str
    source: str
    as_of: str


@dataclass(frozen=True, slots=True)
class Reach:
    """How a team is reached for one purpose: its channel, or why none."""

    channel: Channel | None
    state: int  # position in STATE_ORDER
    obstacle: Phrase | None
    remark: Phrase | None


@dataclass(frozen=True, slots=True, eq=False)
class IndexedTeam:
    """A team with what was worked out for it once: its reach for each purpose."""

    team: Team
    reach: Mapping[str, Reach]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Candidate:
    """One responsibility of one team, reached in one way (`place` of order.PLACES)."""

    indexed: IndexedTeam
    basis: Basis
    place: str
    size: int  # the smaller the more specific: addresses of a prefix, minus the labels of a domain
    span: Span | None
    role: str
    before_state: tuple[int, int]  # role, origin
    after_state: tuple[int, str, int]  # rank, slug, place among the team's own
    national: bool  # counts as the national PoC of its country
    valid_from: str
    valid_to: str


Candidates = tuple[Candidate, ...]
NOBODY: Candidates = ()


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """One family's space, cut where a responsibility begins or ends; in a piece the narrowest comes first."""

    starts: list[int]
    candidates: list[Candidates]

    def at(self, number: int) -> Candidates:
        """All whose prefix or range holds the address."""
        piece = bisect_right(self.starts, number) - 1
        return self.candidates[piece] if piece >= 0 else NOBODY

    def whole(self, first: int, last: int) -> bool:
        """Whether first and last lie in one piece, so that one answer holds for all between them."""
        return bisect_right(self.starts, first) == bisect_right(self.starts, last)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Index:
    """What resolve() reads: the candidates by each key that an indicator may have."""

    directory_version: str
    registry: Registry | None
    names: Mapping[str, tuple[str, ...]]  # folded slug, name, short name -> slugs; for indicator.parse
    indexed: Mapping[str, IndexedTeam]  # by slug
    teams: Mapping[str, Candidates]  # by slug: the team itself as the answer
    pieces: Mapping[int, Pieces]  # by family, 4 and 6
    domains: Mapping[str, Candidates]
    own_domains: Mapping[str, Candidates]  # of the teams themselves, a weak reason
    shared_domains: Mapping[str, str]  # of several teams, so of none: their names
    systems: Mapping[int, Candidates]
    countries: Mapping[str, Candidates]
    tlds: Mapping[str, Candidates]  # by country code: the same teams, weakly
    sectors: Mapping[str, Candidates]  # by `AT/energy`, and by `energy` alone
    tld_sectors: Mapping[str, Candidates]
    everywhere: Candidates
    nationals: Mapping[str, Candidates]  # by country code: those that count as its national PoC
    merged: Mapping[str, str] = field(
        default_factory=dict
    )  # the slug of an entry -> that of the team it is part of
    coordinators: tuple[IndexedTeam, ...] = ()  # teams of that kind, by slug: who takes reports for others
    notes: tuple[Phrase, ...] = ()  # what every answer says, such as the day of the directory
    decisions: dict[Any, Any] = field(default_factory=dict)  # resolve()'s memory; forgotten with the index

    @classmethod
    def build(
        cls, directory: Directory, registry: Registry | None, *, audiences: frozenset[str] = PUBLIC
    ) -> Index:
        """Arrange one version; only channels whose audience is among `audiences` are ever answered.

        Raises ValueError when a responsibility's value is not in its normal form.
        """
        teams = {team.slug: IndexedTeam(team, _reach(team, audiences)) for team in directory.teams}
        found: dict[str, list[Candidate]] = defaultdict(list)
        for indexed in teams.values():
            for number, row in enumerate(indexed.team.responsibilities):
                found[row.key].append(_candidate(indexed, row, number))
        own = own_domains(directory.teams, audiences)
        spans = found["prefix"]
        regions, sectors = found["country"], found["country+sector"]
        return cls(
            directory_version=directory.version,
            registry=registry,
            names=MappingProxyType(_names(directory)),
            indexed=MappingProxyType(teams),
            teams=_by_value(map(_by_name, teams.values())),
            pieces=MappingProxyType({family: _pieces(spans, family) for family in (4, 6)}),
            domains=_by_value(found["domain"]),
            own_domains=_by_value(_own(teams, own.own)),
            shared_domains=MappingProxyType({name: _listed(several) for name, several in own.shared.items()}),
            systems=MappingProxyType({int(asn): teams for asn, teams in _by_value(found["asn"]).items()}),
            countries=_by_value(regions),
            tlds=_by_value(_by_tld(regions)),
            sectors=_by_value(sectors + found["sector"]),
            tld_sectors=_by_value(_by_tld(sectors)),
            everywhere=tuple(found["global"]),
            nationals=_by_value(row for row in regions if row.national),
            merged=MappingProxyType({slug: into for slug, (into, _) in directory.merged.items()}),
            coordinators=tuple(
                indexed for _, indexed in sorted(teams.items()) if indexed.team.kind == "coordinator"
            ),
        )

    def indexed_team(self, slug: str) -> IndexedTeam | None:
        """The team of this slug, also of an entry that is part of it."""
        return self.indexed.get(self.merged.get(slug, slug))

    def slugs(self, slug: str) -> frozenset[str]:
        """By which this team is named: its own, and those of entries that are part of it."""
        whole = self.merged.get(slug, slug)
        return frozenset({whole, *(part for part, into in self.merged.items() if into == whole)})


def channels_for(team: Team, purpose: str, audiences: frozenset[str] = PUBLIC) -> tuple[Channel, ...]:
    """A team's channels for a purpose, the preferred one first; where it names none, those of PURPOSE_ORDER.

    Dead ones (bouncing, withdrawn) are among them: whoever writes takes the first that lives.
    """
    seen = [c for c in team.channels if c.audience in audiences]
    for served in PURPOSE_ORDER[purpose]:
        found = [c for c in seen if c.purpose == served]
        if found:
            return tuple(sorted(found, key=_preferred_first))
    return ()


def sector_key(sector: str, code: str | None = None) -> str:
    """How a sector is kept, alone or in a country: `energy`, `AT/energy`."""
    name = re.sub(r"[\s_]+", "-", sector.strip().lower())
    return f"{code}/{name}" if code else name


def _preferred_first(channel: Channel) -> tuple[int, int, int, int, str]:
    """order.CHANNELS, as a key to sort by."""
    dead = channel.state in DEAD_STATES
    return (
        channel.preference,
        len(STATE_ORDER) if dead else STATE_ORDER.index(channel.state),
        ORIGIN_ORDER.index(channel.origin),
        CHANNEL_KINDS.index(channel.kind),
        channel.value,
    )


def _reach(team: Team, audiences: frozenset[str]) -> Mapping[str, Reach]:
    return MappingProxyType(
        {purpose: _reach_for(channels_for(team, purpose, audiences), purpose) for purpose in PURPOSES}
    )


def _reach_for(channels: tuple[Channel, ...], purpose: str) -> Reach:
    if not channels:
        return Reach(None, 0, Phrase("no channel for the purpose %(purpose)s", purpose=purpose), None)
    live = next((c for c in channels if c.state not in DEAD_STATES), None)
    if live is None:
        return Reach(None, 0, _demotion(channels[0]), None)
    remark = None
    if live.confidence == "low":
        remark = Phrase("an unverified lead from a source of low confidence")
    elif live.purpose == "general" != purpose:
        remark = Phrase("a general address; none for the purpose %(purpose)s is known", purpose=purpose)
    elif live.purpose != purpose:
        remark = Phrase(
            "the address for incidents; none for the purpose %(purpose)s is known", purpose=purpose
        )
    return Reach(live, STATE_ORDER.index(live.state), None, remark)


def _demotion(channel: Channel) -> Phrase:
    on = channel.state_since[:10] if channel.state_since else None
    if channel.state == "bouncing":
        return Phrase("demoted: bounce on %(day)s", day=on) if on else Phrase("demoted: bounce")
    return Phrase("demoted: withdrawn on %(day)s", day=on) if on else Phrase("demoted: withdrawn")


def _place(team: Team, row: Responsibility) -> str:
    if row.key in ("prefix", "asn", "domain") and team.kind == "provider":
        return f"hosting {row.key}"
    if row.key == "domain" and team.kind == "vendor":
        return "vendor domain"
    return "coordinator" if row.key == "country" and row.role == "coordinator" else row.key


def _candidate(indexed: IndexedTeam, row: Responsibility, number: int) -> Candidate:
    span = parse_span(row.value) if row.key == "prefix" else None
    size = span.last - span.first + 1 if span else 0
    return Candidate(
        indexed=indexed,
        basis=Basis(row.key, row.value, row.origin, row.source, row.as_of),
        place=_place(indexed.team, row),
        size=-row.value.count(".") if row.key == "domain" else size,
        span=span,
        role=row.role,
        before_state=(ROLE_ORDER.index(row.role), ORIGIN_ORDER.index(row.origin)),
        after_state=(row.rank, indexed.team.slug, number),
        national=row.key == "country"
        and (row.role in ("national", "holder") or indexed.team.kind == "national"),
        valid_from=row.valid_from or "",
        valid_to=row.valid_to or "9999",
    )


def _by_name(indexed: IndexedTeam) -> Candidate:
    """The team itself; its basis is what says that the team can be reached."""
    channel = indexed.reach["incident"].channel
    said_by = (channel.origin, channel.source, channel.as_of) if channel else ("imported", "", "")
    slug = indexed.team.slug
    basis = Basis("team", slug, *said_by)
    return Candidate(
        indexed=indexed, basis=basis, place="team", size=0, span=None, role="holder", before_state=(0, 0),
        after_state=(0, slug, 0), national=False, valid_from="", valid_to="9999",
    )  # fmt: skip


def _listed(teams: Iterable[Team]) -> str:
    return ", ".join(sorted(team.name for team in teams))


def _own(teams: Mapping[str, IndexedTeam], shown: Mapping[str, tuple[Team, Channel]]) -> Iterable[Candidate]:
    """Each team by the domain that its mailbox and website show to be its own."""
    for name, (team, channel) in shown.items():
        row = Responsibility(
            "domain", name, "holder", 1, channel.origin, source=channel.source, as_of=channel.as_of
        )
        yield replace(_candidate(teams[team.slug], row, 0), place="own domain")


def _by_tld(rows: Iterable[Candidate]) -> list[Candidate]:
    """The same candidates, reached by the top level domain of their country; a sector is more specific."""
    return [
        replace(
            row,
            basis=replace(row.basis, key="tld"),
            place=row.place if row.place == "coordinator" else "tld",
            size=-1 if row.place == "country+sector" else 0,
        )
        for row in rows
    ]


def _by_value(rows: Iterable[Candidate]) -> Mapping[str, Candidates]:
    found: dict[str, list[Candidate]] = defaultdict(list)
    for row in rows:
        found[row.basis.value].append(row)
    return MappingProxyType({value: tuple(same) for value, same in found.items()})


def _names(directory: Directory) -> dict[str, tuple[str, ...]]:
    """A slug is its team's alone, whoever else has it as a name; a merged entry's slug and names are its team's."""
    found: dict[str, set[str]] = defaultdict(set)
    for into, called in directory.merged.values():
        for old in called:
            found[fold(old)].add(into)
    for team in directory.teams:
        for name in (team.name, team.short_name):
            if name:
                found[fold(name)].add(team.slug)
    names = {name: tuple(sorted(slugs)) for name, slugs in found.items()}
    names |= {fold(slug): (into,) for slug, (into, _) in directory.merged.items()}
    return names | {fold(team.slug): (team.slug,) for team in directory.teams}


def _pieces(rows: Iterable[Candidate], family: int) -> Pieces:
    """Sweep over the ends of all spans, the active ones kept sorted by size (partial overlaps allowed)."""
    opening: dict[int, list[Candidate]] = defaultdict(list)
    closing: dict[int, list[Candidate]] = defaultdict(list)
    for row in rows:
        if row.span and row.span.family == family:
            opening[row.span.first].append(row)
            closing[row.span.last + 1].append(row)
    starts = sorted(opening.keys() | closing.keys())
    active: list[Candidate] = []
    candidates = []
    for start in starts:
        for row in closing.get(start, ()):
            active.remove(row)
        for row in opening.get(start, ()):
            insort(active, row, key=lambda r: r.size)
        candidates.append(tuple(active))
    return Pieces(starts, candidates)
