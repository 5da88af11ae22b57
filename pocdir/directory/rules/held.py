"""A source's changes of one team, as they are kept until a steward decides, and known again by their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pocdir.core.canonical import canonical_json
from pocdir.directory.rules.record import Diff, Key, Statement


def by_team(change: Diff) -> dict[str, Diff]:
    """What changes of each team, its slug first among those that change."""
    found: dict[str, tuple[dict[Key, Any], ...]] = {}
    for place, rows in enumerate((change.added, change.changed, change.removed, change.redated)):
        for key, said in rows.items():
            found.setdefault(key[1], ({}, {}, {}, {}))[place][key] = said
    return {team: Diff(*parts) for team, parts in found.items()}


def together(parts: Iterable[Diff]) -> Diff:
    """Several changes as one."""
    added: dict[Key, Statement] = {}
    changed: dict[Key, tuple[Statement, Statement]] = {}
    removed: dict[Key, Statement] = {}
    redated: dict[Key, Statement] = {}
    for part in parts:
        added |= part.added
        changed |= part.changed
        removed |= part.removed
        redated |= part.redated
    return Diff(added, changed, removed, redated)


def kept(change: Diff) -> list[Any]:
    """[key, before, after] of each row as JSON holds it; a newer date of the same words is no change to decide."""
    rows: list[tuple[Key, Statement | None, Statement | None]] = [
        (key, None, now) for key, now in change.added.items()
    ]
    rows += [(key, then, now) for key, (then, now) in change.changed.items()]
    rows += [(key, then, None) for key, then in change.removed.items()]
    return [[list(key), _said(then), _said(now)] for key, then, now in sorted(rows, key=lambda row: row[0])]


def in_full(change: Diff, before: Mapping[Key, Statement]) -> Diff:
    """The change with newer dates of the same words as changes, where there is nothing else to decide.

    A newer date alone may bring what a source says into force.
    """
    if change.added or change.changed or change.removed:
        return change
    return Diff(changed={key: (before[key], now) for key, now in change.redated.items()})


def read(rows: Sequence[Any]) -> Diff:
    """The change of which these rows were kept."""
    parts: tuple[dict[Key, Any], ...] = ({}, {}, {})
    for key, then, now in rows:
        before, after = _statement(then), _statement(now)
        if after is None:
            parts[2][tuple(key)] = before
        elif before is None:
            parts[0][tuple(key)] = after
        else:
            parts[1][tuple(key)] = (before, after)
    return Diff(*parts)


def name_in(rows: Sequence[Any], team: str) -> str:
    """The name that these rows give an entry; its slug where they give none."""
    said = (now[0].get("value") for key, _, now in rows if key == ["fact", team, "name"] and now)
    return str(next(said, None) or team)


def digest(rows: Sequence[Any]) -> str:
    """The digest of a change, by which it is known again in the same source, whatever date that bears."""
    words = [[key, _undated(then), _undated(now)] for key, then, now in rows]
    return "sha256:" + hashlib.sha256(canonical_json(words)).hexdigest()


def digest_of(words: Mapping[str, Any]) -> str:
    """The digest of what could not be read, by which the same fault is known again."""
    return "sha256:" + hashlib.sha256(canonical_json(dict(words))).hexdigest()


def _said(given: Statement | None) -> list[Any] | None:
    return None if given is None else [dict(given.values), given.as_of, given.confidence]


def _statement(said: Sequence[Any] | None) -> Statement | None:
    return None if said is None else Statement(*said)


def _undated(said: Sequence[Any] | None) -> list[Any] | None:
    return None if said is None else [said[0], said[2]]
