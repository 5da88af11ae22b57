"""Reading what was told to a team, all of it in the order in which it was recorded."""

from __future__ import annotations

from collections.abc import Iterator

from pocdir.outreach.queries.snapshots import Snapshot, told_after
from pocdir.outreach.queries.told import LISTS

AT_ONCE = 100


def told(team_id: int, *, state: str | None, limit: int, cursor: str | None = None) -> list[Snapshot]:
    """`limit + 1` notifications after the cursor, of one of the `LISTS` or of all; raises Invalid `cursor_unknown`."""
    return told_after(team_id, LISTS[state] if state else None, limit=limit, cursor=cursor)


def all_told(team_id: int, *, state: str | None) -> Iterator[list[Snapshot]]:
    """All of it, some at once."""
    cursor = None
    while found := told(team_id, state=state, limit=AT_ONCE, cursor=cursor):
        yield found[:AT_ONCE]
        if len(found) <= AT_ONCE:
            return
        cursor = found[AT_ONCE - 1].row.ref
