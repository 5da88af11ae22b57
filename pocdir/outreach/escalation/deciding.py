"""What a person may decide about policies and steps: the same by API, page and command."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from pocdir.accounts.guards import Principal
from pocdir.core.errors import Forbidden, Invalid, NotFound, Refusal
from pocdir.incidents import queries as incident_queries
from pocdir.outreach.actions.notifications import record_event
from pocdir.outreach.escalation import by_itself, presentation, queries
from pocdir.outreach.escalation.actions import policies, steps
from pocdir.outreach.models import Notification
from pocdir.outreach.queries import notifications
from pocdir.outreach.sending.rules import SEND_FLAGS
from pocdir.outreach.sending.telling import send_each
from pocdir.routing.rules.index import Index


def own(session: Session, principal: Principal, ref: str, *, lock: bool = True) -> Notification:
    """A notification of the caller's workspace; raises NotFound `notification_unknown`."""
    if lock:
        return notifications.members_notification_to_change(ref, principal, session)
    found = notifications.notification_by_ref(ref)
    if found is None or notifications.poster_of(principal, found) != "member":
        raise NotFound("notification_unknown", "no notification of yours has this reference")
    return found


def choose_policy(
    session: Session, principal: Principal, given: Mapping[str, Any], *, now: dt.datetime
) -> dict[str, Any]:
    """Choose a policy, given as PolicyChoiceSchema loads it.

    Raises what the actions raise, Forbidden `forbidden` for the workspace's own.
    """
    workspace_id, slug = principal.workspace_id or 0, given["policy"]
    chosen = {"policy": slug, "incident": None, "notification": None}
    if given["notification"] is not None:
        found = own(session, principal, str(given["notification"]))
        policy = queries.policy(slug, workspace_id=workspace_id, session=session) if slug else None
        policies.follow(
            session, found, policy, now=now, actor=principal.actor, not_before=given["not_before"],
            at=given.get("at"),
        )  # fmt: skip
        return chosen | {"notification": found.ref}
    if given["not_before"] is not None:
        raise Invalid("embargo_alone", "an embargo is of one notification", where="not_before")
    if given.get("at") is not None:
        raise Invalid("choice_dated", "a choice for what is logged from now on is made now", where="at")
    incident = None
    if given["incident"] is not None:
        incident = incident_queries.incident(
            str(given["incident"]), workspace_id=workspace_id, session=session
        )
    elif not principal.may("policy.manage"):
        raise Forbidden("forbidden", "only an owner chooses for the whole workspace")
    policies.choose(
        session, slug, workspace_id=workspace_id, now=now, actor=principal.actor, incident=incident
    )
    return chosen | {"incident": incident.ref if incident else None}


def path_shown(
    session: Session, principal: Principal, ref: str, *, known: Index, now: dt.datetime
) -> dict[str, Any]:
    """A notification's path as the API shows it; raises NotFound `notification_unknown`."""
    found = own(session, principal, ref, lock=False)
    looked = queries.look(found, now, session)
    return shown_with_outlook(session, found, looked, known=known, now=now)


def shown_with_outlook(
    session: Session, found: Notification, looked: queries.Looked | None, *, known: Index, now: dt.datetime
) -> dict[str, Any]:
    """A path as API and pages show it, with the step that really comes next and whether it goes out by itself."""
    coming = queries.coming(looked, found, known, now, session)
    to = presentation.next_target(looked, found, known, now, session)
    return (
        presentation.shown_path(looked, to)
        | {"coming": presentation.shown_coming(coming)}
        | by_itself.outlook(session, found, looked, coming, known, now)
    )


def approve_or_stop(
    session: Session, principal: Principal, slug: str, given: Mapping[str, Any], *, now: dt.datetime
) -> dict[str, Any]:
    """Approve a version beforehand, as an owner, or stop what goes out by itself, as any member; as the API shows it.

    Raises NotFound `policy_unknown`, Forbidden `owner_needed`.
    """
    workspace_id = principal.workspace_id or 0
    found = queries.policy(slug, workspace_id=workspace_id, version=given["version"], session=session)
    if given["by_itself"] and not principal.may("policy.manage"):
        raise Forbidden("owner_needed", "an owner of the workspace approves what goes out by itself")
    policies.approve_or_stop(session, found, approved=given["by_itself"], now=now, actor=principal.actor)
    default = queries.chosen(session, workspace_id=workspace_id, incident_id=None)
    return presentation.shown_policy(found, default=default)


