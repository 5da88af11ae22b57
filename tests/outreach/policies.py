"""Policies and paths for the tests of next steps."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.db import db, transaction
from pocdir.ledger.queries import events_of_notification
from pocdir.ledger.rules.events import Event
from pocdir.outreach import jobs
from pocdir.outreach.escalation.actions import policies
from pocdir.outreach.escalation.jobs import record_steps

WHERE = {"assets": [{"kind": "ip", "value": "203.0.113.7", "port": None}]}
FAR = {"target": "resolver", "wait": "P1D"}
ORDER = ("step_due", "no_working_contact", "step_approved", "step_taken", "step_skipped", "exhausted")
STEP = {
    "wait": "P2D", "clock": "elapsed", "target": "resolver", "content": "summary", "approval": False, "repeat": 0,
}  # fmt: skip
POLICY: dict[str, Any] = {
    "name": "National first", "contact": "Duty desk, +43 1 0000", "hours": ["09:00", "17:00"],
    "outcome_within": None, "rest": "P2D", "steps": [STEP],
}  # fmt: skip


def policy(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A policy as its file says it."""
    return POLICY | {"steps": [STEP | step for step in steps]} | more


def chosen(lab: Workspace, now: dt.datetime, *steps: dict[str, Any], **more: Any) -> str:
    """A policy that everything logged in the lab from now on follows; returns its slug."""
    with transaction() as session:
        kept = policies.add(session, policy(*steps, **more), workspace_id=lab.id, now=now, actor="user:a")
        policies.choose(session, kept.slug, workspace_id=lab.id, now=now, actor="user:a")
        return kept.slug


def work(app: Flask, now: dt.datetime) -> int:
    """The worker goes round once."""
    return jobs.record_lapses(now) + record_steps(now)


def steps_of(ref: str) -> list[Event]:
    """What was written down of its steps, by when it happened."""
    db.session.rollback()
    found = (
        e
        for e in events_of_notification(ref)
        if e.type.startswith("escalation.") and e.type != "escalation.set"
    )
    return list(found)


def said(ref: str) -> list[tuple[str, int, dt.datetime]]:
    """(type, level, when) of what is recorded of its steps; of one moment in the order of the path."""
    found = [(e.type.partition(".")[2], e.payload["level"], e.occurred_at) for e in steps_of(ref)]
    return sorted(found, key=lambda each: (each[2], each[1], ORDER.index(each[0])))
