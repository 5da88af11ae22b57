"""Policies and paths for the tests of next steps."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Flask

from pocdir.accounts.models import Workspace
from pocdir.db import transaction
from pocdir.outreach import jobs
from pocdir.outreach.escalation.actions import policies
from pocdir.outreach.escalation.jobs import record_steps

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
