"""A small record to look after: a notification, an acknowledgement, a lapse."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import text

from pocdir.db import db, writing
from pocdir.outreach import jobs
from tests.conftest import Api
from tests.outreach import made


def record(api: Api, now: dt.datetime) -> tuple[str, str]:
    """References of two notifications: an acknowledged one, and one whose time passed without an answer."""
    made.teams(now)
    incident = api.post("/api/v1/incidents", {"title": "Café", "description": "203.0.113.7"}).json["ref"]
    assert api.patch(f"/api/v1/incidents/{incident}", {"tlp": "TLP:GREEN", "closed": True}).status_code == 200
    sent = (now - dt.timedelta(days=5)).isoformat()
    refs = []
    for team in ("cert-at", "isp"):
        body = {
            "team": team,
            "sent_at": sent,
            "subject": "Café 203.0.113.7",
            "body": "Grüße",
            "tlp": "TLP:GREEN",
        }
        answer = api.post("/api/v1/notifications", body)
        assert answer.status_code == 201, answer.text
        refs.append(answer.json["ref"])
    path = f"/api/v1/notifications/{refs[0]}/events"
    assert api.post(path, {"type": "ack.given"}).status_code == 201
    assert jobs.record_lapses(now) >= 1
    return refs[0], refs[1]


def tamper(statement: str) -> None:
    """Run it as somebody who holds the database itself and puts the triggers back afterwards."""
    db.session.remove()
    with writing(db.engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
            connection.execute(text(statement))
            return
        triggers = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        ).all()
        for name, _ in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text(statement))
        for _, sql in triggers:
            connection.exec_driver_sql(sql)
