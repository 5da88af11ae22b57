"""Telling the chosen contacts of a plan: in few statements however many they are, as others wait to write meanwhile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from sqlalchemy import insert
from sqlalchemy.orm import Session

from pocdir.core.errors import Conflict, Invalid
from pocdir.db import table_of
from pocdir.driver import execute_many
from pocdir.incidents.models import Incident
from pocdir.ledger.actions import append_all, append_each
from pocdir.ledger.queries import notifications_by_key
from pocdir.outreach.actions.gates import require_no_control
from pocdir.outreach.actions.notifications import NewNotification, WorkedOut, scope_of, worked_out
from pocdir.outreach.actions.parcels import hand_over
from pocdir.outreach.actions.parents import reported
from pocdir.outreach.actions.projection import add_expectations, columns_of
from pocdir.outreach.actions.threads import keep_threads
from pocdir.outreach.escalation.actions.policies import begin
from pocdir.outreach.models import Notification
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.rules import expectations
from pocdir.outreach.rules.fold import state_of
from pocdir.outreach.rules.plan import Choices, Plan, Planned, asset_as_sent

_NOTIFICATION = insert(table_of(Notification))


def log_chosen(
    session: Session,
    incident: Incident,
    chosen: Choices,
    *,
    plan: Plan,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    once: str = "",
) -> list[str]:
    """Record one notification for each chosen contact of the incident's plan, each with its own parcel.

    `plan` as plan_of made it before the transaction; from the same page (`once`) no contact is logged twice. A
    follow-up follows the incident's last report to its team. Raises Conflict `incident_closed`, `people_at_risk` (when
    the choice was made without knowing it), `control_told`, Invalid `not_in_plan`, `nothing_to_follow`, `thread_full`.
    """
    if incident.closed_at is not None:
        raise Conflict("incident_closed", "the incident is closed; reopen it first", where="choose")
    if incident.people_at_risk and not chosen.people_at_risk:
        message = "people may be at risk, as the incident says by now; say yes to each contact again"
        raise Conflict("people_at_risk", message, where="choose")
    keys = {slug: f"{once}:{slug}" if once else None for slug in chosen.slugs}
    refs = _standing(session, keys, workspace_id)
    contacts = plan.by_slug()
    for slug in keys:
        if slug not in contacts and slug not in refs:
            what = f"{slug[:60]} is not in the plan any more; look again"
            raise Invalid("not_in_plan", what, where="choose")
    fresh = [slug for slug in keys if slug not in refs]
    teams = queries.teams_for_notification(session, fresh, workspace_id=workspace_id)
    followed = reported(session, incident, teams) if chosen.kind == queries.FOLLOW_UP else {}
    named = [asset_as_sent(each) for slug in fresh for each in contacts[slug].assets]
    require_no_control(session, named, incident=incident)
    made = [
        worked_out(
            _new(contacts[slug], incident, chosen), teams[slug], workspace_id=workspace_id, now=now, actor=actor,
            incident=incident, parent=followed.get(slug), key=keys[slug],
        )
        for slug in fresh
    ]  # fmt: skip
    kept = _write(session, made, scope=scope_of(workspace_id), now=now)
    logged = {
        slug: each.row["ref"] for slug, each in zip(fresh, made, strict=True) if each.row["ref"] in kept
    }
    if len(logged) < len(fresh):  # somebody else logged the same meanwhile
        refs = _standing(session, keys, workspace_id)
    taken = {each.team: ref for slug, ref in logged.items() for each in contacts[slug].parcels}
    hand_over(session, incident, taken, now=now, actor=actor)
    keep_threads(session, [each.id for each in followed.values()], now=now)
    return [logged.get(slug) or refs[slug] for slug in keys]


def _standing(session: Session, keys: Mapping[str, str | None], workspace_id: int) -> dict[str, str]:
    """What was logged from the same page before, by slug."""
    asked = {key: slug for slug, key in keys.items() if key is not None}
    found = notifications_by_key(scope_of(workspace_id), list(asked), session)
    return {asked[key]: ref for key, ref in found.items()}


def _new(contact: Planned, incident: Incident, chosen: Choices) -> NewNotification:
    asked, within = chosen.asks(contact), chosen.within
    return NewNotification(
        team=contact.slug, channel=(contact.channel.kind, contact.channel.value), kind=chosen.kind,
        sent_at=chosen.sent_at, body=chosen.message, subject=incident.title,
        assets=[asset_as_sent(each) for each in contact.assets], rows=contact.rows, answer_asked=asked,
        expect=expectations.main_of(chosen.kind, within) if asked and within else None,
    )  # fmt: skip


def _write(session: Session, made: Sequence[WorkedOut], *, scope: str, now: dt.datetime) -> set[str]:
    """Events, rows, what is asked for and paths; returns the references of those whose key did not stand yet."""
    logged = append_each(session, [each.events[0] for each in made], scope=scope)
    events = {each.notification or "": [each] for each in logged}
    made = [each for each in made if each.row["ref"] in events]
    for event in append_all(session, [event for each in made for event in each.events[1:]]):
        events[event.notification or ""].append(event)
    states = {ref: state_of(of) for ref, of in events.items()}
    rows = [each.row | columns_of(states[each.row["ref"]]) for each in made]
    execute_many(session.connection(), _NOTIFICATION, rows)
    ids = queries.ids_of([row["ref"] for row in rows], session)
    add_expectations(session, {ids[ref]: state for ref, state in states.items()})
    if made:
        asking = {ids[ref]: of[0] for ref, of in events.items() if len(of) > 1}
        begin(session, asking, made[0].row, now=now)
    return set(ids)
