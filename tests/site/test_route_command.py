"""`pocdir route`: a file becomes a folder of parcels."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import pytest
from flask import Flask

from pocdir import cli
from pocdir.directory.rules.record import Directory
from pocdir.routing.rules.index import Index
from tests.routing.directories import directory, prefix, team

KNOWN: Directory = directory(team("isp", prefix("5.5.5.0/24")), team("tenant", prefix("5.5.5.64/28")))
FILE = b"ip,note\n5.5.5.1,a\n5.5.5.70,b\n6.6.6.6,c\n10.0.0.1,d\nx,e\n"


@pytest.fixture(autouse=True)
def _known(app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    index = Index.build(KNOWN, None)
    monkeypatch.setattr("pocdir.site.commands.route.index", lambda: index)
    settings = app.extensions["pocdir"]
    monkeypatch.setitem(
        app.extensions, "pocdir", type(settings)(**{**vars(settings), "data": tmp_path / "data"})
    )


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.run(["route", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_a_file_becomes_a_folder_of_parcels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hits.csv").write_bytes(FILE)
    code, out, err = run(capsys, str(tmp_path / "hits.csv"), "--out", str(tmp_path / "parcels"))

    assert code == 0
    assert "5  rows" in out
    assert "1  invalid: no indicator, or a wrong one" in out
    assert "1\tisp\tISP\tisp@example.org" in out
    assert err == "5 rows\n"
    names = {path.name for path in (tmp_path / "parcels").iterdir()}
    assert names == {"isp.csv", "tenant.csv", "unrouted.csv", "manifest.json"}


def test_json_is_the_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hits.csv.gz").write_bytes(gzip.compress(FILE))
    code, out, _ = run(
        capsys,
        str(tmp_path / "hits.csv.gz"),
        "--out",
        str(tmp_path / "p"),
        "--json",
        "--exclude-team",
        "tenant",
    )

    told = json.loads(out)
    assert code == 0
    assert told == json.loads((tmp_path / "p" / "manifest.json").read_text())
    assert [(each["team"], each["rows"]) for each in told["parcels"]] == [("isp", 2)]


def test_a_summary_counts_and_makes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(FILE)))
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(capsys, "-", "--summary", "--json")

    told = json.loads(out)
    assert code == 0
    assert [told[name] for name in ("rows", "routed", "no_contact", "not_routable", "invalid")] == [
        5,
        2,
        1,
        1,
        1,
    ]
    assert {path.name for path in tmp_path.iterdir()} <= {"data"}


def test_what_is_no_report_and_what_is_in_the_way_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.html").write_text("<html></html>")
    (tmp_path / "hits.csv").write_bytes(FILE)

    assert run(capsys, str(tmp_path / "page.html"), "--out", str(tmp_path / "p"))[0] == 1
    assert run(capsys, str(tmp_path / "missing.csv"), "--out", str(tmp_path / "p"))[0] == 1
    code, _, err = run(capsys, str(tmp_path / "hits.csv"), "--out", str(tmp_path))
    assert (code, err.count("\n")) == (1, 1)
    assert "holds other things" in err
    assert not (tmp_path / "p").exists()


def test_the_purpose_chooses_the_addresses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hits.csv").write_bytes(FILE)
    words = (
        "--out",
        str(tmp_path / "p"),
        "--json",
        "--purpose",
        "vulnerability",
        "--exclude-host",
        "military",
    )
    code, out, _ = run(capsys, str(tmp_path / "hits.csv"), *words)

    assert code == 0
    assert {each["channel"]["purpose"] for each in json.loads(out)["parcels"]} == {"incident"}


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--summary", "--out", "x"],
        ["--out", "x", "--exclude-team", "nobody"],
        ["--out", "x", "--exclude-host", "spies"],
        ["--out", "x", "--purpose", "gossip"],
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    (tmp_path / "hits.csv").write_bytes(FILE)

    assert run(capsys, str(tmp_path / "hits.csv"), *words)[0] == 2