def suggested(
    session: Session,
    principal: Principal,
    *,
    known: Index,
    now: dt.datetime,
    limit: int,
    cursor: str | None = None,
    waiting: bool | None = None,
    ahead: bool = False,
) -> tuple[list[Notification], list[dict[str, Any]]]:
    """`limit + 1` notifications for which a step is due, and those steps as they are shown, without the last.

    `ahead`: the next steps to come instead, under versions approved beforehand. Raises Invalid `cursor_unknown`.
    """
    workspace_id = principal.workspace_id or 0
    if ahead:
        found = queries.approved_ahead(workspace_id, limit=limit, cursor=cursor)
    else:
        found = queries.suggested(workspace_id, now=now, limit=limit, cursor=cursor)
    shown = []
    for each in found[:limit]:
        looked = queries.look(each, now, session)
        coming = (queries.coming if ahead else queries.next_step)(looked, each, known, now, session)
        step = presentation.suggested_step(each, coming, session, ahead=ahead)
        if step is not None and (waiting is None or waiting == (step["approval"] and not step["approved"])):
            shown.append(step | by_itself.outlook(session, each, looked, coming, known, now))
    return found, shown


def decide(
    session: Session,
    principal: Principal,
    ref: str,
    given: Mapping[str, Any],
    *,
    known: Index,
    now: dt.datetime,
) -> str | None:
    """Decide on a step as StepAct loads it; returns the notification that it led to. Raises what the actions raise."""
    found = own(session, principal, ref)
    if given["action"] in ("pause", "resume"):
        record_event(
            session, found, type=f"expectation.{given['action']}d", payload={"note": given["note"]}, now=now,
            actor=principal.actor, claimed_by="sender", assurance="S", occurred_at=given.get("at"),
        )  # fmt: skip
        return None
    level = given["level"]
    if level is None:
        raise Invalid("level_needed", "say which step is meant", where="level")
    if given["action"] == "skip":
        if not given["note"]:
            steps.to_decide(
                session, found, level, now, skipping=True
            )  # there is nothing to say of one that is not open
            raise Invalid("note_needed", "say why it is left out", where="note")
        steps.skip(
            session, found, level, note=given["note"], now=now, actor=principal.actor, at=given.get("at")
        )
        return None
    if given["action"] == "approve":
        _approve(session, principal, found, level, known, now)
        return None
    return _take(session, principal, found, given, known=known, now=now)


def _approve(
    session: Session, principal: Principal, found: Notification, level: int, known: Index, now: dt.datetime
) -> None:
    looked, _, standing = steps.to_decide(session, found, level, now)
    if standing is not None:
        raise steps.not_open()
    message = presentation.prepared(looked, found, level, known=known, now=now, session=session)
    by_owner = principal.role == "owner"
    steps.approve(session, found, message, now=now, actor=principal.actor, by_owner=by_owner)


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of one suggested step: the notification that it led to, or why not."""

    ref: str
    level: int
    notification: str | None
    refused: Mapping[str, str] | None  # code, detail

    def as_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("ref", "level", "notification", "refused")}


def decide_many(
    session: Session,
    principal: Principal,
    chosen: Iterable[tuple[str, int]],
    given: Mapping[str, Any],
    *,
    known: Index,
    now: dt.datetime,
) -> list[Decided]:
    """Decide alike (`action`, with skip a `note`) on many steps, each taken or refused by itself.

    With the words prepared for each. Where people may be at risk a step is refused: that yes is said to one contact.
    """
    act = {"action": given["action"], "note": given["note"], "body": None, "people_at_risk": False}
    act |= {name: given.get(name, False) for name in SEND_FLAGS}
    done = []
    for ref, level in dict.fromkeys(chosen):
        try:
            with session.begin_nested():
                led_to = decide(session, principal, ref, act | {"level": level}, known=known, now=now)
            done.append(Decided(ref, level, led_to, None))
        except Refusal as refusal:
            done.append(Decided(ref, level, None, {"code": refusal.code, "detail": refusal.message}))
    return done


def _take(
    session: Session,
    principal: Principal,
    found: Notification,
    given: Mapping[str, Any],
    *,
    known: Index,
    now: dt.datetime,
) -> str:
    level = int(given["level"])
    looked, _, standing = steps.to_decide(session, found, level, now)
    if standing is not None:
        return standing
    message = presentation.prepared(
        looked, found, level, known=known, now=now, session=session, body=given["body"]
    )
    led_to = steps.take(
        session, found, message, now=now, actor=principal.actor, by_owner=principal.role == "owner",
        people_at_risk=given["people_at_risk"], known=known, at=given.get("at"),
        is_sent=bool(given.get("send")),
    )  # fmt: skip
    if given.get("send"):
        send_each(session, [led_to], {**given, "sent_at": given.get("at")}, now=now, actor=principal.actor)
    return led_to
