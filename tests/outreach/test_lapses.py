"""What falls due, found by the index of what is running and written down in batches."""

from __future__ import annotations

import datetime as dt

import pytest
from flask import Flask
from sqlalchemy import insert, text

from pocdir.accounts.models import Workspace
from pocdir.core.refs import new_refs
from pocdir.db import db, execute_many, table_of, transaction
from pocdir.ledger.queries import events_of_notifications
from pocdir.outreach import jobs
from pocdir.outreach.models import Expectation
from pocdir.outreach.queries.notifications import due_statement
from pocdir.outreach.queries.projections import differences
from tests.latency.made import DAY, event, told
from tests.outreach import made

HOUR = dt.timedelta(hours=1)


def test_what_is_due_is_found_by_the_index_of_what_is_running(
    app: Flask, lab: Workspace, now: dt.datetime
) -> None:
    made.teams(now)
    told(lab, at=now)
    with transaction() as session:
        rows = [
            {
                "id": ref, "notification_id": 1, "of": "answer", "within": "P2D", "level": 1,
                "due_at": now + n * HOUR, "state": ("running", "lapsed", "stopped")[n % 3],
            }
            for n, ref in enumerate(new_refs(now, 5000))
        ]  # fmt: skip
        execute_many(session.connection(), insert(table_of(Expectation)), rows)
        session.execute(text("ANALYZE"))
        raw = due_statement(now + DAY, jobs.BATCH).compile(db.engine, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if db.engine.dialect.name == "sqlite" else "EXPLAIN"
        plan = "\n".join(str(row) for row in session.execute(text(f"{explain} {raw}".replace(":", r"\:"))))
    assert "ix_expectations_due" in plan
    assert "Seq Scan on expectations" not in plan
    assert "SCAN expectations" not in plan


def test_however_much_fell_due_at_once_each_is_recorded_once(
    app: Flask, lab: Workspace, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.teams(now)
    refs = [told(lab, at=now - 9 * DAY + n * HOUR) for n in range(11)]
    event(lab, refs[3], "ack.given", at=now - 8 * DAY)
    monkeypatch.setattr(jobs, "BATCH", 4)
    assert jobs.record_lapses(now) == 10
    assert jobs.record_lapses(now) == 0
    for n, ref in enumerate(refs):
        lapsed = [it for it in events_of_notifications([ref])[ref] if it.type == "expectation.lapsed"]
        due = [] if n == 3 else [now - 7 * DAY + n * HOUR]
        assert [it.occurred_at for it in lapsed] == due
    assert list(differences()) == []
