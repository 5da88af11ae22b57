"""What the options of a command say."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from pocdir import cli
from pocdir.accounts.models import Workspace

WINDOW = ("--method", "sinkhole", "--to", "2026-11-17T00:00:00Z")
WRONG = [
    (
        ("policy", "choose", "x", "--notification", "y", "--not-before", "bad"),
        "'--not-before': 'bad' is no",
    ),
    (
        ("policy", "timetable", "x", "--start", "2026-11-17"),
        "'--start': '2026-11-17' is no time with a zone",
    ),
    (("policy", "steps", "x", "--at", ""), "'--at': '' is no time"),
    (("policy", "due", "--take", "x"), "'--take': 'x': a reference, a colon"),
    (("notify", "--team", "x", "--sent-at", "yesterday"), "'--sent-at': "),
    (("notify", "--team", "x", "--expect", "acknowledgement:P1M"), "--expect.0.within: "),
    (("notify", "--team", "x", "--asset", "\x1f"), "--asset.0"),
    (("unanswered", "--older-than", "P1M"), "'--older-than': 'P1M' is no length of time"),
    (("unanswered", "--due-before", "bad"), "'--due-before': "),
    (("incident", "open", "x", "--detected-from", "bad"), "--detected-from: "),
    (("incident", "open", "x", "--quiet-after", "PT1S"), "--quiet-after: "),
    (("incident", "open", "", "--class", "weather"), "TITLE: "),
    (("incident", "change", "x", "--quiet-after", "PT1S"), "--quiet-after: "),
    (("incident", "sightings", "x", "-", *WINDOW, "--from", "bad"), "'--from': "),
    (("record", "ack.given", "x", "--at", "bad"), "'--at': "),
    (("mail", "taken", "x", "--server", "mx.example.org", "--line", "250", "--at", "bad"), "'--at': "),
    (("lookup", "AT", "--exclude-country", "ZZ"), "--exclude-country: "),
    (("lookup", "AT", "--as-of", "bad"), "--as-of: "),
]


def test_a_wrong_value_is_wrong_usage_and_names_its_option(
    app: Flask, lab: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    for wrong, named in WRONG:
        assert cli.run(wrong) == 2, wrong
        said = capsys.readouterr()
        assert named in said.err
        assert (said.out, said.err.count("\n")) == ("", 1)


def test_a_file_that_cannot_be_read_is_wrong_usage(
    app: Flask, lab: Workspace, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for reading in (("policy", "add"), ("notify", "--csv"), ("incident", "assets", "x")):
        for missing in (tmp_path / "none", tmp_path):
            assert cli.run([*reading, str(missing)]) == 2
            assert f"cannot read {missing}: " in capsys.readouterr().err
