"""What a notification follows: the workspace's own, and for a follow-up one to the same team."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid, NotFound
from pocdir.db import Line
from pocdir.directory.queries import parts
from pocdir.incidents.models import Incident
from pocdir.outreach.actions.threads import MOST, is_full
from pocdir.outreach.models import Notification
from pocdir.outreach.queries import notifications as queries

MOST_NAMED = 10  # teams, in a refusal


def parent_of(session: Session, ref: Any, viewer: queries.Viewer) -> Notification | None:
    """The notification that is followed; raises Invalid `parent_invalid` for one that is not the viewer's."""
    if ref is None:
        return None
    try:
        return queries.own_notification_to_change(str(ref), viewer, session)
    except NotFound as unknown:
        raise Invalid("parent_invalid", unknown.message, where="parent") from None


def check_parent(kind: str, parent: Notification | None, *, workspace_id: int, team_id: int) -> None:
    """Raises Invalid `parent_invalid`; a merged entry is the team that it went into."""
    if parent is None:
        return
    if parent.workspace_id != workspace_id:
        raise Invalid("parent_invalid", "no notification of yours has this reference", where="parent")
    if kind == "follow_up" and not parts.is_part_of(parent.team_id, team_id):
        message = "a follow-up goes to the team that was told before; to another one it is a referral"
        raise Invalid("parent_invalid", message, where="parent")


def reported(session: Session, incident: Incident, teams: Mapping[str, Line]) -> dict[str, Notification]:
    """What a follow-up to each of these teams, by slug, comes back to: the incident's last report to it, locked.

    Raises Invalid `nothing_to_follow`, `thread_full`.
    """
    last = queries.last_reported(incident.id, session)
    untold = [slug for slug, team in teams.items() if team.id not in last]
    if untold:
        message = (
            f"nothing was reported in this incident to {_named(untold)}: leave out, or choose another kind"
        )
        raise Invalid("nothing_to_follow", message, where="choose")
    queries.lock_threads([last[team.id].ref for team in teams.values()], session)
    rows = queries.members_of_thread([last[team.id].id for team in teams.values()], session)
    by_row = {each.id: each for each in rows}
    found = {slug: by_row[last[team.id].id] for slug, team in teams.items()}
    if full := [slug for slug, each in found.items() if is_full(session, each)]:
        message = f"a report has at most {MOST} follow-ups, and so many has that to {_named(full)}: leave out"
        raise Invalid("thread_full", message, where="choose")
    return found


def _named(slugs: list[str]) -> str:
    more = f" and {len(slugs) - MOST_NAMED} more" if len(slugs) > MOST_NAMED else ""
    return ", ".join(slugs[:MOST_NAMED]) + more
