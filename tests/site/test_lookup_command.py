"""Whom do I tell? On the command line."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from pocdir import cli
from tests.conftest import ROOT

ANSWER = {
    "status",
    "query",
    "registry",
    "contacts",
    "rejected",
    "notes",
    "directory_version",
    "registry_version",
}


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = cli.run(["lookup", *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def answers(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.usefixtures("cases")
def test_an_object_for_each_in_the_order_asked(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "203.0.113.70", "AT", "hxxp://münchen[.]de/x", "--json")
    assert (code, err) == (0, "")
    found = answers(out)
    assert [answer["query"]["input"] for answer in found] == ["203.0.113.70", "AT", "hxxp://münchen[.]de/x"]
    assert [answer["contacts"][0]["team"]["slug"] for answer in found] == ["tenant", "cert-at", "muenchen"]
    assert all(set(answer) == ANSWER for answer in found)
    assert found == [app.test_client().get("/api/v1/lookup", query_string={"q": q}).json for q in (
        "203.0.113.70", "AT", "hxxp://münchen[.]de/x",
    )]  # fmt: skip


@pytest.mark.usefixtures("cases")
def test_the_exit_code_tells_the_worst_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "AT", "10.0.0.1", "--json")[0] == 0
    code, out, _ = run(capsys, "AF", "AT", "--json")
    assert (code, [answer["status"] for answer in answers(out)]) == (1, ["no_contact", "ok"])
    code, out, err = run(capsys, "AF", "nonsense here", "AT", "--json")
    found = answers(out)
    assert (code, [answer["status"] for answer in found]) == (2, ["no_contact", "invalid", "ok"])
    assert all(set(answer) == ANSWER for answer in found)
    assert found[1]["query"] == {"input": "nonsense here", "kind": None, "value": None}
    assert err == f"pocdir: nonsense here: {found[1]['notes'][0]}\n"


@pytest.mark.usefixtures("cases")
def test_what_narrows_is_taken_and_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "AT", "--sector", "energy", "--json")
    assert answers(out)[0]["contacts"][0]["team"]["slug"] == "energy-cert"
    words = ("--exclude-team", "cert-at", "--exclude-team", "as-holder", "--exclude-country", "DE")
    code, out, _ = run(capsys, "AS64500", *words, "--json")
    assert code == 1
    assert {each["team"]["slug"] for each in answers(out)[0]["rejected"]} == {
        "as-holder",
        "cert-at",
        "cert-de",
    }
    leak = "information-content-security/data-leak"
    _, out, _ = run(capsys, "198.51.100.1", "--kind-of-report", leak, "--json")
    assert answers(out)[0]["contacts"][0]["team"]["slug"] == "cert-at"


@pytest.mark.parametrize(
    "wrong",
    [
        ("AT", "--sector", "%"),
        ("AT", "--kind-of-report", "gossip"),
        ("AT", "--exclude-team", "nobody"),
        ("AT", "--exclude-country", "ZZ"),
        ("AT", "--unknown"),
        (),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(
    app: Flask, capsys: pytest.CaptureFixture[str], wrong: tuple[str, ...]
) -> None:
    code, out, err = run(capsys, *wrong)
    assert (code, out) == (2, "")
    assert err.startswith("pocdir: ")
    assert err.count("\n") == 1


@pytest.mark.usefixtures("cases")
def test_a_person_reads_who_how_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "38.87.230.17", "203.0.113.70", "AF", "--exclude-team", "tenant")
    assert code == 1
    for words in (
        "AS174, Cogent Communications, registered in US, located in DE (registry of 2026-06-17)",
        "to        CERT US  (cert-us, national, US)",
        "email: cert@us.example  (unverified)",
        "why: registered country  (country US; list, 2026-06-17)",
        "ruled out: tenant (excluded by the asker: this team)",
        "no contact is known for this",
        "note: no national PoC known for AF",
    ):
        assert words in out


def test_nothing_reaches_the_terminal_that_it_would_obey(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ("\x1b[31mred\x1b[0m", "http://example.org/\x9b2J", "x\udc80y")
    code, out, err = run(capsys, *wrong)
    assert code == 2
    assert all(character.isprintable() or character == "\n" for character in out + err)
    _, out, err = run(capsys, *wrong, "--json")
    assert [answer["query"]["input"] for answer in answers(out)] == [*wrong]
    assert all(character.isprintable() or character == "\n" for character in out + err)


@pytest.mark.usefixtures("cases")
def test_lines_of_standard_input_are_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = io.BytesIO("AT\n\n  münchen.de \n".encode() + b"\xff\xfe\n")
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=typed))
    code, out, err = run(capsys, "CH", "-", "--json")
    assert code == 2
    assert [answer["query"]["input"] for answer in answers(out)] == ["CH", "AT", "münchen.de", "\ufffd" * 2]
    assert err.count("\n") == 1


def test_it_starts_without_what_serves_pages(tmp_path: Path) -> None:
    upgrade = "from pocdir import cli; cli.run(['db', 'upgrade'])"
    lookup = (
        "import json, sys; from pocdir import cli; print(cli.run(['lookup', '193.0.6.139', '--json']));"
        "print(json.dumps(sorted(sys.modules)))"
    )
    for program in (upgrade, lookup):
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"POCDIR_DATA": str(tmp_path), "PYTHONPATH": str(ROOT), "PATH": ""},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
    answer, code, modules = done.stdout.splitlines()
    assert json.loads(answer)["status"] == "no_contact"
    assert code == "1"
    unneeded = {"pocdir.app", "flask_security", "flask_smorest", "alembic", "structlog", "email_validator"}
    assert not unneeded & set(json.loads(modules))
