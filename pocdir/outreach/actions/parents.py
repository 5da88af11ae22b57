"""What a notification follows: the workspace's own, and for a follow-up one to the same team."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid, NotFound
from pocdir.directory.queries import parts
from pocdir.outreach.models import Notification
from pocdir.outreach.queries import notifications as queries


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
