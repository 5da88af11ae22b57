"""What a team had published that it would do within a time, when each notification was sent to it."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import null, select, union_all

from pocdir.core.batches import batches
from pocdir.core.errors import Invalid
from pocdir.core.times import duration
from pocdir.db import db, table_of
from pocdir.directory.models import PAST, Team
from pocdir.latency.queries import Case

# What is promised, by the level that keeps it; a machine's receipt and a delivery are promised by nobody.
PROMISED_OF: Mapping[str, str] = {
    "acknowledgement": "acknowledgement",
    "answer": "answer",
    "remediation_claimed": "remediation",
    "remediation_observed": "remediation",
}


class _Stood(NamedTuple):
    """An entry's row from a moment on: which entry it was read as, and what that promised."""

    since: dt.datetime
    until: dt.datetime | None
    merged_into_id: int | None
    promise: Mapping[str, Any]


def promised(found: Sequence[Case], level: str) -> dict[str, float]:
    """By reference, within how many seconds the team had promised this level when the notification was sent.

    What was published later, or no longer then, is not of it; so the figure of a team does not move when it
    promises something else from now on.
    """
    of = PROMISED_OF.get(level)
    if of is None:
        return {}
    rows = _stood({each.entry for each in found})
    rows |= _stood(
        {row.merged_into_id for its in rows.values() for row in its if row.merged_into_id} - rows.keys()
    )
    lengths = {each.ref: _length(_at(rows, each), of) for each in found}
    return {ref: length for ref, length in lengths.items() if length is not None}


def _at(rows: Mapping[int, Sequence[_Stood]], case: Case) -> Mapping[str, Any]:
    row = _row_at(rows.get(case.entry, ()), case.sent_at)
    if row is not None and row.merged_into_id is not None:
        row = _row_at(rows.get(row.merged_into_id, ()), case.sent_at)
    return row.promise if row is not None else {}


def _row_at(rows: Sequence[_Stood], at: dt.datetime) -> _Stood | None:
    place = bisect_right(rows, at, key=lambda row: row.since) - 1
    row = rows[place] if place >= 0 else None
    return row if row is not None and (row.until is None or at < row.until) else None


def _length(promise: Mapping[str, Any], of: str) -> float | None:
    try:
        return duration(promise[of]).total_seconds() if promise.get(of) else None
    except Invalid:  # as it stood before such a length was refused
        return None


def _stood(entries: Collection[int]) -> dict[int, list[_Stood]]:
    """By entry, all that was recorded of it, in its order."""
    stands, before = table_of(Team).c, PAST["teams"].c
    found: dict[int, list[_Stood]] = {}
    for some in batches(sorted(entries)):
        each = (
            select(row.id, row.recorded_at, end.label("until"), row.merged_into_id, row.profile["promise"])
            .where(row.id.in_(some))
            for row, end in ((before, before.recorded_to), (stands, null()))
        )  # fmt: skip
        for id_, since, until, whole, promise in db.session.execute(union_all(*each)):
            found.setdefault(id_, []).append(_Stood(since, until, whole, promise or {}))
    for rows in found.values():
        rows.sort(key=lambda row: row.since)
    return found
