"""The index that lookups are answered from: immutable, in memory, replaced when directory or registry change."""

from __future__ import annotations

import datetime as dt
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, current_app

from pocdir import db
from pocdir.core.errors import Unavailable
from pocdir.directory import queries as directory
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.question import question as _question
from pocdir.routing.rules.registry import Registry, current_version
from pocdir.routing.rules.resolver import Index

_KEY = "pocdir.index"
_log = structlog.get_logger("pocdir.routing")
_rebuilding = threading.Lock()


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


def question(known: Index, *, on: dt.date, **narrowed: Any) -> Question:
    """As rules.question.question, with the country that decides in this service: lookup and plan alike."""
    return _question(known, on=on, country_by=current_app.extensions["pocdir"].registry_country, **narrowed)


def refresh(app: Flask) -> _Held:
    """Look for a newer directory or registry (of other processes too) and swap the index when there is one.

    Reads over a connection of its own: neither within the caller's transaction nor from before it.
    """
    with _rebuilding, app.app_context():  # a context has a session of its own
        changes = db.changes("directory")
        held: _Held | None = app.extensions.get(_KEY)
        folder = app.extensions["pocdir"].data / "registry"
        version = (directory.directory_version(), current_version(folder))
        if held is None or held.version != version:
            built = Index.build(directory.snapshot(), _registry(folder, held))
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
        _log.error("registry not opened", reason=error.message)
        return held.index.registry
