"""`pocdir ledger verify` finds what was changed behind the service's back."""

from __future__ import annotations

import base64
import datetime as dt
import json

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import text

from pocdir.db import db, transaction, writing
from pocdir.ledger.actions import append
from pocdir.site.commands.ledger import ledger
from pocdir.site.queries.ledger import verified
from tests.conftest import Api
from tests.site.made import record, tamper


def faults() -> str:
    return "\n".join(verified().faults)


def test_an_empty_ledger_verifies(app: Flask) -> None:
    found = verified()
    assert (found.events, found.erased, found.faults) == (0, 0, ())


def test_an_untouched_record_verifies_and_its_head_follows_its_events(api: Api, now: dt.datetime) -> None:
    record(api, now)
    before = verified()
    assert before.faults == ()
    assert before.events > 4
    with transaction() as session:
        append(session, type="ping.sent", now=now, actor="service", claimed_by="service", team="isp")
    after = verified()
    assert after.faults == ()
    assert after.events == before.events + 1
    assert after.head != before.head


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE events SET actor = 'user:somebody-else' WHERE type = 'ack.given'", "in actor"),
        ("UPDATE events SET occurred_at = recorded_at WHERE type = 'notification.logged'", "in occurred_at"),
        ("UPDATE events SET team = 'mute' WHERE team = 'isp'", "in team"),
        ("UPDATE events SET payload = '{}' WHERE type = 'notification.logged'", "in payload"),
        ("UPDATE events SET inner = leaf WHERE type = 'ack.given'", "its inner event cannot be read"),
        ("UPDATE events SET salt = inner WHERE type = 'ack.given'", "its leaf is not that of"),
        ("""UPDATE event_values SET value = '"other@cert.example"' WHERE name = 'recipient'""", "in sealed"),
        ("DELETE FROM event_values WHERE name = 'recipient'", "'recipient' is gone"),
        ("DELETE FROM events WHERE type = 'ack.given'", "differs from its events in response"),
        ("UPDATE notifications SET response = 'acknowledged'", "differs from its events in response"),
        ("UPDATE expectations SET state = 'stopped' WHERE state = 'lapsed'", "in expectations"),
        ("UPDATE notifications SET due = created_at", "in due"),
        ("UPDATE notifications SET channel_value = 'other@cert.example'", "in channel_value"),
        ("UPDATE notifications SET body_digest = 'sha256:0'", "in body_digest"),
        ("UPDATE notifications SET sent_at = created_at", "in sent_at"),
        ("UPDATE notifications SET language = 'fr'", "in language"),
        ("DELETE FROM expectations", "in expectations"),
    ],
)
def test_every_change_of_the_record_is_found(api: Api, now: dt.datetime, statement: str, found: str) -> None:
    record(api, now)
    if '"inner"' not in statement:  # a word of SQL on PostgreSQL
        statement = statement.replace("inner", '"inner"')
    tamper(statement)
    assert found in faults()


def test_a_value_that_was_erased_with_its_event_leaves_the_record_whole(api: Api, now: dt.datetime) -> None:
    ref, _ = record(api, now)
    with transaction() as session:
        erased = session.execute(
            text("SELECT id FROM events WHERE type = 'notification.logged' AND notification = :ref"),
            {"ref": ref},
        ).scalar_one()
        session.execute(text("DELETE FROM event_values WHERE event = :event"), {"event": erased})
        append(
            session, type="event.redacted", now=now, actor="service", claimed_by="service",
            payload={"event": erased, "reason": "retention"},
        )  # fmt: skip
    found = verified()
    assert found.faults == ()
    assert found.erased > 0


def test_a_missing_trigger_is_found(app: Flask) -> None:
    with writing(db.engine) as connection:
        on = " ON events" if connection.dialect.name == "postgresql" else ""
        name, sql = "events_no_delete", ""
        if not on:
            sql = connection.execute(
                text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": name}
            ).scalar_one()
        connection.execute(text(f"DROP TRIGGER {name}{on}"))
    try:
        assert "trigger events_no_delete: missing or disabled" in faults()
    finally:
        db.session.remove()
        with writing(db.engine) as connection:
            connection.exec_driver_sql(
                sql
                or "CREATE TRIGGER events_no_delete BEFORE DELETE ON events FOR EACH STATEMENT "
                "EXECUTE FUNCTION refuse_rewrite('the ledger is append-only')"
            )
    assert faults() == ""


def test_the_command_prints_the_head_and_exits_by_the_verdict(api: Api, now: dt.datetime) -> None:
    record(api, now)
    done = CliRunner().invoke(ledger, ["verify"])
    assert done.exit_code == 0
    assert verified().head in done.output
    tamper("UPDATE notifications SET response = 'engaged'")
    refused = CliRunner().invoke(ledger, ["verify", "--json"])
    assert refused.exit_code == 1
    assert len(json.loads(refused.output)["faults"]) == 2


def test_the_export_is_the_leaves_alone(api: Api, now: dt.datetime) -> None:
    record(api, now)
    lines = [json.loads(line) for line in CliRunner().invoke(ledger, ["export"]).output.splitlines()]
    assert len(lines) == verified().events
    for line in lines:
        assert list(line) == ["leaf"]
        leaf = json.loads(base64.b64decode(line["leaf"]))
        assert sorted(leaf) == ["digest", "v"]
