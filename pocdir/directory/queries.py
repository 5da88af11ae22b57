"""Reading the directory: one version of it whole, lists of teams, what each source says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, select
from sqlalchemy.orm import Session

from pocdir.core.errors import NotFound
from pocdir.db import db
from pocdir.directory import rules
from pocdir.directory.models import (
    Address,
    Channel,
    DirectoryVersion,
    Responsibility,
    Source,
    Team,
    TeamFact,
)

Line = Row[*tuple[Any, ...]]
PUBLIC = frozenset({"public"})
EVERYBODY = frozenset(rules.AUDIENCES)

_T, _F, _A, _C, _R, _S = (
    model.__table__.c for model in (Team, TeamFact, Address, Channel, Responsibility, Source)
)
TEAMS = select(
    _T.id, _T.slug, _T.name, _T.short_name, _T.kind, _T.country, _T.website, _T.languages, _T.timezone,
    _T.host_kind, _T.memberships, _T.lead, _T.retired_at, _T.confirmed_at, _T.created_at, _T.updated_at,
    _T.revision,
)  # fmt: skip
_CHANNELS = (
    select(
        _C.team_id, _A.kind, _A.value, _C.purpose, _C.preference, _A.state, _A.state_since, _A.evidence,
        _C.openpgp_fingerprint, _C.audience, _C.origin, _S.name, _C.as_of, _C.confidence,
        _S.kind.label("class"), _C.withdrawn,
    )
    .join(Address.__table__, _C.address_id == _A.id)
    .join(Source.__table__, _C.source_id == _S.id)
)  # fmt: skip
_RESPONSIBILITIES = select(
    _R.team_id, _R.key, _R.value, _R.role, _R.rank, _R.origin, _S.name, _R.as_of, _R.valid_from, _R.valid_to,
    _R.confidence, _S.kind.label("class"), _R.withdrawn,
).join(Source.__table__, _R.source_id == _S.id)  # fmt: skip
_FACTS = select(
    _F.team_id, _F.field, _F.value, _F.origin, _S.name.label("source"), _S.url, _F.as_of, _F.confidence,
    _S.kind.label("class"), _F.recorded_at,
).join(Source.__table__, _F.source_id == _S.id)  # fmt: skip


class Entry(NamedTuple):
    """A team's own columns with the channels and responsibilities in force."""

    team: Line
    channels: list[rules.Channel]
    responsibilities: list[rules.Responsibility]


def directory_version() -> str:
    """The number that every change raises, as text; "0" for a directory that nobody has filled."""
    number = db.session().connection().execute(select(DirectoryVersion.__table__.c.number)).scalar()
    return str(number or 0)


def snapshot() -> rules.Directory:
    """The whole directory in force, immutable: teams by slug, their channels in the order to be tried."""
    version = directory_version()  # before the rows: what changes meanwhile has a higher number
    return rules.Directory(
        version,
        tuple(
            rules.Team(
                slug=team.slug,
                name=team.name,
                short_name=team.short_name,
                kind=team.kind,
                country=team.country,
                website=team.website,
                languages=tuple(team.languages),
                timezone=team.timezone,
                host_kind=team.host_kind,
                channels=tuple(channels),
                responsibilities=tuple(responsibilities),
            )
            for team, channels, responsibilities in entries()
        ),
    )


def entries(
    where: Sequence[ColumnElement[bool]] = (),
    *,
    audiences: Collection[str] = EVERYBODY,
    order: Any = Team.slug,
    limit: int | None = None,
) -> list[Entry]:
    """Teams that are not retired (with `where`: those it names), with what is in force of them."""
    connection = db.session().connection()
    statement = TEAMS.where(*(where or (_T.retired_at.is_(None),))).order_by(order).limit(limit)
    teams = connection.execute(statement).all()
    some = [team.id for team in teams] if where or limit else None
    channels = channels_of(some, audiences)
    responsibilities = _responsibilities(some)
    return [Entry(team, channels.get(team.id, []), responsibilities.get(team.id, [])) for team in teams]


def entry(slug: str, *, audiences: Collection[str] = PUBLIC) -> Entry:
    """One team, also a retired one; raises NotFound `team_unknown`."""
    found = entries([_T.slug == slug], audiences=audiences)
    if not found:
        raise NotFound("team_unknown", "no team has this name here")
    return found[0]


def team_by_slug(slug: str, session: Session | None = None, *, lock: bool = False) -> Team:
    """The row of a team; raises NotFound `team_unknown`."""
    statement = select(Team).where(Team.slug == slug)
    team = (session or db.session()).execute(statement.with_for_update() if lock else statement).scalar()
    if team is None:
        raise NotFound("team_unknown", "no team has this name here")
    return team


