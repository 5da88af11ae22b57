"""The spreadsheet on the command line."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner, Result
from flask import Flask

from pocdir import cli
from pocdir.accounts.models import Workspace
from pocdir.cli import pocdir
from pocdir.db import changes
from pocdir.outreach.commands.notify import AT_ONCE
from tests.conftest import Api
from tests.outreach import made

SHEET = "Email;Date;Answered;Colour\r\nreports@cert.example;03/04/2026;yes;red\r\n"


@pytest.fixture(autouse=True)
def _teams(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    made.teams(now)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "contacts.csv"


def notify(path: Path, text: str, now: dt.datetime, *options: str) -> Result:
    path.write_text(text)
    with time_machine.travel(now, tick=False):
        return CliRunner().invoke(pocdir, ["notify", "--csv", str(path), *options], standalone_mode=False)


def test_a_dry_run_says_what_would_be_and_what_was_read(path: Path, now: dt.datetime) -> None:
    result = notify(path, SHEET, now, "--month-first", "--dry-run")
    assert result.return_value == 0
    assert result.stdout == "line 2: new cert-at\n"
    assert "contact = Email, date = Date, answered = Answered; not read: Colour" in result.stderr
    assert "1 lines: 1 new, 0 known, 0 refused (dry run, nothing was changed)" in result.stderr


def test_what_a_known_line_gains_is_counted(path: Path, now: dt.datetime) -> None:
    notify(path, SHEET.replace("yes", ""), now, "--day-first")
    result = notify(path, SHEET, now, "--day-first", "--dry-run")
    assert result.stdout == "line 2: gains an answer cert-at\n"
    assert "0 new, 1 gain an answer, 0 known, 0 refused" in result.stderr
    result = notify(path, SHEET, now, "--day-first", "--json")
    line = json.loads(result.stdout)
    assert (line["result"], line["events"], line["sent_at"]) == (
        "gains",
        ["ack.given"],
        "2026-04-03T00:00:00Z",
    )
    assert "0 new, 1 known" in notify(path, SHEET, now, "--day-first").stderr


def test_an_ambiguous_date_is_refused_until_it_is_said_how_it_is_meant(path: Path, now: dt.datetime) -> None:
    refused = notify(path, SHEET, now)
    assert refused.return_value == 1
    assert "line 2: refused reports@cert.example Date: 03/04/2026 may be two days" in refused.stdout
    assert notify(path, SHEET, now, "--day-first", "--month-first").exception is not None


def test_a_long_spreadsheet_is_written_in_steps_and_no_line_is_lost(path: Path, now: dt.datetime) -> None:
    lines = 2 * AT_ONCE + 1
    sheet = "Email,Date,Subject\n" + "".join(
        f"reports@cert.example,2026-03-04,case {n}\n" for n in range(lines)
    )
    before = changes()
    result = notify(path, sheet, now)
    assert changes() == before + 3
    assert f"{lines} lines: {lines} new, 0 known, 0 refused" in result.stderr
    assert f"0 new, {lines} known" in notify(path, sheet, now).stderr


def test_what_is_brought_from_elsewhere_is_refused_where_it_cannot_be(
    app: Flask, lab: Workspace, now: dt.datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    at, later = (moment.isoformat() for moment in (now - dt.timedelta(days=1), now + dt.timedelta(days=1)))
    with time_machine.travel(now, tick=False):
        assert cli.run(["incident", "open", "Hits", "--at", later]) == 1
        assert cli.run(["incident", "open", "Hits", "--class", "weather"]) == 2
        assert cli.run(["incident", "open", "Hits", "--at", at, "--json"]) == 0
        opened = json.loads(capsys.readouterr().out)
        assert opened["created_at"] == "2026-11-21T12:00:00Z"
        for channel in ("email:reports@cert.example", "phone:+43 1 000"):
            told = ["notify", "--team", "cert-at", "--channel", channel, "--sent-at", at, "--json"]
            assert cli.run(told) == 0
        mail, phone = (json.loads(line)["ref"] for line in capsys.readouterr().out.splitlines())
        line = "relay=mx.cert.example[192.0.2.1]:25, status=sent (250 2.0.0 Ok)"
        taken = ["mail", "taken", "--server", "mx.cert.example", "--line", line, "--at"]
        assert cli.run([*taken, at, mail, "--line", "relay=mx.cert.example status=deferred (451)"]) == 1
        assert cli.run([*taken, at, mail, "--line", f"to=<report@cert.example>, {line}"]) == 1
        assert "the line is of another address; it went to reports@cert.example" in capsys.readouterr().err
        assert cli.run([*taken, at, phone]) == 1
        assert cli.run([*taken, later, mail]) == 1
        assert [cli.run([*taken, at, mail]) for _ in range(2)] == [0, 0]
        assert cli.run([*taken, at, mail, "--line", f"to=<reports@CERT.example>, {line}"]) == 0
        assert capsys.readouterr().out == f"{mail} is at P2\n" * 3


def test_what_was_logged_is_listed_shown_and_written_and_its_case_closed(
    app: Flask, lab: Workspace, now: dt.datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*words: str) -> list[dict[str, Any]]:
        assert cli.run([*words, "--json"]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    with time_machine.travel(now, tick=False):
        (case,) = run("incident", "open", "Hits")
        assert cli.run(["notification", "list", "--incident", case["ref"]]) == 1
        capsys.readouterr()
        told = [
            "notify",
            "--team",
            "cert-at",
            "--incident",
            case["ref"],
            "--subject",
            "Look",
            "--asset",
            "203.0.113.7",
        ]
        (logged,) = run(*told)
        run("record", "ack.given", logged["ref"], "--note", "by phone")
        (listed,) = run("notification", "list", "--incident", case["ref"])
        (shown,) = run("notification", "show", logged["ref"])
        assert {name: shown[name] for name in listed} == listed
        assert {it["type"] for it in shown["events"]} == {
            "notification.logged",
            "expectation.set",
            "ack.given",
        }
        (letter,) = run("notification", "letter", logged["ref"])
        (short,) = run("notification", "letter", logged["ref"], "--content", "reference")
        assert ("203.0.113.7" in letter["body"], "203.0.113.7" in short["body"]) == (True, False)
        assert cli.run(["notification", "show", logged["ref"]]) == 0
        assert "by phone" in capsys.readouterr().out
        (closed,) = run(
            "incident", "change", case["ref"], "--close", "--title", "Old hits", "--tlp", "TLP:GREEN"
        )
        assert (closed["title"], closed["tlp"], closed["closed_at"]) == (
            "Old hits",
            "TLP:GREEN",
            "2026-11-22T12:00:00Z",
        )
        (reopened,) = run("incident", "change", case["ref"], "--reopen", "--people-at-risk", "yes")
        assert (reopened["title"], reopened["closed_at"]) == ("Old hits", None)
        assert cli.run(["incident", "change", case["ref"]]) == 2
        assert cli.run(["notification", "letter", case["ref"]]) == 1


def test_words_that_turn_the_reading_direction_are_recorded_by_no_command(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    turned, control = "in order \u202egnihton", "in \x1b[1morder"
    ref = api.post("/api/v1/notifications", {"team": "cert-at"}).json["ref"]
    for words in (turned, control):
        assert cli.run(["record", "ack.given", ref, "--note", words]) == 1
        assert cli.run(["record", "ack.given", ref, "--payload", f"note={json.dumps(words)}"]) == 1
        assert "(payload_invalid)" in capsys.readouterr().err
    assert cli.run(["desk", "answer", "--team", "cert-at", "contest", ref, "--note", turned]) == 2
    assert cli.run(["policy", "steps", ref, "--skip", "1", "--note", turned]) == 2
    assert cli.run(["sending", "allow", "lab", "--note", turned]) == 2
    assert "--note" in capsys.readouterr().err
    assert "ack.given" not in api.get(f"/api/v1/notifications/{ref}/events").text
