"""The index that lookups are answered from: immutable, in memory, replaced when directory or registry change."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flask import Flask, current_app

from pocdir import db, running
from pocdir.core.errors import Invalid, Unavailable
from pocdir.core.loading import nothing_thrown_away
from pocdir.core.text import Phrase
from pocdir.directory.queries import versions
from pocdir.directory.rules.record import Directory
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.question import question as _question
from pocdir.routing.rules.registry import Registry, current_version
from pocdir.routing.rules.resolver import Index

_KEY = "pocdir.index"
_rebuilding = threading.Lock()
_PAST = "pocdir.past_indexes"
MOST_DAYS = 4
_looking_back = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Held:
    index: Index
    version: tuple[str, str | None]
    changes: int


def index() -> Index:
    """The index of the newest version that this process knows; no SQL unless it changed the directory since."""
    held: _Held | None = current_app.extensions.get(_KEY)
    if held is None or held.changes != db.changes("directory"):
        held = refresh(current_app._get_current_object())  # type: ignore[attr-defined]
    return held.index


def index_as_of(day: str | None, *, now: dt.datetime) -> tuple[Index, dt.date]:
    """The directory as it stood at the end of a day (UTC), and that day; without one, or today: as it stands.

    The registry is that of now, and each answer says so. The last few days asked for are kept.
    Raises Invalid `as_of_invalid`.
    """
    if not day:
        return index(), now.date()
    if "T" in day:
        raise Invalid("as_of_invalid", "a day is right, such as 2026-06-01", where="as_of")
    reading = versions.reading_of(day, now=now)
    if reading.at is None or reading.at >= now:
        return index(), now.date()
    known, kept = index(), current_app.extensions.setdefault(_PAST, {})
    key = (day, known.directory_version, known.registry.version if known.registry else None)
    with _looking_back:
        if key not in kept:
            while len(kept) >= MOST_DAYS:
                del kept[next(iter(kept))]
            kept[key] = _past(versions.snapshot(reading), known, day)
    return kept[key], reading.at.date()


def _past(stood: Directory, known: Index, day: str) -> Index:
    notes = [Phrase("the directory as it stood at the end of %(day)s", day=day)]
    if known.registry:
        notes.append(Phrase("the registry data is of %(day)s", day=known.registry.as_of))
    return replace(Index.build(stood, known.registry), notes=tuple(notes))


def question(known: Index, *, on: dt.date, **narrowed: Any) -> Question:
    """As rules.question.question, with the country that decides in this service: lookup and plan alike."""
    return _question(known, on=on, country_by=running.settings().registry_country, **narrowed)


def refresh(app: Flask) -> _Held:
    """Look for a newer directory or registry (of other processes too) and swap the index when there is one.

    Reads over a connection of its own: neither within the caller's transaction nor from before it.
    """
    with _rebuilding, app.app_context():  # a context has a session of its own
        changes = db.changes("directory")
        held: _Held | None = app.extensions.get(_KEY)
        folder = app.extensions["pocdir"].data / "registry"
        version = (versions.directory_version(), current_version(folder))
        if held is None or held.version != version:
            with nothing_thrown_away():
                built = Index.build(versions.snapshot(), _registry(folder, held))
            held = _Held(built, version, changes)
        else:
            held = _Held(held.index, version, changes)
        app.extensions[_KEY] = held
        return held


def _registry(folder: Path, held: _Held | None) -> Any:
    """The registry as published; where that is damaged, lookups go on from the one before, and the log says so.

    Raises Unavailable when there is none before it.
    """
    try:
        return Registry.open(folder)
    except Unavailable as error:
        if held is None:
            raise
        import structlog  # takes a tenth of a lookup on the command line, which has nothing to log

        structlog.get_logger("pocdir.routing").error("registry not opened", reason=error.message)
        return held.index.registry
