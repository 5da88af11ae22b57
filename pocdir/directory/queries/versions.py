"""Which version of the directory stands, which day is asked for, and a version whole, for the index."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select

from pocdir.core import times
from pocdir.core.errors import Invalid
from pocdir.db import db
from pocdir.directory.keys.pinned import pinned as pinned_keys
from pocdir.directory.models import DirectoryVersion
from pocdir.directory.queries.entries import PUBLIC, Entry, entries, with_keys
from pocdir.directory.queries.parts import merged
from pocdir.directory.queries.reading import NOW, Reading
from pocdir.directory.queries.reading import reading as reading_at
from pocdir.directory.rules import record as rules

_V = DirectoryVersion.__table__.c


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
