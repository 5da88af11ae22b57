"""Policies: add a version, choose one for a workspace, an incident or a notification."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, insert, update
from sqlalchemy.orm import Session

from pocdir.accounts.models import Workspace
from pocdir.core.errors import Conflict
from pocdir.core.refs import new_ref
from pocdir.core.times import isoformat
from pocdir.db import table_of
from pocdir.driver import execute_many
from pocdir.incidents.models import Incident
from pocdir.ledger.actions import append, append_all
from pocdir.ledger.rules.events import Event
from pocdir.outreach.escalation import queries
from pocdir.outreach.escalation.models import NotificationPath, Policy, PolicyApproval, PolicyChoice
from pocdir.outreach.escalation.rules import policy as rules
from pocdir.outreach.escalation.rules.path import embargo
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import Locked, about
from pocdir.outreach.rules.posting import occurred

# What is sent in the course of a path, or tests an address, walks no path of its own.
WALKING = ("report", "sample_request", "referral")
_P = table_of(NotificationPath)
_INSERTED = insert(_P)
_LOOK = (
    update(_P)
    .where(_P.c.notification_id == bindparam("row"))
    .values(look_at=bindparam("at", type_=_P.c.look_at.type))
)
_HELD = (
    update(_P)
    .where(_P.c.notification_id == bindparam("row"))
    .values(not_before=bindparam("until", type_=_P.c.not_before.type))
)
_ABOUT = ("notification", "incident", "team")


def add(
    session: Session, given: Mapping[str, Any], *, workspace_id: int, now: dt.datetime, actor: str
) -> Policy:
    """Keep a policy as PolicySchema loads it: a version of its own, unless the newest one says the same.

    Raises Invalid `policy_invalid`, `duration_invalid`.
    """
    rules.policy(given)
    session.get_one(Workspace, workspace_id, with_for_update=True)  # two at once make two versions
    slug, definition = rules.slug_of(given["name"]), rules.definition(given)
    digest = rules.digest(definition)
    version = queries.newest_version(slug, workspace_id, session)
    if version:
        newest = queries.policy(slug, workspace_id=workspace_id, session=session)
        if newest.digest == digest:
            return newest
    kept = Policy(
        ref=new_ref(now), workspace_id=workspace_id, slug=slug, version=version + 1, definition=definition,
        digest=digest, created_at=now, created_by=actor,
    )  # fmt: skip
    session.add(kept)
    session.flush()
    return kept


def approve_or_stop(
    session: Session, policy: Policy, *, approved: bool, now: dt.datetime, actor: str
) -> bool:
    """Approve beforehand what this version's steps send, or stop it; False when that stands already.

    What falls due from now on may go out by itself then; what was suggested before stays a suggestion. Another
    version is not approved by that.
    """
    workspace = session.get_one(Workspace, policy.workspace_id, with_for_update=True)
    standing = session.get(PolicyApproval, policy.id)
    if (standing is not None) == approved:
        return False
    append(
        session, type=f"policy.{'approved' if approved else 'stopped'}", now=now, actor=actor, claimed_by="sender",
        assurance="S", payload={"workspace": workspace.ref, "policy": policy.ref, "digest": policy.digest},
    )  # fmt: skip
    if standing is not None:
        session.delete(standing)
    else:
        session.add(PolicyApproval(policy_id=policy.id, approved_at=now, approved_by=actor))
    session.flush()
    session.expire(policy, ["approval"])
    return True


def choose(
    session: Session,
    slug: str | None,
    *,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    incident: Incident | None = None,
) -> None:
    """Which policy what is logged from now on follows (None: none), in a workspace or one of its incidents.

    What was logged before keeps its own. Raises NotFound `policy_unknown`.
    """
    if slug is not None:
        queries.policy(slug, workspace_id=workspace_id, session=session)
    session.add(
        PolicyChoice(
            workspace_id=workspace_id,
            incident_id=incident.id if incident else None,
            slug=slug,
            chosen_at=now,
            chosen_by=actor,
        )
    )
    session.flush()


def follow(
    session: Session,
    notification: Notification,
    policy: Policy | None,
    *,
    now: dt.datetime,
    actor: str,
    not_before: dt.datetime | None = None,
    at: dt.datetime | None = None,
) -> None:
    """Let a notification follow this version from now on (None: no policy), with no step before `not_before`.

    `at` is when it came to, where that was before it is recorded here. Raises Conflict `answered_already`,
    `withdrawn`: then there is no next step; Invalid `event_before_sending`, `event_in_future`.
    """
    _require_open(notification)
    if at is not None:
        occurred(at, "exact", sent_at=notification.sent_at)
    standing = queries.path_row(notification.id, session)
    if policy is None and standing is None:
        return
    _append(
        session,
        policy,
        told=[about(notification, session)],
        not_before=not_before,
        now=now,
        actor=actor,
        at=at,
    )
    if standing is not None:
        session.delete(standing)
        session.flush()
    if policy is not None:
        _walk(session, [notification.id], policy, not_before=not_before, now=now)


def begin(session: Session, begun: Mapping[int, Event], row: Mapping[str, Any], *, now: dt.datetime) -> None:
    """Let notifications that were just logged follow what their incident or workspace has chosen, if anything.

    By id, with the event of each; `row` is that of any of them: of one kind, workspace and incident.
    """
    if row["kind"] not in WALKING or not begun:
        return
    workspace_id = row["workspace_id"]
    slug = queries.chosen(session, workspace_id=workspace_id, incident_id=row["incident_id"])
    if slug is None:
        return
    policy = queries.policy(slug, workspace_id=workspace_id, session=session)
    told = [{name: getattr(each, name) for name in _ABOUT} for each in begun.values()]
    _append(session, policy, told=told, not_before=None, now=now, actor=row["created_by"])
    _walk(session, list(begun), policy, not_before=None, now=now)


def look_again(session: Session, notification: Notification | Locked, *, at: dt.datetime) -> None:
    """Have the worker look at a notification's path, and at that of which it is a step: something was recorded."""
    if isinstance(notification, Locked) and not notification.on_path:
        return
    ids = [notification.id] + ([notification.parent_id] if notification.parent_id is not None else [])
    look_again_at(session, ids, at=at)


