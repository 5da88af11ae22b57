"""A start, or a command, that cannot be: it says why in one line, what to do, and leaves nothing behind."""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pocdir import cli
from tests.site.service import environment, one_line, pocdir


@dataclass(frozen=True)
class Said:
    """What a command said that ran in the tests' own process, which saves a start of the interpreter."""

    returncode: int
    stdout: str
    stderr: str


Here = Callable[..., Said]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    def run(*words: str, data: Path, **more: str) -> Said:
        for name, value in ({"POCDIR_DATA": str(data), "POCDIR_PORT": "0"} | more).items():
            monkeypatch.setenv(name, value)
        return Said(cli.run(words), *capsys.readouterr())

    return run


def test_a_taken_port_is_said_before_anything_is_touched(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = pocdir("up", environ=environment(tmp_path / "data", POCDIR_PORT=port))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"cannot listen on 127.0.0.1:{port}" in one_line(refused.stderr)
    assert not (tmp_path / "data").exists()


ASKING = [
    ("lookup", "192.0.2.1"),
    ("user", "create", "anna@example.org"),
    ("token", "list", "--workspace", "main"),
    ("registry", "import", "iptoasn", "FILE"),
    ("directory", "export", "pocdir-json"),
    ("notify", "--team", "cert-at"),
    ("unanswered",),
    ("latency",),
    ("ledger", "verify"),
    ("doctor",),
    ("backup", "FILE"),
    ("db", "check"),
    ("serve",),
    ("worker", "--once"),
]


@pytest.mark.parametrize("words", ASKING, ids=" ".join)
def test_a_command_in_a_wrong_folder_says_what_to_do_and_leaves_nothing(
    here: Here, tmp_path: Path, words: tuple[str, ...]
) -> None:
    words = tuple(str(tmp_path / "file") if word == "FILE" else word for word in words)
    (tmp_path / "file").write_text("{}")
    refused = here(*words, data=tmp_path / "data")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "run `pocdir up`" in one_line(refused.stderr)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_text() == "{}"


def test_a_command_on_an_empty_database_says_what_to_do(here: Here, tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("k" * 43)
    sqlite3.connect(tmp_path / "pocdir.db").close()
    for words in (("lookup", "192.0.2.1"), ("user", "link", "anna@example.org"), ("unanswered",)):
        refused = here(*words, data=tmp_path)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "run `pocdir up`" in one_line(refused.stderr)


@pytest.mark.parametrize(
    ("setting", "value", "word"),
    [
        ("POCDIR_PROT", "80", "POCDIR_PROT is no setting"),
        ("POCDIR_TICK", "soon", "POCDIR_TICK='soon'"),
        ("POCDIR_HOST", "not an address", "cannot listen on"),
        ("POCDIR_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x", "the database says"),
        ("POCDIR_DATABASE_URL", "sqlite:////proc/nowhere/pocdir.db", "cannot keep data in /proc/nowhere"),
        ("POCDIR_DATABASE_URL", "sqlite:////etc/passwd", "file is not a database"),
    ],
)
def test_a_start_that_cannot_be_says_why_in_one_line(
    tmp_path: Path, setting: str, value: str, word: str
) -> None:
    refused = pocdir("up", environ=environment(tmp_path / "data", **{setting: value}))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert word in one_line(refused.stderr)
    assert not list(tmp_path.iterdir()), "a start that cannot be leaves nothing behind"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = pocdir("up", environ=environment(tmp_path / "file" / "data"))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"cannot keep data in {tmp_path / 'file' / 'data'}" in one_line(refused.stderr)
