"""Teams as they are in force, each with its channels and responsibilities: one by its slug, or many."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, aliased

from pocdir.core.errors import NotFound
from pocdir.db import Line, db
from pocdir.directory.keys.pinned import pinned as pinned_keys
from pocdir.directory.keys.rules import pinned_on
from pocdir.directory.models import Address, Team
from pocdir.directory.queries.in_force import channels_of, responsibilities_of
from pocdir.directory.queries.parts import slugs_of, standing_slug
from pocdir.directory.queries.reading import NOW, Reading
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.record import MISSING

PUBLIC = frozenset({"public"})
EVERYBODY = frozenset(rules.AUDIENCES)
_NOT_THEN = "no team had this name here then"

_T = NOW.tables.teams.c
_A = NOW.tables.addresses.c
# Columns of a row that are facts by themselves; every other fact is in the profile.
_COLUMN_FACTS = ("name", *MISSING)


class Entry(NamedTuple):
    """A team's own columns (its profile holds further facts) with the channels and responsibilities in force."""

    team: Line
    channels: list[rules.Channel]
    responsibilities: list[rules.Responsibility]


def with_keys(found: Iterable[Entry], pinned: Mapping[int, Mapping[str, str]] | None = None) -> list[Entry]:
    """Entries with the fingerprints that are pinned here ({team: {address: fingerprint}}) on their mail addresses."""
    some = list(found)
    standing = pinned_keys([it.team.id for it in some]) if pinned is None else pinned
    return [it._replace(channels=pinned_on(it.channels, standing.get(it.team.id, {}))) for it in some]


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
    responsibilities = responsibilities_of(some, reading)
    return [Entry(team, channels.get(team.id, []), responsibilities.get(team.id, [])) for team in teams]


def entry(slug: str, *, audiences: Collection[str] = PUBLIC, reading: Reading = NOW) -> Entry:
    """One team, also a retired one, also by the slug of an entry that is part of it; raises NotFound `team_unknown`."""
    slug = standing_slug(slug, reading=reading)
    found = entries([reading.tables.teams.c.slug == slug], audiences=audiences, reading=reading)
    if not found:
        raise NotFound("team_unknown", "no team has this name here" if reading.at is None else _NOT_THEN)
    return found[0]


def has_web_form(slug: str) -> bool:
    """Whether a team can be told over a web form that works; raises NotFound `team_unknown`."""
    found = entry(slug, audiences=EVERYBODY)
    return any(it.kind == "form" and it.state not in rules.DEAD_STATES for it in found.channels)


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


def family(team: Line, *, reading: Reading = NOW) -> tuple[Line | None, list[Line]]:
    """(slug, name) of the team above, None where nobody names one that we know, and of those below, by name."""
    of = reading.tables.teams.c
    pair, connection = select(of.slug, of.name), db.session().connection()
    parent = standing_slug(team.parent, reading=reading) if team.parent else None
    above = connection.execute(pair.where(of.slug == parent)).first() if parent else None
    ours = slugs_of(team.slug, reading=reading)
    below = pair.where(of.parent.in_(ours), of.retired_at.is_(None)).order_by(of.folded_name)
    return above, list(connection.execute(below))


def addresses(spellings: Collection[str]) -> list[Line]:
    """The addresses of any kind with one of these values."""
    chosen = select(Address.__table__).where(_A.value.in_(spellings))
    return list(db.session().connection().execute(chosen))
