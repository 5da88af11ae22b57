"""Notifications with answers, through the actions that people's doors call."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.incidents.models import Incident
from pocdir.latency.queries import Case, cases
from pocdir.outreach.actions import notifications as actions
from pocdir.outreach.actions.notifications import NewNotification
from pocdir.outreach.queries.notifications import own_notification_to_change

HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)


class Own:
    """Who asks: the members of one workspace, or the staff of one team."""

    def __init__(self, workspace_id: int | None = None, team_id: int | None = None) -> None:
        self.workspace_id, self.team_id = workspace_id, team_id


def told(
    lab: Workspace,
    *,
    at: dt.datetime,
    team: str = "cert-at",
    recorded: dt.datetime | None = None,
    incident: Incident | None = None,
    **more: Any,
) -> str:
    """A notification sent, and recorded, at `at`; returns its reference."""
    with transaction() as session:
        return actions.log_notification(
            session, NewNotification(team=team, sent_at=at, **more), workspace_id=lab.id, now=recorded or at,
            actor="user:a",
            incident=incident, first_channel=("email", f"{team}@example.org"),
        )  # fmt: skip


def event(
    lab: Workspace,
    ref: str,
    type_: str,
    *,
    at: dt.datetime,
    recorded: dt.datetime | None = None,
    by: tuple[str, str] = ("sender", "S"),
    **payload: Any,
) -> str:
    """A fact added to it; returns the event's id."""
    with transaction() as session:
        return actions.record_event(
            session, own_notification_to_change(ref, Own(lab.id), session), type=type_, payload=payload, occurred_at=at,
            now=recorded or at, actor="user:a", claimed_by=by[0], assurance=by[1],
        ).id  # fmt: skip


def figure(lab: Workspace, now: dt.datetime, level: str = "acknowledgement", **more: object) -> list[Case]:
    db.session.rollback()
    return cases(Own(lab.id), level=level, now=now, **more)  # type: ignore[arg-type]


def days(found: list[Case]) -> list[tuple[float, bool]]:
    return [(each.seconds / 86_400, each.answered) for each in found]
