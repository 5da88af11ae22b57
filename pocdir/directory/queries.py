"""Reading the directory: one version of it whole, lists of teams, what each source says."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session, aliased

from pocdir.core import times
from pocdir.core.errors import Invalid, NotFound
from pocdir.db import Line, db
from pocdir.directory.keys.pinned import pinned as pinned_keys
from pocdir.directory.keys.rules import pinned_on
from pocdir.directory.models import Address, DirectoryVersion, Team
from pocdir.directory.parts import is_part_of as is_part_of
from pocdir.directory.parts import merged as merged
from pocdir.directory.parts import slugs_of as slugs_of
from pocdir.directory.parts import standing_slug as standing_slug
from pocdir.directory.projection import MISSING
from pocdir.directory.reading import NOW, Reading
from pocdir.directory.reading import reading as reading_at
from pocdir.directory.rules import record as rules

PUBLIC = frozenset({"public"})
EVERYBODY = frozenset(rules.AUDIENCES)
_NOT_THEN = "no team had this name here then"

_T = NOW.tables.teams.c
_A = NOW.tables.addresses.c
_S = NOW.tables.sources.c
_V = DirectoryVersion.__table__.c
# Columns of a row that are facts by themselves; every other fact is in the profile.
_COLUMN_FACTS = ("name", *MISSING)


class Entry(NamedTuple):
    """A team's own columns (its profile holds further facts) with the channels and responsibilities in force."""

    team: Line
    channels: list[rules.Channel]
    responsibilities: list[rules.Responsibility]


def directory_version() -> str:
    """The number that every change raises, as text; "0" for a directory that nobody has filled."""
    number = db.session().connection().execute(select(_V.number)).scalar()
    return str(number or 0)


def reading_of(as_of: str | None, *, now: dt.datetime) -> Reading:
    """How to read the directory as of what somebody asks for: a time with its zone, or a day, which stands for its end
    in UTC; nothing for the directory as it stands.

    Raises Invalid `as_of_invalid` for anything else, for the future, and for a time before the first that is kept.
    """
    if not as_of:
        return NOW
    try:
        at = times.moment(as_of) if "T" in as_of else _end_of(dt.date.fromisoformat(as_of))
    except (Invalid, ValueError):
        raise _no_time("a day is right, such as 2026-06-01, or a time with its zone") from None
    if at > now and at != _end_of(now.date()):
        raise _no_time("lies in the future")
    kept_from = db.session().connection().execute(select(_V.kept_from)).scalar()
    if kept_from is not None and at < kept_from:
        since = times.isoformat(kept_from.replace(microsecond=0))
        raise _no_time(f"what stood before {since} was not kept; the history tells what was changed")
    return reading_at(min(at, now))


def _end_of(day: dt.date) -> dt.datetime:
    return dt.datetime.combine(day, dt.time.max, dt.UTC)


def _no_time(message: str) -> Invalid:
    return Invalid("as_of_invalid", message, where="as_of")


def snapshot(reading: Reading = NOW) -> rules.Directory:
    """The whole directory in force, immutable: teams by slug, their channels in the order to be tried.

    As it stood at a moment: its version is that moment, with what was public then and is now, and no key as checked.
    """
    if reading.at is not None:
        found = entries(audiences=PUBLIC, reading=reading)
        return rules.Directory(times.isoformat(reading.at), tuple(map(_team, found)), merged(reading))
    version = directory_version()  # before the rows: what changes meanwhile has a higher number
    return rules.Directory(version, tuple(_team(it) for it in with_keys(entries(), pinned_keys())), merged())


def with_keys(found: Iterable[Entry], pinned: Mapping[int, Mapping[str, str]] | None = None) -> list[Entry]:
    """The same with the fingerprints that are pinned here ({team: {address: fingerprint}}) on their mail addresses."""
    some = list(found)
    standing = pinned_keys([it.team.id for it in some]) if pinned is None else pinned
    return [it._replace(channels=pinned_on(it.channels, standing.get(it.team.id, {}))) for it in some]


