"""The index that lookups are answered from: immutable, in memory, replaced when directory or registry change."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from flask import Flask, current_app

from pocdir import db
from pocdir.directory import queries as directory
from pocdir.routing.rules.registry import Registry, current_version
from pocdir.routing.rules.resolver import Index

_KEY = "pocdir.index"
_rebuilding = threading.Lock()


@dataclass(frozen=True, slots=True)
class _Held:
    index: Index
    version: tuple[str, str | None]
    commits: int


def index() -> Index:
    """The index of the newest version that this process knows; no SQL unless the process has written since."""
    held: _Held | None = current_app.extensions.get(_KEY)
    if held is None or held.commits != db.commits():
        held = refresh(current_app._get_current_object())  # type: ignore[attr-defined]
    return held.index


def refresh(app: Flask) -> _Held:
    """Look for a newer directory or registry (of other processes too) and swap the index when there is one.

    Reads over a connection of its own: neither within the caller's transaction nor from before it.
    """
    with _rebuilding, app.app_context():  # a context has a session of its own
        commits = db.commits()
        held: _Held | None = app.extensions.get(_KEY)
        folder = app.extensions["pocdir"].data / "registry"
        version = (directory.directory_version(), current_version(folder))
        if held is None or held.version != version:
            registry = Registry.open(folder)
            built = Index.build(directory.snapshot(), registry)
            held = _Held(built, version, commits)
        else:
            held = _Held(held.index, version, commits)
        app.extensions[_KEY] = held
        return held
