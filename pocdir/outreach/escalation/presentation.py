"""What is said about policies and next steps, by API, pages and commands alike."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict, NotFound
from pocdir.core.text import Phrase
from pocdir.outreach.escalation import queries
from pocdir.outreach.escalation.actions.steps import Prepared
from pocdir.outreach.escalation.models import Policy
from pocdir.outreach.escalation.queries import Looked
from pocdir.outreach.escalation.rules import letter, policy
from pocdir.outreach.escalation.rules.calendar import Calendar, calendar
from pocdir.outreach.escalation.rules.path import CLIMBING, Rung
from pocdir.outreach.escalation.rules.targets import Coming, Target
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import teams_by_id, workspace_by_id
from pocdir.outreach.rules.letter import LANGUAGES
from pocdir.routing.rules.index import Index

# Why a step waits for a person, by the word of its event (vocabulary.HELD).
_HELD = {
    "owner": Phrase("an owner decides on this step"),
    "late": Phrase("its time is long past"),
    "earlier_step": Phrase("an earlier step waits for a person"),
    "no_consent": Phrase("the team has not said that it takes it so"),
    "opted_out": Phrase("the team does not take it"),
    "no_mail": Phrase("no mail address to which it may go"),
    "people_at_risk": Phrase("people may be at risk"),
    "closed": Phrase("the incident is closed"),
    "mail_waits": Phrase("a mail about it came in, and nobody has said yet what it is"),
    "told_lately": Phrase("another one went to this team within the hour"),
    "other_channel": Phrase("another address of the team was written to"),
    "key": Phrase("it may not go without a key that can be used"),
    "day_full": Phrase("the workspace has sent as much as it may in a day"),
    "not_allowed": Phrase("the workspace does not send from here"),
    "thread_full": Phrase("its thread has no room"),
    "refused": Phrase("their server refuses such mail by a rule of its own"),
    "other": Phrase("it could not be prepared"),
}


def why_held(reason: str) -> str:
    """Why a step does not go out by itself, in English, which pages translate; without words of its own, as `other`."""
    return _HELD.get(reason, _HELD["other"])


def shown_policy(row: Policy, *, default: str | None) -> dict[str, Any]:
    """One version of a policy as the API shows it."""
    names = ("slug", "version", "ref", "digest", "created_at")
    kept = {name: getattr(row, name) for name in names}
    approval = row.approval
    return (
        row.definition
        | kept
        | {
            "is_default": row.slug == default,
            "by_itself": approval is not None,
            "approved_at": approval.approved_at if approval else None,
        }
    )


def place(known: Index, team: str | None, rules: policy.Policy) -> Calendar:
    """The calendar of a team, or of nowhere in particular (UTC, Monday to Friday); raises NotFound `team_unknown`."""
    indexed = known.indexed_team(team) if team else None
    if team and indexed is None:
        raise NotFound("team_unknown", f"no team has the slug {team[:60]!r}", where="team")
    zone, country = (indexed.team.timezone, indexed.team.country) if indexed else (None, None)
    return calendar(zone, country, rules.hours)


def timetable(
    rules: policy.Policy, start: dt.datetime, there: Calendar, *, not_before: dt.datetime | None = None
) -> dict[str, Any]:
    """When each step falls due, as API, pages and command show it."""
    found = policy.timetable(rules, start, there, not_before=not_before)
    return {
        "start": start,
        "zone": there.zone.key,
        "steps": [_step(each.level, each.step, each.due_at) for each in found],
    }


def _step(level: int, step: policy.Step, due_at: dt.datetime) -> dict[str, Any]:
    return {
        "level": level, "target": step.target, "content": step.content, "approval": step.approval, "due_at": due_at,
    }  # fmt: skip


def shown_path(looked: Looked | None, to: Target | str | None) -> dict[str, Any]:
    """Where a notification stands on its path, as the API shows it."""
    if looked is None:
        return {"policy": None, "version": None, "state": "none", "not_before": None, "steps": [], "to": None}
    path = looked.path
    return {
        "policy": looked.row.policy.slug,
        "version": looked.row.policy.version,
        "state": path.state,
        "not_before": looked.row.not_before,
        "steps": [_rung(rung, may_decide=rung in path.open) for rung in path.rungs],
        "to": _to(to),
    }


def _rung(rung: Rung, *, may_decide: bool) -> dict[str, Any]:
    return _step(rung.level, rung.step, rung.due_at) | {
        "step": rung.step.number, "state": rung.state, "decided_at": rung.decided_at, "reason": rung.reason,
        "approved": rung.approved,
        "may_decide": may_decide,
    }  # fmt: skip


def shown_coming(coming: Coming | None) -> dict[str, Any] | None:
    """The step that comes next, looked through those for which nobody is known; None: to nobody."""
    if coming is None or isinstance(coming.target, str):
        return None
    return _step(coming.rung.level, coming.rung.step, coming.rung.due_at) | {"to": _to(coming.target)}


def _to(to: Target | str | None) -> dict[str, Any] | None:
    if not isinstance(to, Target):
        return None
    return {"team": to.team, "name": to.name, "channel": {"kind": to.kind, "value": to.value}}


def suggested_step(
    each: Notification,
    coming: Coming | None,
    session: Session,
    *,
    ahead: bool = False,
) -> dict[str, Any] | None:
    """The due step of a notification (with `ahead`, the one to come) with whom it goes to, and what stands against
    taking it among many; None: somebody decided on it since the worker looked.
    """
    if coming is None or coming.rung.state != ("ahead" if ahead else "due"):
        return None
    rung = coming.rung
    team = teams_by_id([each.team_id], session)[each.team_id]
    return _step(rung.level, rung.step, rung.due_at) | {
        "ref": each.ref, "team": team.slug, "name": team.name, "sent_at": each.sent_at,
        "to": _to(coming.target),
        "people_at_risk": each.people_at_risk,
        "approved": rung.approved,
    }  # fmt: skip


def next_target(
    looked: Looked | None, notification: Notification, known: Index, now: dt.datetime, session: Session
) -> Target | str | None:
    """Whom the next step goes to as the directory stands; None: there is no next step."""
    found = queries.next_step(looked, notification, known, now, session)
    return found and found.target


def prepared(
    looked: Looked,
    notification: Notification,
    level: int,
    *,
    known: Index,
    now: dt.datetime,
    session: Session,
    body: str | None = None,
) -> Prepared:
    """A step's message with the words prepared for it (or `body`), in a language of whom it goes to.

    Raises Conflict `step_not_open`, `no_target`.
    """
    rung = next((each for each in looked.path.rungs if each.level == level), None)
    if rung is None:
        raise Conflict("step_not_open", "this policy has no such step", where="level")
    target = queries.target(notification, rung.step.target, known, now.date(), session)
    if isinstance(target, str):
        raise Conflict("no_target", "nobody is known who could be told by this step", where="level")
    language = next((tag for tag in target.languages if tag in LANGUAGES), "en")
    with force_locale(language):
        words = body or letter.message(_said(looked, notification, rung, target, session), _)
    assets = notification.assets if rung.step.content == "full" else []
    return Prepared(level=level, target=target, body=words, language=language, assets=assets)


def _said(
    looked: Looked, notification: Notification, rung: Rung, target: Target, session: Session
) -> letter.Said:
    incident = notification.incident
    asked = (each.due_at for each in looked.state.expectations if each.of in CLIMBING)
    team = teams_by_id([notification.team_id], session)[notification.team_id]
    tickets = (event.sealed.get("ticket") for event in reversed(looked.events))
    return letter.Said(
        content=rung.step.content,
        own=target.team == team.slug,
        reference=notification.ref,
        sender=workspace_by_id(notification.workspace_id, session).name,
        team=team.name,
        channel=notification.channel_value,
        sent_at=notification.sent_at,
        asked_for=min(asked, default=None),
        failed=looked.state.transport == "failed",
        ticket=next((ticket for ticket in tickets if ticket), None),
        about=notification.subject or (incident.title if incident else None),
        count=len(notification.assets),
        since=incident.detected_from if incident else None,
        message=notification.body,
        contact=looked.policy.contact,
    )