def _team(it: Entry) -> rules.Team:
    team, profile = it.team, it.team.profile
    return rules.Team(
        slug=team.slug,
        name=team.name,
        short_name=team.short_name,
        kind=team.kind,
        country=team.country,
        website=team.website,
        languages=tuple(team.languages),
        timezone=team.timezone,
        host_kind=team.host_kind,
        opt_outs=tuple(profile.get("opt_outs", ())),
        parent=team.parent,
        business_hours=profile.get("business_hours"),
        reception=rules.reception(profile),
        channels=tuple(it.channels),
        responsibilities=tuple(it.responsibilities),
    )


def entries(
    where: Sequence[ColumnElement[bool]] = (),
    *,
    audiences: Collection[str] = EVERYBODY,
    order: Any = None,
    limit: int | None = None,
    reading: Reading = NOW,
) -> list[Entry]:
    """Teams that are not retired (with `where`, over the tables of `reading`: those it names), and what is in force.

    Of an older directory nobody sees a channel that is kept from him in the one that stands.
    """
    connection = db.session().connection()
    of = reading.tables.teams.c
    ordered = of.slug if order is None else order
    statement = reading.teams.where(*(where or (of.retired_at.is_(None),))).order_by(ordered).limit(limit)
    teams = connection.execute(statement).all()
    some = [team.id for team in teams] if where or limit else None
    channels = channels_of(some, audiences, reading=reading)
    responsibilities = _responsibilities(some, reading)
    return [Entry(team, channels.get(team.id, []), responsibilities.get(team.id, [])) for team in teams]


def entry(slug: str, *, audiences: Collection[str] = PUBLIC, reading: Reading = NOW) -> Entry:
    """One team, also a retired one, also by the slug of an entry that is part of it; raises NotFound `team_unknown`."""
    slug = standing_slug(slug, reading=reading)
    found = entries([reading.tables.teams.c.slug == slug], audiences=audiences, reading=reading)
    if not found:
        raise NotFound("team_unknown", "no team has this name here" if reading.at is None else _NOT_THEN)
    return found[0]


def said(team: Line) -> dict[str, Any]:
    """Every fact in force of a team by its field; null or an empty list where nobody says one."""
    from pocdir.directory.formats.profile import FACTS  # the checks of a file's values: not for a lookup

    columns = {name: getattr(team, name) for name in _COLUMN_FACTS}
    missing: dict[str, Any] = {name: [] if name in rules.LIST_FACTS else None for name in FACTS}
    return {**missing, **team.profile, **columns}


def team_by_slug(slug: str, session: Session | None = None, *, lock: bool = False) -> Team:
    """The row of a team, that of the whole where the slug is of a part of it; raises NotFound `team_unknown`."""
    part, asked = aliased(Team), Team.slug == slug
    statement = select(Team).where(
        asked & Team.merged_into_id.is_(None)
        | Team.id.in_(select(part.merged_into_id).where(part.slug == slug))
    )
    team = (session or db.session()).execute(statement.with_for_update() if lock else statement).scalar()
    if team is None:
        raise NotFound("team_unknown", "no team has this name here")
    return team


def facts_of(slug: str, *, reading: Reading = NOW) -> list[dict[str, Any]]:
    """What every source says of a team's own columns, the one that stands (`in_force`) first."""
    teams = reading.tables.teams
    rows = db.session().connection().execute(
        reading.facts.where(_among(teams.c, select(teams.c.id).where(teams.c.slug == slug)))
    )  # fmt: skip
    ordered = sorted(rows, key=lambda row: (row.field, _fact_order(row)))
    first = rules.facts_in_force(ordered, _fact_order, _teller)
    facts = [
        {
            "field": row.field, "value": row.value, "source": row.source, "url": row.url, "as_of": row.as_of,
            "origin": row.origin, "confidence": row.confidence, "recorded_at": row.recorded_at,
            "since": row.since, "in_force": first.get(row.field) is row,
        }
        for row in ordered
    ]  # fmt: skip
    return sorted(facts, key=lambda fact: (fact["field"], not fact["in_force"]))


