"""Steps that may go out by themselves: who takes them, what was approved, and what the record says of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pocdir.accounts.models import Workspace
from pocdir.accounts.queries import team_id_of
from pocdir.db import db, transaction
from pocdir.incidents.actions import open_incident
from pocdir.incidents.models import Incident
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach.desk.actions import choose_automatic
from pocdir.outreach.escalation import queries
from pocdir.outreach.escalation.actions import policies
from tests.latency.made import told
from tests.outreach.policies import WHERE, chosen

STEP = {"target": "resolver", "wait": "P1D"}  # of a report to the provider: the carrier above it
TWO = [
    {"kind": "email", "value": value, "purpose": "incident", "preference": number}
    for number, value in enumerate(("abuse@isp2.example", "second@isp2.example", "third@isp2.example"), 1)
]


def takes(slug: str, *kinds: str, now: dt.datetime) -> None:
    with transaction() as session:
        choose_automatic(session, team_id_of(session, slug), kinds, now=now, actor="user:b")


def approved(lab: Workspace, now: dt.datetime, *steps: dict[str, Any], allowed: bool = True) -> None:
    slug = chosen(lab, now, *steps)
    with transaction() as session:
        found = queries.policy(slug, workspace_id=lab.id, session=session)
        policies.approve_or_stop(session, found, approved=allowed, now=now, actor="user:a")


def reported(lab: Workspace, at: dt.datetime, **more: Any) -> str:
    return told(
        lab,
        at=at,
        **({"team": "isp", "tlp": "TLP:GREEN", "subject": "Hits", "body": "It calls in."} | WHERE | more),
    )


def incident_of(lab: Workspace, now: dt.datetime, **more: Any) -> Incident:
    with transaction() as session:
        return open_incident(
            session, workspace_id=lab.id, now=now, actor="user:a", given={"title": "Hits"} | more
        )


def steps_of(ref: str) -> list[Event]:
    """What was written down of its steps; of one moment in the order of the path."""
    db.session.rollback()
    found = [
        e
        for e in events_of_notification(ref)
        if e.type.startswith("escalation.") and e.type != "escalation.set"
    ]
    return sorted(
        found, key=lambda e: (e.occurred_at, e.payload.get("level", 0), e.type != "escalation.step_due")
    )


def words(ref: str) -> list[str]:
    """What was written down of its steps, with why a step was held."""
    return [
        e.type.removeprefix("escalation.") + (f": {e.payload['reason']}" if e.type.endswith("held") else "")
        for e in steps_of(ref)
    ]
