"""Sightings on pages and on the command line: first see, then keep; and what became of a case."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from pocdir.cli import pocdir
from tests.accounts import made as people
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.test_presentation import words
from tests.outreach.test_sightings import BASELINE, DEVICES, World


@pytest.fixture
def world(app: Flask, api: Api, now: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    with time_machine.travel(now, tick=False):
        made.teams(now)
        yield World(api, now)


@pytest.fixture
def browser(app: Flask, world: World, now: Any) -> FlaskClient:
    anna = people.person("anna@lab.example", now=now, workspace="lab", role="researcher", password=False)
    return people.browser(app, anna, now=now)


def form(world: World, **more: Any) -> dict[str, Any]:
    return {
        "method": "sinkhole", "window_from": world.at(0)[:16], "window_to": world.at(48)[:16], "action": "preview",
    } | more  # fmt: skip


def test_what_would_be_kept_is_seen_first_and_kept_then(world: World, browser: FlaskClient) -> None:
    url = f"/incidents/{world.ref}/sightings"
    rows = (
        f"value,seen_at\n{DEVICES[0]},{world.at(2)}\n{BASELINE[0]},{world.at(47)}\n192.0.2.9,{world.at(1)}\n"
    )
    preview = browser.post(url, data=form(world, file=(io.BytesIO(rows.encode()), "monday.csv")))
    assert preview.status_code == 200
    assert "192.0.2.9" in preview.text
    assert world.outcome()["assets"]["unknown"] == 2
    upload = re.search(r'name="upload" value="([^"]+)"', preview.text)
    assert upload
    kept = browser.post(url, data=form(world, action="apply", upload=upload[1]))
    assert (kept.status_code, kept.location) == (302, f"/incidents/{world.ref}")
    assert world.outcome()["assets"]["quiet"] == 2
    page = browser.get(f"/incidents/{world.ref}").text
    assert "50\N{NO-BREAK SPACE}% expected without notice" in page.replace("50% ", "50\N{NO-BREAK SPACE}% ")
    assert "<svg" in page
    assert page.index("1 of 2 seen") > page.index("Logged as sent")


def test_wrong_rows_are_shown_and_nothing_can_be_kept(world: World, browser: FlaskClient) -> None:
    text = (
        f"value,seen_at\n{DEVICES[0]},{world.at(2)}\n{DEVICES[1]},{world.at(99)}\nno address,{world.at(1)}\n"
    )
    page = browser.post(f"/incidents/{world.ref}/sightings", data=form(world, text=text))
    assert page.status_code == 422
    assert "line 3" in page.text
    assert "outside the window" in page.text
    assert "line 4" in page.text
    assert 'value="apply"' not in page.text
    assert DEVICES[0] in page.text  # what was pasted is still there
    assert world.api.get(f"/api/v1/incidents/{world.ref}/windows").json["items"] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"text": ""}, {"text": "a,b\n1,2\n"}, {"window_to": "2026-11-01T00:00"}, {"method": "guess"},
        {"window_from": "soon"}, {"action": "apply", "upload": "rubbish"},
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_beside_its_field(
    world: World, browser: FlaskClient, wrong: dict[str, str]
) -> None:
    page = browser.post(f"/incidents/{world.ref}/sightings", data=form(world, text="value,seen_at\n") | wrong)
    assert page.status_code == 422
    assert 'class="err"' in page.text


def test_an_incident_without_sightings_says_what_to_do(world: World, browser: FlaskClient) -> None:
    page = browser.get(f"/incidents/{world.ref}").text
    assert "Nothing was measured yet." in page
    assert f'href="/incidents/{world.ref}/sightings"' in page


def test_who_is_in_no_notification_is_neither_told_nor_baseline(world: World, browser: FlaskClient) -> None:
    """And letters that went out before anybody measured were told before it, not 0 minutes after."""
    items = [{"kind": "ip", "value": "10.0.0.1"}]
    world.api.post(f"/api/v1/incidents/{world.ref}/assets", {"items": items})
    often = [(DEVICES[0], hour) for hour in (25, 45, 59)]
    world.window(24, 60, *often, ("10.0.0.1", 25), (BASELINE[0], 59))
    found = world.outcome()
    assert found["assets"] == {"all": 2, "quiet": 1, "seen": 1, "unknown": 0}
    assert found["untold"] == {"all": 1, "quiet": 1, "seen": 0, "unknown": 0}
    assert found["controls"] == {"all": 2, "quiet": 1, "seen": 1, "unknown": 0}
    page = words(browser, f"/incidents/{world.ref}")
    assert "told 1 1 0 2 not told (baseline) 1 1 0 2 named in no notification 1 0 0 1" in page
    assert "Devices no longer seen: 50" in page
    assert "1 of 2 seen named in no notification: 1 of 1 not told: 1 of 2" in page
    assert "First told 24 h before measuring began." in page
    one = words(browser, f"/notifications/{world.notification}")
    assert "Did the world change still seen" in one
    claim = {"type": "outcome.remediation_claimed", "occurred_at": world.at(30)}
    path = f"/api/v1/notifications/{world.notification}/events"
    assert world.api.post(path, claim).status_code == 201
    # A device was seen after it was said to be done.
    assert sum(row["none"] for row in world.outcome()["matrix"].values()) == 1
    one = words(browser, f"/notifications/{world.notification}")
    assert "Did the world change still seen" in one
    assert "Only what an event says counts here" in words(browser, "/responsiveness")


def test_quiet_after_is_changed_in_the_form(world: World, browser: FlaskClient) -> None:
    page = browser.get(f"/incidents/{world.ref}/edit").text
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert revision
    typed = {"title": "Sinkhole hits", "tlp": "TLP:AMBER", "revision": revision[1], "quiet_after": "P3D"}
    assert browser.post(f"/incidents/{world.ref}/edit", data=typed).status_code == 302
    assert world.api.get(f"/api/v1/incidents/{world.ref}").json["quiet_after"] == "P3D"
    typed = typed | {"quiet_after": "PT1M", "revision": str(int(revision[1]) + 1)}
    assert browser.post(f"/incidents/{world.ref}/edit", data=typed).status_code == 422


def test_a_file_is_brought_on_the_command_line(world: World, tmp_path: Path) -> None:
    file = tmp_path / "seen.csv"
    file.write_text(f"value,seen_at\n{DEVICES[0]},{world.at(1)}\n192.0.2.9,{world.at(1)}\n")
    given = ["incident", "sightings", world.ref, str(file), "--method", "sinkhole"]
    given += ["--from", world.at(0), "--to", world.at(48)]
    run = CliRunner().invoke(pocdir, [*given, "--dry-run"], standalone_mode=False)
    assert (run.return_value, run.stdout.splitlines()) == (
        0,
        [
            "2 rows: 1 sighting of 1 asset",
            "1 row whose value is no asset of this incident: 192.0.2.9",
            "nothing was kept (dry run)",
        ],
    )
    run = CliRunner().invoke(pocdir, [*given, "--json"], standalone_mode=False)
    assert run.return_value == 0, run.output
    assert {name: json.loads(run.stdout)[name] for name in ("rows", "sightings", "strangers", "refused")} == {
        "rows": 2, "sightings": 1, "strangers": 1, "refused": 0,
    }  # fmt: skip
    run = CliRunner().invoke(pocdir, ["incident", "outcome", world.ref, "--json"], standalone_mode=False)
    assert json.loads(run.stdout) == world.outcome()
    assert world.outcome()["assets"]["quiet"] == 2
    assert "no_answer" in CliRunner().invoke(pocdir, ["incident", "outcome", world.ref]).output
    assert world.ref in CliRunner().invoke(pocdir, ["incident", "list"]).output
    changed = ["incident", "change", world.ref, "--quiet-after", "P2D"]
    assert "P2D" in CliRunner().invoke(pocdir, changed).output


def test_a_wrong_row_on_the_command_line_keeps_nothing(world: World) -> None:
    given = [
        "incident",
        "sightings",
        world.ref,
        "-",
        "--method",
        "scan",
        "--from",
        world.at(0),
        "--to",
        world.at(1),
    ]
    run = CliRunner().invoke(
        pocdir,
        given,
        input=f"value,seen_at\n{DEVICES[0]},{world.at(5)}\n{DEVICES[0]},20.11.2026 10:00\n",
        standalone_mode=False,
    )
    assert run.return_value == 1
    assert "line 2" in run.stderr
    assert "'20.11.2026 10:00' is no time that can be read; write 2026-11-22T12:00:00Z" in run.stderr
    assert "2 rows are wrong: nothing was kept" in run.stderr
    assert world.api.get(f"/api/v1/incidents/{world.ref}/windows").json["items"] == []
