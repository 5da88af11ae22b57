"""What falls due, found by the index of what is running and written down in batches."""

from __future__ import annotations

import datetime as dt

import pytest
from flask import Flask
from sqlalchemy import insert, literal, select, text

from pocdir.accounts.models import Workspace
from pocdir.core.refs import new_ref, new_refs
from pocdir.db import db, table_of, transaction
from pocdir.driver import execute_many
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.queries import events_of_notifications
from pocdir.outreach import jobs
from pocdir.outreach.models import Expectation
from pocdir.outreach.queries.due import due_statement
from pocdir.outreach.queries.past_due import PastDue, past_due
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


def misread(ref: str, now: dt.datetime) -> None:
    """A fact of a notification in words that this version cannot read."""
    kept = table_of(LedgerEvent)
    said = {"id": literal(new_ref(now)), "payload": literal({"of": "answer"}, kept.c.payload.type)}
    columns = [said.get(each.name, each) for each in kept.c if each.name not in ("scope", "idempotency_key")]
    names = [each.name for each in kept.c if each.name not in ("scope", "idempotency_key")]
    mine = (kept.c.notification == ref, kept.c.type == "expectation.set")
    with transaction() as session:
        session.execute(insert(kept).from_select(names, select(*columns).where(*mine)))


def lapses_of(ref: str) -> int:
    db.session.rollback()
    return [each.type for each in events_of_notifications([ref])[ref]].count("expectation.lapsed")


def test_what_cannot_be_worked_out_holds_up_nobody_else_and_is_told(
    app: Flask, lab: Workspace, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.teams(now)
    refs = [told(lab, at=now - 9 * DAY + n * HOUR) for n in range(9)]
    for ref in refs[1:4]:
        misread(ref, now - 8 * DAY)
    with (
        transaction() as session
    ):  # nothing that happened speaks of this one, and it is not in the way either
        of = {"of": "answer", "within": "P2D", "level": 1, "state": "running"}
        row = of | {"id": new_ref(now), "notification_id": 1, "due_at": now - 8 * DAY}
        session.execute(insert(table_of(Expectation)), [row])
    monkeypatch.setattr(jobs, "BATCH", 2)
    assert jobs.record_lapses(now) == 6
    assert jobs.record_lapses(now + HOUR / 2) == 0
    assert past_due(now) == PastDue(expectations=4, steps=0, failing=0)
    assert jobs.record_lapses(now + HOUR) == 0
    assert [lapses_of(ref) for ref in refs] == [1, 0, 0, 0, 1, 1, 1, 1, 1]
    unread = [f"notification {ref}: its events cannot be worked out" for ref in refs[1:4]]
    assert [line for line in differences() if "worked out" in line] == unread