def look_again_at(session: Session, ids: Sequence[int], *, at: dt.datetime) -> None:
    """Have the worker look at the paths of these notifications, by row."""
    execute_many(session.connection(), _LOOK, [{"row": each, "at": at} for each in ids])


def hold_as_said(session: Session, notification_id: int, events: Sequence[Event]) -> None:
    """Hold a notification's path back until when its events say, where it follows a policy."""
    held = {"row": notification_id, "until": embargo(events)}
    execute_many(session.connection(), _HELD, [held])


def put_off(session: Session, notification_id: int, *, until: dt.datetime, now: dt.datetime) -> None:
    """Look again at a path only then: it cannot be worked out, which `pocdir doctor` tells."""
    kept = queries.path_row(notification_id, session)
    if kept is not None:
        kept.look_at, kept.failing_since = until, kept.failing_since or now
        session.flush()


def _require_open(notification: Notification) -> None:
    if notification.withdrawn_at is not None:
        raise Conflict("withdrawn_already", "it was withdrawn: there is no next step")
    if notification.response not in ("awaiting", "receipt"):
        raise Conflict("answered_already", "a person has answered: there is no next step")


def _append(
    session: Session,
    policy: Policy | None,
    *,
    told: Sequence[Mapping[str, Any]],
    not_before: dt.datetime | None,
    now: dt.datetime,
    actor: str,
    at: dt.datetime | None = None,
) -> None:
    payload = {
        "policy": policy.ref if policy else None,
        "digest": policy.digest if policy else None,
        "not_before": isoformat(not_before) if not_before else None,
        "state": None if policy else "withdrawn",
    }
    events = [
        Event(
            id=new_ref(now), type="escalation.set", occurred_at=at or now, recorded_at=now, actor=actor,
            claimed_by="sender", assurance="S", payload=payload, **each,
        )
        for each in told
    ]  # fmt: skip
    append_all(session, events)


def _walk(
    session: Session,
    ids: Sequence[int],
    policy: Policy,
    *,
    not_before: dt.datetime | None,
    now: dt.datetime,
) -> None:
    rows = [
        {
            "notification_id": each, "policy_id": policy.id, "not_before": not_before, "look_at": now,
            "state": "ahead", "level": None, "due_at": None, "failing_since": None,
        }
        for each in ids
    ]  # fmt: skip
    execute_many(session.connection(), _INSERTED, rows)
