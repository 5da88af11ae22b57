"""Whether the paths of notifications stand where their events and policies say, and the worker will look in time."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from pocdir.core.errors import Refusal
from pocdir.db import db
from pocdir.ledger.rules.events import Event
from pocdir.outreach.escalation.models import NotificationPath
from pocdir.outreach.escalation.queries import Looked, path_rows
from pocdir.outreach.escalation.rules.by_itself import UNFORESEEN
from pocdir.outreach.escalation.rules.path import Path, embargo

BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# A team's zone or holidays, which the directory may have corrected since, move working hours by no more.
CORRECTED = dt.timedelta(days=31)


def differing(rows: Sequence[Row[Any]], events: Mapping[str, list[Event]], *, until: dt.datetime) -> set[str]:
    """References of the notifications (id, ref, team_id) whose path is another than their events say.

    A path at which the worker had to look by `until` is not compared: it puts that right as it looks.
    """
    by_id, session = {row.id: row for row in rows}, db.session()
    kept = ((by_id[each.notification_id], each) for each in path_rows(list(by_id), session))
    return {row.ref for row, each in kept if not _agrees(row, each, events[row.ref], session, until)}


def _agrees(
    row: Row[Any], kept: NotificationPath, events: list[Event], session: Session, until: dt.datetime
) -> bool:
    if kept.not_before != embargo(events):
        return False
    if kept.look_at is not None and kept.look_at <= until:
        return True
    try:
        looked = Looked(row, kept, session, BEGINNING, events)
        return _stands(looked, until)
    except (Refusal, *UNFORESEEN):
        return False


def _stands(looked: Looked, until: dt.datetime) -> bool:
    kept, path = looked.row, looked.path
    waits = (*(step.wait for step in looked.policy.levels), looked.policy.rest)
    working = any(wait.clock == "working" for wait in waits)
    if kept.look_at is None or path.look_at is None:
        in_time = kept.look_at is path.look_at
    else:
        in_time = abs(kept.look_at - path.look_at) <= (CORRECTED if working else dt.timedelta())
    # What fell due and is not written down yet is `due` for whoever looks later, `ahead` before.
    views = (path, looked.again(until), looked.again(kept.look_at or until))
    return in_time and any(_shows(kept, view, working) for view in views)


def _shows(kept: NotificationPath, path: Path, working: bool) -> bool:
    if (kept.state, kept.level) != (path.state, path.next.level if path.next else None):
        return False
    return working or kept.due_at == (path.next.due_at if path.next else None)
