"""The registry on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from flask import Flask

from pocdir import cli
from pocdir.routing.queries import index
from pocdir.routing.rules.indicator import parse
from pocdir.routing.rules.resolver import answer_json, resolve

COUNTRIES = "38.87.230.0,38.87.231.255,DE\n180.222.136.0,180.222.143.0,DE\n"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.run(["registry", "import", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture(autouse=True)
def _no_registry(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = app.extensions["pocdir"]
    monkeypatch.setitem(app.extensions, "pocdir", type(settings)(**{**vars(settings), "data": tmp_path}))


def test_where_an_address_is_located_comes_from_a_file_of_two_lines(
    app: Flask, tmp_path: Path, capsys: pytest.CaptureFixture[str], now: object
) -> None:
    file = tmp_path / "located.csv"
    file.write_text(COUNTRIES)
    code, out, _ = run(capsys, "ip-location-country", str(file), "--as", "located", "--json")
    assert code == 0
    assert json.loads(out)["changed"] is True
    answer = answer_json(resolve(index(), parse("38.87.230.17"), on=now.date()))  # type: ignore[attr-defined]
    assert answer["registry"]["countries"]["located"] == "DE"
    code, out, _ = run(capsys, "ip-location-country", str(file), "--as", "located")
    assert (code, "unchanged" in out) == (0, True)


@pytest.mark.parametrize(
    ("text", "words"),
    [("38.87.230.0,nonsense,DE\n", "located.csv:1"), ("<html></html>", "located.csv"), ("", "")],
)
def test_what_is_no_registry_file_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    file = tmp_path / "located.csv"
    file.write_text(text)
    code, _, err = run(capsys, "ip-location-country", str(file), "--as", "located")
    assert code == 1
    assert words in err
    assert err.count("\n") == 1


def test_a_missing_file_and_an_unknown_format_are_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "ip-location-country", "/nowhere.csv", "--as", "located")[0] == 1
    assert run(capsys, "nonsense", "x")[0] == 2