def tellers(team_id: int, *, reading: Reading = NOW) -> dict[tuple[str, ...], list[Line]]:
    """What each source says of a team's channels and responsibilities, by their identity, the one in force first.

    An identity is (kind, value, purpose) or (key, value, role); also those that a steward withdrew.
    """
    found: dict[tuple[str, ...], list[Line]] = {}
    for rows, order in (
        (reading.channels, _channel_order), (reading.responsibilities, _responsibility_order),
    ):  # fmt: skip
        for row in sorted(_of_teams(rows, reading, [team_id]), key=order):
            found.setdefault(tuple(row[1:4]), []).append(row)
    return found


def family(team: Line, *, reading: Reading = NOW) -> tuple[Line | None, list[Line]]:
    """(slug, name) of the team above, None where nobody names one that we know, and of those below, by name."""
    of = reading.tables.teams.c
    pair, connection = select(of.slug, of.name), db.session().connection()
    parent = standing_slug(team.parent, reading=reading) if team.parent else None
    above = connection.execute(pair.where(of.slug == parent)).first() if parent else None
    ours = slugs_of(team.slug, reading=reading)
    below = pair.where(of.parent.in_(ours), of.retired_at.is_(None)).order_by(of.folded_name)
    return above, list(connection.execute(below))


def source_urls() -> dict[str, str | None]:
    """Where each source is to be read, by its name."""
    rows = db.session().connection().execute(select(_S.name, _S.url))
    return {row.name: row.url for row in rows}


def addresses(spellings: Collection[str]) -> list[Line]:
    """The addresses of any kind with one of these values."""
    chosen = select(Address.__table__).where(_A.value.in_(spellings))
    return list(db.session().connection().execute(chosen))


class Exported(NamedTuple):
    """Teams in pocdir-json's shape, by slug; the newest date of their sources, of all and of each."""

    teams: list[dict[str, Any]]
    as_of: str
    dates: dict[str, str]


def exported(at: dt.datetime | None = None) -> tuple[list[dict[str, Any]], str]:
    """Every team in force (at a moment) in pocdir-json's shape, by slug, and the newest date of their sources."""
    whole = exported_with_dates(at)
    return whole.teams, whole.as_of


def exported_with_dates(
    at: dt.datetime | None = None,
    *,
    audiences: Collection[str] = EVERYBODY,
    passes: Callable[[Entry], Entry] = lambda it: it,
) -> Exported:
    """The same for some audiences, each team as `passes` leaves it."""
    reading = reading_at(at)
    facts: dict[int, list[Line]] = {}
    for fact in db.session().connection().execute(reading.facts):
        facts.setdefault(fact.team_id, []).append(fact)
    teams, dates = [], {}
    for it in map(passes, entries(audiences=audiences, reading=reading)):
        said = rules.facts_in_force(facts.get(it.team.id, []), _fact_order, _teller).values()
        rows: tuple[Any, ...] = (*said, *it.channels, *it.responsibilities)
        dates[it.team.slug] = max((row.as_of for row in rows), default="")
        confidence = min((row.confidence for row in said), key=rules.CONFIDENCES.index, default="medium")
        teams.append(_exported(it, confidence))
    return Exported(teams, max(dates.values(), default=""), dates)


def _exported(it: Entry, confidence: str) -> dict[str, Any]:
    channel = (
        "kind",
        "value",
        "purpose",
        "preference",
        "openpgp_fingerprint",
        "audience",
        "hours",
        "confidence",
    )
    responsibility = ("key", "value", "role", "rank", "valid_from", "valid_to", "confidence")
    return {
        "slug": it.team.slug,
        **said(it.team),
        "confidence": confidence,
        "channels": [
            {name: getattr(row, name) for name in channel}
            for row in sorted(it.channels, key=lambda c: (c.preference, c.kind, c.value, c.purpose))
        ],
        "responsibilities": [
            {name: getattr(row, name) for name in responsibility} for row in it.responsibilities
        ],
    }


