"""What falls due: found and claimed among a million open expectations, and 100,000 at once after an outage."""

from __future__ import annotations

import datetime as dt
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from pocdir import config
from pocdir.accounts.actions import create_workspace
from pocdir.app import create_app
from pocdir.core import clock
from pocdir.core.refs import new_ref, new_refs
from pocdir.core.times import isoformat
from pocdir.db import db, table_of, transaction
from pocdir.directory.models import Team
from pocdir.driver import execute_many
from pocdir.ledger.actions import append_all
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.rules.events import Event
from pocdir.outreach import jobs
from pocdir.outreach.models import Expectation, Notification
from pocdir.outreach.queries.due import due_notifications
from pocdir.site.actions.database import upgrade

OPEN = 1_000_000
DUE = 100_000
BATCH = 1000  # notifications in a transaction, two events each
WITHIN, AGO = dt.timedelta(days=2), dt.timedelta(days=9)  # asked for, and how long ago the first was sent
STEP = dt.timedelta(seconds=1)
ROUNDS = 20
_N, _E = table_of(Notification), table_of(Expectation)


def measure(waiting: int = OPEN, due: int = DUE, url: str = "") -> dict[str, float]:
    """Milliseconds of claiming, events a second, seconds of the outage, whether each lapsed once, MB."""
    with tempfile.TemporaryDirectory(prefix="pocdir-bench-due-") as name:
        given = {"POCDIR_DATABASE_URL": url} if url else {}
        app = create_app(config.load({"POCDIR_DATA": name, "POCDIR_LOG_LEVEL": "error", **given}))
        with app.app_context():
            upgrade(db.engine)
            found = _measured(waiting, due, clock.now().replace(microsecond=0))
            db.session.remove()
            db.engine.dispose()
        return found


def _measured(waiting: int, due: int, now: dt.datetime) -> dict[str, float]:
    with transaction() as session:
        lab = create_workspace(session, name="bench", now=now, actor="operator").id
        session.add(
            Team(
                slug="desk", name="Desk", folded_name="desk", kind="provider", created_at=now, updated_at=now
            )
        )
    _wait(waiting, lab, now)
    rate = _log(due, lab, now)
    with transaction() as session:
        session.execute(text("ANALYZE"))
    first = now - AGO + WITHIN
    claims = {
        "nothing due, ms": _claiming(first - STEP),
        "a batch due, ms": _claiming(first + jobs.BATCH * STEP),
        "all due, ms": _claiming(now),
    }
    start = time.perf_counter()
    written = jobs.record_lapses(now)
    outage = time.perf_counter() - start
    return claims | {
        "events a second of CPU": rate, "outage, seconds": outage,
        "each once": float(_each_once(written, due)),
        "peak MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip


def _claiming(now: dt.datetime) -> float:
    """Milliseconds in which a worker finds and locks what is due, by the median."""
    took = []
    for _ in range(ROUNDS):
        with transaction() as session:
            start = time.perf_counter()
            due_notifications(session, now=now, limit=jobs.BATCH)
            took.append(time.perf_counter() - start)
    return 1000 * statistics.median(took)


def _each_once(written: int, due: int) -> bool:
    of = select(func.count(), func.count(LedgerEvent.notification.distinct())).where(
        LedgerEvent.type == "expectation.lapsed"
    )
    lapsed = select(func.count()).where(_E.c.state == "lapsed")
    with transaction() as session:
        return tuple(session.execute(of).one()) == (due, due) and session.scalar(lapsed) == written == due


def _wait(count: int, lab: int, now: dt.datetime) -> None:
    """Open expectations whose time is to come, a notification each."""
    for start in range(0, count, BATCH):
        refs = new_refs(now, min(BATCH, count - start))
        with transaction() as session:
            _keep(session, refs, [now + (start + n) * STEP for n in range(len(refs))], lab, now)


def _log(count: int, lab: int, now: dt.datetime) -> float:
    """Notifications as they are logged, which fell due one after the other; events a second of CPU, the best batch."""
    best = 0.0
    for start in range(0, count, BATCH):
        refs = new_refs(now, min(BATCH, count - start))
        sent = [now - AGO + (start + n) * STEP for n in range(len(refs))]
        with transaction() as session:
            ids = _keep(session, refs, sent, lab, now)
            events = [event for n, ref in enumerate(refs) for event in _logged(ref, ids[n], sent[n], now)]
            before = time.process_time()
            append_all(session, events)
            best = max(best, len(events) / (time.process_time() - before))
    return best


def _logged(ref: str, expectation: str, sent_at: dt.datetime, now: dt.datetime) -> tuple[Event, Event]:
    about: dict[str, Any] = {
        "notification": ref, "team": "desk", "occurred_at": sent_at, "recorded_at": now, "actor": "operator",
        "claimed_by": "sender", "assurance": "S",
    }  # fmt: skip
    told = {
        "kind": "report", "channel": "email", "recipient": "desk@example.org", "answer_asked": True, "language": "en",
        "assets": 0, "subject": "Sinkhole hits",
    }  # fmt: skip
    asked = {"of": "acknowledgement", "within": "P2D", "due_at": isoformat(sent_at + WITHIN), "level": 1}
    return (
        Event(id=new_ref(now), type="notification.logged", payload=told, **about),
        Event(id=expectation, type="expectation.set", payload=asked, **about),
    )


def _keep(
    session: Session, refs: Sequence[str], sent: Sequence[dt.datetime], lab: int, now: dt.datetime
) -> list[str]:
    """The rows of notifications and of what each expects; returns the references of the latter."""
    connection = session.connection()
    last = session.scalar(select(func.coalesce(func.max(_N.c.id), 0))) or 0
    always = {
        "workspace_id": lab, "team_id": 1, "channel_kind": "email", "channel_value": "desk@example.org",
        "kind": "report", "precision": "exact", "language": "en", "tlp": "TLP:AMBER", "assets": [],
        "answer_asked": True, "rules_not_met": [], "created_at": now, "created_by": "operator", "sent_level": "P0",
        "transport": "logged", "response": "awaiting", "outcome": "unknown", "clock": "running",
        "subject": "Sinkhole hits",
    }  # fmt: skip
    rows = [
        {"id": last + n, "ref": ref, "sent_at": at, "due": at + WITHIN, **always}
        for n, (ref, at) in enumerate(zip(refs, sent, strict=True), 1)
    ]
    execute_many(connection, insert(_N), rows)
    ids = new_refs(now, len(rows))
    asked = {"of": "acknowledgement", "within": "P2D", "level": 1, "state": "running"}
    execute_many(
        connection,
        insert(_E),
        [
            {"id": each, "notification_id": row["id"], "due_at": row["due"], **asked}
            for each, row in zip(ids, rows, strict=True)
        ],
    )
    return ids


if __name__ == "__main__":
    for what, figure in measure(*map(int, sys.argv[1:3]), *sys.argv[3:4]).items():
        print(f"{what:26} {figure:10.1f}")
