"""What an import changes, or would, as a steward reads it and as a program does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pocdir.directory.rules.record import Diff, Key, Statement

SIGNS = {"added": "+", "changed": "~", "removed": "-"}


class Change(NamedTuple):
    """One row that comes, goes or says something else."""

    change: str
    key: Key
    before: Statement | None
    after: Statement | None

    def as_dict(self) -> dict[str, Any]:
        what, team, *which = self.key
        said = [dict(given.values) if given else None for given in (self.before, self.after)]
        return {
            "change": self.change,
            "team": team,
            "what": what,
            "which": which,
            "before": said[0],
            "after": said[1],
        }

    def line(self) -> tuple[str, str, str, str, str]:
        """Sign, team, kind of row, which one, what it says: `before -> after` for what changes."""
        what, team, *which = self.key
        says = " -> ".join(_words(given.values) for given in (self.before, self.after) if given)
        return SIGNS[self.change], team, what, " ".join(which), says


def changes(diff: Diff) -> list[Change]:
    """Every row that changes, team by team."""
    return sorted(_each(diff), key=lambda change: (change.key[1], change.key[0], change.key))


def by_team(diff: Diff) -> dict[str, Counter[str]]:
    """How many rows of each team are added, changed and removed."""
    found: dict[str, Counter[str]] = {}
    for change in _each(diff):
        found.setdefault(change.key[1], Counter())[change.change] += 1
    return dict(sorted(found.items()))


def _each(diff: Diff) -> Iterator[Change]:
    for key, now in diff.added.items():
        yield Change("added", key, None, now)
    for key, (then, now) in diff.changed.items():
        yield Change("changed", key, then, now)
    for key, then in diff.removed.items():
        yield Change("removed", key, then, None)


def _words(said: Mapping[str, Any]) -> str:
    if "value" in said:
        return json.dumps(said["value"], ensure_ascii=False)
    return " ".join(f"{name}={value}" for name, value in said.items() if value not in (None, False))