def channels_of(
    teams: Sequence[int] | None, audiences: Collection[str], *, reading: Reading = NOW
) -> dict[int, list[rules.Channel]]:
    """The channels in force by team, in the order to be tried."""
    rows = _of_teams(reading.channels, reading, teams)
    first = rules.in_force(rows, _channel_identity, _channel_order)
    kept = hidden(teams, audiences) if reading.at is not None else set()
    found: dict[int, list[rules.Channel]] = {}
    for row in sorted(first.values(), key=lambda row: (row[4], _channel_order(row), row[1], row[2])):
        team, *values, _class, withdrawn, _part = row
        if withdrawn or row.audience not in audiences or row[:3] in kept:
            continue
        values[5], values[13] = _day(values[5]), _day(values[13])
        found.setdefault(team, []).append(rules.Channel(*values))
    return found


def hidden(teams: Sequence[int] | None, audiences: Collection[str]) -> set[tuple[Any, ...]]:
    """(team, kind, value) of addresses that stand for other audiences than these."""
    rows = list(_of_teams(NOW.channels, NOW, teams))
    first = rules.in_force(rows, _channel_identity, _channel_order).values()
    stands = {tuple(row[:3]): False for row in first}
    for row in first:
        stands[tuple(row[:3])] |= row.audience in audiences
    return {address for address, seen in stands.items() if not seen}


def _responsibilities(teams: Sequence[int] | None, reading: Reading) -> dict[int, list[rules.Responsibility]]:
    rows = _of_teams(reading.responsibilities, reading, teams)
    first = rules.in_force(rows, lambda row: row[:4], _responsibility_order)
    found: dict[int, list[rules.Responsibility]] = {}
    for row in sorted(first.values(), key=_natural):
        team, *values, _class, withdrawn, _part = row
        if not withdrawn:
            values[10] = _day(values[10])
            found.setdefault(team, []).append(rules.Responsibility(*values))
    return found


def _day(at: dt.datetime | None) -> str | None:
    return at.date().isoformat() if at else None


def _teller(row: Line) -> tuple[str, str]:
    return row.source, row.origin


def _natural(row: Line) -> tuple[Any, ...]:
    return row[1], int(row[2]) if row[1] == "asn" else 0, row[2], row[3]


def _channel_identity(row: Line) -> Any:
    return row[:4]


def _channel_order(row: Line) -> tuple[Any, ...]:
    return rules.precedence(row[10], row[13], row[16], row[12], row[11]) + _own_first(row)


def _responsibility_order(row: Line) -> tuple[Any, ...]:
    return rules.precedence(row[5], row[10], row[12], row[7], row[6]) + _own_first(row)


def _fact_order(row: Line) -> tuple[Any, ...]:
    return rules.precedence(row.origin, row.confidence, row[8], row.as_of, row.source) + _own_first(row)


def _own_first(row: Line) -> tuple[Any, ...]:
    """Of two entries of one team, said alike by one source, the one that the team goes by."""
    return row[-1] != row[0], row[-1]


def _among(team: Any, ids: Any) -> ColumnElement[bool]:
    return or_(team.id.in_(ids), team.merged_into_id.in_(ids))


def _of_teams(statement: Select[Any], reading: Reading, teams: Sequence[int] | None) -> Iterator[Line]:
    connection = db.session().connection()
    if teams is None:
        yield from connection.execute(statement)
        return
    for start in range(0, len(teams), 500):
        some = teams[start : start + 500]
        yield from connection.execute(statement.where(_among(reading.tables.teams.c, some)))