def facts_of(slug: str) -> list[dict[str, Any]]:
    """What every source says of a team's own columns, the one that stands (`in_force`) first."""
    rows = db.session().connection().execute(
        _FACTS.join(Team.__table__, _F.team_id == _T.id).where(_T.slug == slug)
    )  # fmt: skip
    ordered = sorted(rows, key=lambda row: (row.field, _fact_order(row)))
    first = rules.in_force(ordered, lambda row: row.field, _fact_order)
    return [
        {
            "field": row.field, "value": row.value, "source": row.source, "url": row.url, "as_of": row.as_of,
            "origin": row.origin, "confidence": row.confidence, "recorded_at": row.recorded_at,
            "in_force": first[row.field] is row,
        }
        for row in ordered
    ]  # fmt: skip


def source_urls() -> dict[str, str | None]:
    """Where each source is to be read, by its name."""
    rows = db.session().connection().execute(select(_S.name, _S.url))
    return {row.name: row.url for row in rows}


def addresses(spellings: Collection[str]) -> list[Line]:
    """The addresses of any kind with one of these values."""
    chosen = select(Address.__table__).where(_A.value.in_(spellings))
    return list(db.session().connection().execute(chosen))


def exported() -> tuple[list[dict[str, Any]], str]:
    """Every team in force in pocdir-json's shape, by slug, and the newest date of any of their sources."""
    facts: dict[int, list[Line]] = {}
    for fact in db.session().connection().execute(_FACTS):
        facts.setdefault(fact.team_id, []).append(fact)
    teams, dates = [], [""]
    for it in entries():
        said = rules.in_force(facts.get(it.team.id, []), lambda row: row.field, _fact_order).values()
        for rows in (said, it.channels, it.responsibilities):
            dates += [row.as_of for row in rows]
        confidence = min((row.confidence for row in said), key=rules.CONFIDENCES.index, default="medium")
        teams.append(_exported(it, confidence))
    return teams, max(dates)


def _exported(it: Entry, confidence: str) -> dict[str, Any]:
    facts = ("slug", "name", "short_name", "kind", "country", "website", "languages", "timezone", "host_kind")
    channel = ("kind", "value", "purpose", "preference", "openpgp_fingerprint", "audience", "confidence")
    responsibility = ("key", "value", "role", "rank", "valid_from", "valid_to", "confidence")
    return {
        **{name: getattr(it.team, name) for name in facts},
        "confidence": confidence,
        "memberships": it.team.memberships,
        "channels": [
            {name: getattr(row, name) for name in channel}
            for row in sorted(it.channels, key=lambda c: (c.preference, c.kind, c.value, c.purpose))
        ],
        "responsibilities": [
            {name: getattr(row, name) for name in responsibility} for row in it.responsibilities
        ],
    }


def channels_of(teams: Sequence[int] | None, audiences: Collection[str]) -> dict[int, list[rules.Channel]]:
    """The channels in force by team, in the order to be tried."""
    first = rules.in_force(_of_teams(_CHANNELS, _C.team_id, teams), _channel_identity, _channel_order)
    found: dict[int, list[rules.Channel]] = {}
    for row in sorted(first.values(), key=lambda row: (row[4], _channel_order(row), row[1], row[2])):
        team, *values, _class, withdrawn = row
        if withdrawn or row.audience not in audiences:
            continue
        since = values[5]
        values[5] = since.date().isoformat() if since else None
        found.setdefault(team, []).append(rules.Channel(*values))
    return found


def _responsibilities(teams: Sequence[int] | None) -> dict[int, list[rules.Responsibility]]:
    rows = _of_teams(_RESPONSIBILITIES, _R.team_id, teams)
    first = rules.in_force(rows, lambda row: row[:4], _responsibility_order)
    found: dict[int, list[rules.Responsibility]] = {}
    for row in sorted(first.values(), key=_natural):
        team, *values, _class, withdrawn = row
        if not withdrawn:
            found.setdefault(team, []).append(rules.Responsibility(*values))
    return found


def _natural(row: Line) -> tuple[Any, ...]:
    return row[1], int(row[2]) if row[1] == "asn" else 0, row[2], row[3]


def _channel_identity(row: Line) -> Any:
    return row[:4]


def _channel_order(row: Line) -> tuple[Any, ...]:
    return rules.precedence(row[10], row[13], row[14], row[12], row[11])


def _responsibility_order(row: Line) -> tuple[Any, ...]:
    return rules.precedence(row[5], row[10], row[11], row[7], row[6])


def _fact_order(row: Line) -> tuple[Any, ...]:
    return rules.precedence(row.origin, row.confidence, row[8], row.as_of, row.source)


def _of_teams(statement: Select[Any], column: Any, teams: Sequence[int] | None) -> Iterator[Line]:
    connection = db.session().connection()
    if teams is None:
        yield from connection.execute(statement)
        return
    for start in range(0, len(teams), 500):
        yield from connection.execute(statement.where(column.in_(teams[start : start + 500])))
