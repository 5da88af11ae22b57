"""Decisions kept on disk beside the registry: made once for a directory, a registry and a question."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pocdir.core.version import VERSION
from pocdir.routing.rules import decisions as decided
from pocdir.routing.rules.decisions import Decisions, Pieces4, Pieces6, decisions
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import Question
from pocdir.routing.rules.registry import BROKEN
from pocdir.routing.rules.result import Result

FORMAT = 1
FOLDER, RESULTS = "decisions", "results.json"
MOST = 4  # kept; the oldest go
ABANDONED = dt.timedelta(hours=1)


def kept_decisions(index: Index, asked: Question, data: Path, *, now: dt.datetime) -> Decisions:
    """Mapped from `data`/decisions, else made and kept there; where the folder takes no file, made for once."""
    folder = data / FOLDER
    place = folder / name_of(index, asked)
    try:
        return _read(place)
    except BROKEN:
        shutil.rmtree(place, ignore_errors=True)
    made = decisions(index, asked)
    try:
        _write(made, folder, place)
        _sweep(folder, place, (now - ABANDONED).timestamp())
    except OSError:
        return made
    return made


def name_of(index: Index, asked: Question) -> str:
    """From all that an answer depends on; versions alone begin anew when a backup is restored."""
    digest = hashlib.sha256(f"{FORMAT} {VERSION} {index.directory_version} {_rules()}".encode())
    digest.update((index.registry.version if index.registry else "").encode())
    wish = asked.wish._replace(
        exclude_teams=frozenset(), exclude_countries=frozenset(), exclude_hosts=frozenset()
    )
    excluded = [sorted(names) for names in (asked.wish[3:])]
    digest.update(repr((wish, excluded, asked.sector, asked.country_by)).encode())
    for slug in sorted(index.indexed):
        digest.update(repr(index.indexed[slug].team).encode())
    return digest.hexdigest()[:32]


@cache
def _rules() -> str:
    """Of the code that decides: a checkout changes more often than its version."""
    folder = Path(decided.__file__).parent
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))).hexdigest()


def _read(place: Path) -> Decisions:
    said: list[list[Any]] = json.loads((place / RESULTS).read_text(encoding="utf-8"))
    results = tuple(
        Result(status, team, name, _pairs(channel), _pairs(basis), reason)
        for status, team, name, channel, basis, reason in said
    )
    four, of_four, six, of_six = (
        np.load(place / f"{name}.npy", mmap_mode="r").view(np.ndarray)
        for name in ("v4_starts", "v4_results", "v6_starts", "v6_results")
    )
    return Decisions(results, Pieces4(four, of_four), Pieces6(six, of_six))


def _pairs(said: list[list[Any]]) -> tuple[tuple[str, Any], ...]:
    return tuple((name, value) for name, value in said)


def _write(made: Decisions, folder: Path, place: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=folder))
    try:
        for name, pieces in (("v4", made.v4), ("v6", made.v6)):
            np.save(fresh / f"{name}_starts.npy", pieces.starts, allow_pickle=False)
            np.save(fresh / f"{name}_results.npy", pieces.results, allow_pickle=False)
        (fresh / RESULTS).write_text(json.dumps(made.results, ensure_ascii=False), encoding="utf-8")
        if not place.exists():
            fresh.rename(place)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _sweep(folder: Path, place: Path, abandoned: float) -> None:
    """Readers keep what they have mapped."""
    found = sorted(
        (path for path in folder.iterdir() if path != place), key=lambda path: path.stat().st_mtime
    )
    whole = [path for path in found if not path.name.startswith(".")]
    left = [path for path in found if path.name.startswith(".") and path.stat().st_mtime < abandoned]
    for path in [*whole[: -(MOST - 1)], *left]:
        shutil.rmtree(path, ignore_errors=True)
