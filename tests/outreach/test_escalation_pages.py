"""Policies and next steps in the browser and on the command line."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import time_machine
import yaml
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts.models import Workspace
from pocdir.cli import pocdir
from tests.accounts import made as people
from tests.latency.made import DAY, told
from tests.outreach import made
from tests.outreach.browsing import send
from tests.outreach.policies import FAR, POLICY, WHERE, chosen, said, work


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Iterator[Any]:
    made.teams(now - 400 * DAY)
    made.carrier(now - 400 * DAY)
    with time_machine.travel(now, tick=False) as moved:
        yield moved


@pytest.fixture
def browser(app: Flask, lab: Workspace, now: dt.datetime) -> FlaskClient:
    """An owner of the lab, signed in."""
    return people.browser(app, people.person(now=now, workspace="lab", role="owner"), now=now)


def text(client: FlaskClient, path: str) -> str:
    return html.unescape(client.get(path).text)


def test_a_policy_is_written_tried_and_kept(browser: FlaskClient) -> None:
    typed = {"name": "By hand", "rest": "P2D", "steps.0.target": "national", "steps.0.wait": "P1D",
             "steps.0.clock": "working", "steps.0.content": "full", "steps.0.repeat": "2",
             "hours.0": "08:00", "hours.1": "12:00", "steps.1.target": "", "steps.1.wait": "P2D",
             "example_team": "cert-at", "example_start": "2026-11-20T12:00"}  # fmt: skip
    tried = send(browser, "/policies", action="try", **typed)
    assert tried.status_code == 200, tried.text
    assert "Nothing is kept yet" in tried.text
    assert "There is no policy yet" in text(browser, "/policies")
    kept = send(browser, "/policies", action="keep", **typed)
    assert (kept.status_code, kept.location) == (302, "/policies/by-hand")
    shown = text(browser, kept.location)
    assert (shown.count("the national team"), "08:00–12:00" in shown) == (3, True)
    assert send(browser, "/policies/default", "/policies", policy="by-hand").status_code == 302
    assert "of the workspace" in text(browser, "/policies")
    for wrong, word in (
        ({"name": ""}, "Nothing was saved"),
        ({"example_team": "nobody"}, "<p>No team has the slug"),
        (
            {"example_team": "nobody", "steps.4.target": "global"},
            '<details class="fold" open><summary>More steps',
        ),
        ({"hours.1": "08:30"}, "by an hour at least"),
        ({"steps.0.target": ""}, 'id="f-steps-0-target-error">From 1 to 12 steps are right'),
    ):
        refused = send(browser, "/policies", action="try", **(typed | wrong))
        assert (refused.status_code, word in refused.text) == (422, True)


def test_the_next_step_stands_on_the_page_and_the_list_and_is_taken(
    app: Flask, lab: Workspace, browser: FlaskClient, now: dt.datetime, clock: Any
) -> None:
    chosen(lab, now - 9 * DAY, FAR | {"content": "full"}, FAR | {"target": "national"}, FAR)
    ref = told(lab, at=now - 3.5 * DAY, team="isp", subject="Sinkhole hits", **WHERE)
    work(app, now)
    at = f"/notifications/{ref}/steps"
    told(lab, at=now - 5 * DAY, team="cert-at", subject="No path", kind="ping")
    assert "The next contact by routing" in text(browser, "/unanswered")
    work(app, now)
    listed = [
        re.findall(r'href="/notifications/([\w-]+)"', text(browser, f"/unanswered?sort={sort}step"))
        for sort in ("", "-")
    ]
    assert (listed[0][0], listed[1][-1]) == (ref, ref)
    narrowed = [
        f"/notifications/{ref}" in text(browser, f"/unanswered?step={step}")
        for step in ("due", "ahead", "none")
    ]
    assert narrowed == [True, False, False]
    page = text(browser, f"/notifications/{ref}")
    assert "Carrier" in page
    assert "Suggested since" in page
    shown = text(browser, at)
    for words in ("lab wrote to ISP abuse desk", "+43 1 0000", "abuse@carrier.example"):
        assert words in shown, words

    assert send(browser, at, action="skip", level="1").status_code == 422  # without a reason
    assert send(browser, at, action="pause").status_code == 302
    assert send(browser, at, action="take", level="1", body="x").status_code == 409
    assert "paused" in text(browser, at).lower()
    clock.shift(60)
    assert send(browser, at, action="resume").status_code == 302
    done = send(browser, at, action="take", level="1", body="In my own words.")
    assert done.status_code == 302
    letter = text(browser, done.location)
    assert "In my own words." in letter
    assert "abuse@carrier.example" in letter
    clock.shift(60)
    told_more = send(browser, at, action="take", level="2", body="Read this first.")
    letter = text(browser, told_more.location)
    assert "Read this first." in letter  # a summary, and the sender's own words for this reader
    assert "lab wrote to ISP abuse desk" in letter
    clock.shift(60)
    assert send(browser, at, action="skip", level="3", note="They know.").status_code == 302
    assert [each[:2] for each in said(ref)] == [
        ("step_due", 1),
        ("step_taken", 1),
        ("step_taken", 2),
        ("step_skipped", 3),
    ]


def test_a_policy_is_a_file(app: Flask, lab: Workspace, now: dt.datetime, tmp_path: Path) -> None:
    def run(*words: str) -> list[str]:
        done = CliRunner().invoke(pocdir, ["policy", *words], standalone_mode=False)
        assert (done.exit_code, done.exception) == (0, None), done.output
        return done.output.splitlines()

    as_yaml, as_json = tmp_path / "policy.yaml", tmp_path / "policy.json"
    as_yaml.write_text(yaml.safe_dump(POLICY).replace("'", ""))
    as_json.write_text(json.dumps(POLICY))
    assert run("add", str(as_yaml)) == run("add", str(as_json)) == ["national-first, version 1"]
    assert yaml.safe_load("\n".join(run("show", "national-first")))["steps"] == POLICY["steps"]
    odd = tmp_path / "odd.json"
    odd.write_text(json.dumps(POLICY | {"name": "Null", "contact": "null"}))
    run("add", str(odd))
    shown = run("show", "null")
    assert "- '09:00'" in shown and "- '17:00'" in shown
    as_yaml.write_text("\n".join(shown))
    assert run("add", str(as_yaml)) == ["null, version 1"]  # what is shown is a file that says the same
    assert run("choose", "national-first") == ["follows national-first"]
    assert run("list")[1:] == ["national-first\t1\t1\tyes", "null\t1\t1\t"]
    table = json.loads(run("timetable", "national-first", "--start", "2026-11-20T12:00:00Z", "--json")[0])
    assert [each["due_at"] for each in table["steps"]] == ["2026-11-22T12:00:00Z"]
    ref = told(lab, at=now - 3.5 * DAY, team="isp", **WHERE)
    assert run("steps", ref) == [
        "step\tstate\tdue\ttarget\tcontent",
        "1\tahead\t2026-11-23T00:00:00Z\tresolver\tsummary",
    ]
    assert run("steps", ref, "--take", "1")[0].startswith("logged ")
    assert json.loads(run("steps", ref, "--json")[0])["steps"][0]["state"] == "taken"
    as_yaml.write_text("a: &a [1]\nb: *a\n")
    refused = CliRunner().invoke(pocdir, ["policy", "add", str(as_yaml)], standalone_mode=False)
    assert refused.exit_code != 0
