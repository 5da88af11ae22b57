"""Which entries are read as which team: those that were merged into another."""

from __future__ import annotations

from sqlalchemy import select

from pocdir.db import db, table_of
from pocdir.directory.models import Team
from pocdir.directory.queries.reading import NOW, Reading

_T = table_of(Team).c


def standing_slug(slug: str, *, reading: Reading = NOW) -> str:
    """The slug of the team that an entry was merged into; the same one for every other, known or not."""
    of = reading.tables.teams.c
    other = reading.tables.teams.alias("wholes").c
    found = (
        select(other.slug).join(reading.tables.teams, of.merged_into_id == other.id).where(of.slug == slug)
    )
    return str(db.session().connection().execute(found).scalar() or slug)


def is_part_of(team_id: int, whole_id: int) -> bool:
    """Whether an entry is read as this team: it is the team's own, or was merged into it."""
    if team_id == whole_id:
        return True
    found = select(_T.id).where(_T.id == team_id, _T.merged_into_id == whole_id)
    return db.session().connection().execute(found).first() is not None


def slugs_of(slug: str, *, reading: Reading = NOW) -> list[str]:
    """The slug of a team, then those of the entries that are part of it."""
    return [slug, *sorted(it for it, into in _parts(reading).items() if into == slug)]


def merged(reading: Reading = NOW) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The entries that are part of a team, by their slugs: the team's slug, and how the entry was called."""
    of, other = reading.tables.teams.c, reading.tables.teams.alias("wholes").c
    chosen = select(of.slug, other.slug.label("into"), of.name, of.short_name)
    rows = chosen.join(reading.tables.teams, of.merged_into_id == other.id).order_by(of.slug)
    return {
        row.slug: (row.into, tuple(it for it in (row.name, row.short_name) if it))
        for row in db.session().connection().execute(rows)
    }


def _parts(reading: Reading) -> dict[str, str]:
    return {slug: into for slug, (into, _) in merged(reading).items()}
