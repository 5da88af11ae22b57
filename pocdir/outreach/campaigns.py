"""A campaign: the notifications of a plan's chosen contacts, each letter seen before anything is logged."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from pocdir.accounts.guards import Principal
from pocdir.db import Line
from pocdir.incidents.models import Incident
from pocdir.outreach.actions.chosen import log_chosen
from pocdir.outreach.presentation.letter import letter_of
from pocdir.outreach.queries.notifications import FOLLOW_UP
from pocdir.outreach.queries.snapshots import of_incidents, snapshot
from pocdir.outreach.rules.plan import Choices, Plan, opted_out_kinds
from pocdir.outreach.sending.rules import SEND_FLAGS
from pocdir.outreach.sending.telling import require_sent, send_each

MOST_LETTERS = 100  # shown at once: while they are written nobody else can write
NOT_YET = "00000000-…"  # in place of the reference, which is given when it is logged


def told_already(incident: Incident) -> dict[str, Line]:
    """The incident's notifications that were not taken back, by the slug of the team that got each."""
    return {each.row.team_slug: each.row for each in of_incidents([incident.id]) if not each.row.withdrawn_at}


def suggested(plan: Plan, told: Collection[str], kind: str = "report") -> list[str]:
    """Whom to write to: nobody where people may be at risk, nor who was told (a follow-up: who was not), does not take
    such, or gets a copy."""
    return [
        it.slug
        for it in plan.contacts
        if it.role == "to"
        and not it.held
        and (it.slug in told) == (kind == FOLLOW_UP)
        and kind not in opted_out_kinds(it.team)
    ]


def tell(
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
    """What log_chosen does and, with `send`, the letter of each is queued: all, or none.

    Raises what log_chosen, require_sent and send_each raise.
    """
    require_sent({"send": chosen.send, "plain_text": chosen.plain_text})
    refs = log_chosen(
        session, incident, chosen, plan=plan, workspace_id=workspace_id, now=now, actor=actor, once=once
    )
    if chosen.send:
        said = {name: getattr(chosen, name) for name in SEND_FLAGS}
        given = said | {"sent_at": chosen.sent_at, "people_at_risk": True}
        send_each(session, refs, given, now=now, actor=actor)
    return refs


def letters(
    session: Session,
    incident: Incident,
    chosen: Choices,
    *,
    plan: Plan,
    principal: Principal,
    now: dt.datetime,
) -> list[dict[str, Any]]:
    """What log_chosen would log, each with its letter, the first MOST_LETTERS of it; nothing of it stays.

    All of it is done and undone, so that it is refused for the same and reads the same, but for reference and link.
    """
    some = replace(chosen, choose=chosen.slugs[:MOST_LETTERS])
    done = session.begin_nested()
    try:
        logged = log_chosen(
            session, incident, some, plan=plan, workspace_id=principal.workspace_id or 0, now=now,
            actor=principal.actor,
        )  # fmt: skip
        session.flush()
        return [_letter(ref, principal, session) for ref in logged]
    finally:
        done.rollback()


def _letter(ref: str, principal: Principal, session: Session) -> dict[str, Any]:
    found = snapshot(ref, principal, session)
    row, words = found.row, letter_of(found, link=False)
    return {
        "team": row.team_slug, "name": row.team_name, "language": row.language, "answer_asked": row.answer_asked,
        "due": row.due, "rules_not_met": row.rules_not_met, "to": words["to"],
        "subject": words["subject"].replace(ref, NOT_YET), "body": words["body"].replace(ref, NOT_YET),
    }  # fmt: skip
