"""`pocdir doctor`: each danger has its line."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import text, update

from pocdir.accounts.models import Workspace
from pocdir.config import Settings
from pocdir.core import clock
from pocdir.db import db, transaction, writing
from pocdir.mail.actions import claim, refuse
from pocdir.outreach import jobs
from pocdir.outreach.actions.lapses import tick
from pocdir.outreach.escalation.models import NotificationPath
from pocdir.site.commands.doctor import doctor
from pocdir.site.queries.checks import checks
from tests.conftest import Api
from tests.mail.made import queued
from tests.outreach.policies import chosen
from tests.site.made import record


def levels(settings: Settings, now: dt.datetime) -> dict[str, str]:
    return {check.name: check.level for check in checks(settings, now)}


@pytest.fixture
def settings(app: Flask, tmp_path: Path) -> Settings:
    tmp_path.chmod(0o700)
    (tmp_path / "secret_key").touch(0o600)
    found: Settings = app.extensions["pocdir"]
    return dataclasses.replace(found, data=tmp_path, secret_key="abcdefghijklmnopqrstuvwxyz0123456789-_ABC")


def test_a_fresh_installation_has_warnings_but_only_postgresql_without_fsync_fails(
    settings: Settings, now: dt.datetime
) -> None:
    found = levels(settings, now)
    durable = settings.sqlite_path is not None
    assert found.pop("database") == ("ok" if durable else "fail")
    assert {name for name, level in found.items() if level == "warn"} == {
        "links", "registry", "directory", "worker"
    }  # fmt: skip
    assert "fail" not in found.values()


def test_what_runs_well_is_all_ok(api: Api, settings: Settings, now: dt.datetime) -> None:
    record(api, now)
    with transaction() as session:
        tick(session, now=now)
    found = levels(settings, now)
    for name in ("migration", "ledger", "directory", "worker", "expectations", "secret", "data", "disk"):
        assert found[name] == "ok", name


def test_a_worker_that_stopped_is_missed(api: Api, settings: Settings, now: dt.datetime) -> None:
    with transaction() as session:
        tick(session, now=now - dt.timedelta(minutes=2))
    assert levels(settings, now)["worker"] == "warn"


def test_what_fell_due_without_its_event_fails(api: Api, settings: Settings, now: dt.datetime) -> None:
    record(api, now)
    later = clock.now() + dt.timedelta(days=30)
    body = {"team": "isp", "sent_at": now.isoformat()}
    assert api.post("/api/v1/notifications", body).status_code == 201
    assert levels(settings, later)["expectations"] == "fail"
    jobs.record_lapses(later)
    assert levels(settings, later)["expectations"] == "ok"


def test_what_waits_in_the_outbox_is_not_past_due_and_a_step_is(
    api: Api, lab: Workspace, settings: Settings, now: dt.datetime
) -> None:
    record(api, now)
    later = clock.now() + dt.timedelta(days=30)
    chosen(lab, now, {})
    assert api.post("/api/v1/notifications", {"team": "isp"}).status_code == 201
    with transaction() as session:
        session.execute(text("UPDATE notifications SET transport = 'queued'"))
        session.execute(text("UPDATE notification_paths SET look_at = NULL"))
    assert levels(settings, later)["expectations"] == "ok"
    with transaction() as session:
        session.execute(update(NotificationPath).values(look_at=later - dt.timedelta(hours=1)))
    assert levels(settings, later)["expectations"] == "fail"


def test_a_missing_trigger_fails(settings: Settings, now: dt.datetime) -> None:
    if db.engine.dialect.name == "postgresql":
        with writing(db.engine) as connection:
            connection.execute(text("ALTER TABLE events DISABLE TRIGGER events_no_update"))
        assert levels(settings, now)["ledger"] == "fail"
        with writing(db.engine) as connection:
            connection.execute(text("ALTER TABLE events ENABLE TRIGGER events_no_update"))
    assert levels(settings, now)["ledger"] == "ok"


def test_a_database_behind_or_beyond_fails(settings: Settings, now: dt.datetime) -> None:
    with writing(db.engine) as connection:
        number = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        assert levels(settings, now)["migration"] == "fail"
    finally:
        with writing(db.engine) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


@pytest.mark.parametrize(
    ("change", "name", "level"),
    [
        ({"secret_key": "0123456701234567012345670123456701234567"}, "secret", "fail"),
        ({"base_url": "http://pocdir.example.org"}, "address", "warn"),
        ({"base_url": "https://pocdir.example.org"}, "address", "ok"),
        ({"base_url": "", "host": "0.0.0.0"}, "address", "warn"),
        ({"base_url": "", "host": "127.0.0.1"}, "address", "ok"),
        ({"base_url": "", "host": "::1"}, "address", "ok"),
        ({"base_url": "", "host": "::1"}, "links", "warn"),
        ({"base_url": "", "host": "0.0.0.0"}, "links", "warn"),
        ({"base_url": "", "host": "192.0.2.7"}, "links", "ok"),
        ({"base_url": "https://pocdir.example.org"}, "links", "ok"),
    ],
)
def test_settings_that_endanger_are_named(
    settings: Settings, now: dt.datetime, change: dict[str, str], name: str, level: str
) -> None:
    assert levels(dataclasses.replace(settings, **change), now)[name] == level


def test_a_secret_that_others_may_read_fails(settings: Settings, now: dt.datetime) -> None:
    (settings.data / "secret_key").chmod(0o644)
    assert levels(settings, now)["data"] == "warn"  # the folder is closed to them
    settings.data.chmod(0o755)
    assert levels(settings, now)["data"] == "fail"


def test_a_damaged_registry_fails(settings: Settings, now: dt.datetime) -> None:
    (settings.data / "registry" / "v1").mkdir(parents=True)
    (settings.data / "registry" / "current").write_text("v1\n")
    assert levels(settings, now)["registry"] == "fail"


def test_the_command_prints_a_json_line_for_each_check(app: Flask) -> None:
    done = CliRunner().invoke(doctor, ["--json"])
    lines = [json.loads(line) for line in done.output.splitlines()]
    assert {"database", "migration", "secret", "disk"} <= {line["check"] for line in lines}
    assert done.exit_code == (1 if any(line["level"] == "fail" for line in lines) else 0)


@pytest.mark.parametrize(
    ("url", "sender", "level"),
    [
        (None, None, "ok"),
        ("smtp://mail.example.org", None, "fail"),
        ("smtp://mail.example.org", "pocdir@example.org", "ok"),
        ("smtp://127.0.0.1:25", "pocdir@example.org", "ok"),
        ("smtp://mail.example.org?starttls=none", "pocdir@example.org", "warn"),
        ("smtps://mail.example.org", "the-incident-response-team@example.org", "warn"),
    ],
)
def test_it_says_whether_mail_is_set_up(
    settings: Settings, now: dt.datetime, url: str | None, sender: str | None, level: str
) -> None:
    given = dataclasses.replace(settings, smtp_url=url, mail_from=sender)
    assert levels(given, now)["mail"] == level


def test_a_letter_that_waits_too_long_or_failed_is_missed(settings: Settings, now: dt.datetime) -> None:
    given = dataclasses.replace(settings, smtp_url="smtp://mail.example.org", mail_from="pocdir@example.org")
    letter = queued(now - dt.timedelta(hours=1))
    assert levels(settings, now)["outbox"] == "ok"  # nobody is late where a person sends
    assert levels(given, now)["outbox"] == "warn"
    with transaction() as session:
        claim(session, now=now, lease=dt.timedelta(minutes=1))
        refuse(session, ref=letter.ref, attempt=1, reason="550", now=now)
    assert levels(settings, now)["outbox"] == "warn"
