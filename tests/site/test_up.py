"""`pocdir up` as a person runs it: first start, second start, wrong places, sudden ends."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.postgres import database
from tests.site.service import environment, one_line, pocdir, running

WELCOME = re.compile(r"http://\S+/welcome/\S+")
NEVER_SERVED = {"pandas", "scipy", "lifelines", "matplotlib", "alembic", "polars"}


@dataclass(frozen=True)
class Place:
    """A folder and a database that a first start has filled."""

    data: Path
    url: str | None
    first_words: str

    def environ(self, **more: str) -> dict[str, str]:
        return environment(self.data, self.url, **more)


@pytest.fixture(scope="module")
def filled_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """What the first start leaves behind, of two at once."""
    folder = tmp_path_factory.mktemp("up")
    with running(folder, "up", environ=environment(folder / "data")) as second:
        first = first_start(folder, None)
        assert second.stop() == 0
    words = sorted((first.first_words, second.said), key=len)
    assert "Migrated" not in words[0]
    assert "Loading" not in words[0]
    return Place(first.data, None, words[1])


@pytest.fixture(scope="module")
def filled_postgresql(tmp_path_factory: pytest.TempPathFactory, postgresql_url: str) -> Iterator[Place]:
    """The same on PostgreSQL."""
    with database(postgresql_url, "first_start") as url:
        yield first_start(tmp_path_factory.mktemp("up"), url)


@pytest.fixture(params=("sqlite", "postgresql"))
def filled(request: pytest.FixtureRequest) -> Place:
    """The same on each database."""
    place: Place = request.getfixturevalue(f"filled_{request.param}")
    return place


@pytest.fixture
def copied(filled_sqlite: Place, tmp_path: Path) -> Place:
    """A copy of the filled folder, to be spoiled."""
    shutil.copytree(filled_sqlite.data, tmp_path / "data")
    return Place(tmp_path / "data", None, "")


def first_start(folder: Path, url: str | None) -> Place:
    with running(folder, "up", environ=environment(folder / "data", url)) as service:
        assert service.health()[0] == 200
        assert service.stop() == 0
    return Place(folder / "data", url, service.said)


def test_the_first_start_migrates_seeds_and_prints_a_link_for_the_first_admin(filled: Place) -> None:
    assert "Migrated the database to " in filled.first_words
    assert "teams" in filled.first_words
    assert len(WELCOME.findall(filled.first_words)) == 1
    *_, ready, empty, said, link = filled.first_words.splitlines()
    assert ready.startswith("pocdir is ready at http://127.0.0.1:")
    assert (empty, said) == (
        "", "No admin has chosen a password yet. Open this link once to become the first:"
    )  # fmt: skip
    assert WELCOME.search(link), "the last thing that is said"


def test_the_second_start_repeats_nothing_but_the_link(filled: Place, tmp_path: Path) -> None:
    with running(tmp_path, "up", environ=filled.environ()) as service:
        assert service.logged == "", "sentences alone until it is ready"
        elsewhere = {name: value for name, value in filled.environ().items() if name != "POCDIR_PORT"}
        shown = pocdir("user", "link", "admin@localhost", environ=elsewhere)
        assert shown.stdout.startswith(service.url), "a command beside it leads to the address that is served"
        assert "Migrated" not in service.said
        assert "Loading" not in service.said
        link = urllib.parse.urlsplit(WELCOME.findall(service.said)[0])
        assert service.get(link.path)[0] == 200
        assert service.wait_for_tick()
        assert service.stop() == 0
    assert not list(filled.data.glob("*-before-*"))


def test_a_restart_after_a_sudden_end_finds_everything(filled: Place, tmp_path: Path) -> None:
    with running(tmp_path, "up", environ=filled.environ()) as service:
        service.wait_for_tick()
        service.process.kill()
        service.process.wait()
    with running(tmp_path, "up", environ=filled.environ()) as service:
        assert service.health()[0] == 200
        assert "Loading" not in service.said
        assert service.stop(signal.SIGINT) == 0


def test_a_second_up_on_the_same_folder_only_serves(filled_sqlite: Place, tmp_path: Path) -> None:
    with running(tmp_path, "up", environ=filled_sqlite.environ()) as first:
        with running(tmp_path, "up", environ=filled_sqlite.environ()) as second:
            assert "only serves" in second.said
            assert second.health()[0] == 200
            refused = pocdir("worker", environ=filled_sqlite.environ())
            assert (refused.returncode, refused.stdout) == (1, "")
            assert "works on this folder already" in one_line(refused.stderr)
            assert second.stop() == 0
        assert first.health()[0] == 200
        assert first.stop() == 0


def test_it_ends_while_a_request_is_still_coming_in(filled_sqlite: Place, tmp_path: Path) -> None:
    with running(tmp_path, "up", environ=filled_sqlite.environ()) as service:
        address = urllib.parse.urlsplit(service.url)
        with socket.create_connection((address.hostname, address.port)) as half:
            half.sendall(b"POST /api/v1/lookup HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            assert service.stop() == 0


def test_what_does_not_end_is_ended(tmp_path: Path) -> None:
    program = """
import time
from pocdir import worker
worker.STOP_SECONDS = 0.5
worker.stopping()
try:
    print("pocdir is ready at nowhere", flush=True)
    time.sleep(600)
finally:
    time.sleep(600)
"""
    with running(tmp_path, environ=environment(tmp_path), program=program) as service:
        assert service.stop() == 0


def test_nothing_secret_is_said_or_logged(filled_sqlite: Place, tmp_path: Path) -> None:
    token = "pocdir_abcdefgh_" + "0" * 32
    form = urllib.parse.urlencode({"q": "203.0.113.77"}).encode()
    with running(tmp_path, "up", environ=filled_sqlite.environ(POCDIR_LOG_LEVEL="debug")) as service:
        for path in (
            "/api/v1/lookup?q=198.51.100.66",
            "/api/v1/latency?team=cert-secretive",
            "/r/RecipientTokenThatNobodyMayRead0123",
            "/welcome/WelcomeTokenThatNobodyMayRead0123",
            "/join/InvitationTokenThatNobodyMayRead0123",
            "/claim/ClaimTokenThatNobodyMayRead0123",
            "/proposed/NoticeTokenThatNobodyMayRead0123",
            "/r/entry/EntryTokenThatNobodyMayRead0123",
            "/nowhere?q=192.0.2.55",
        ):
            service.get(path)
            service.send(
                urllib.request.Request(service.url + path, headers={"Authorization": f"Bearer {token}"})
            )
        for path in ("/", "/lookup", "/r/RecipientTokenThatNobodyMayRead0123", "/api/v1/lookup"):
            service.send(urllib.request.Request(service.url + path, data=form))
            body = json.dumps({"q": ["203.0.113.77"]}).encode()
            headers = {"Content-Type": "application/json"}
            service.send(urllib.request.Request(service.url + path, data=body, headers=headers))
        assert service.stop() == 0
        written = WELCOME.sub("", service.said) + service.logged
    kept = [*filled_sqlite.data.glob("*.log"), *filled_sqlite.data.glob("log/*")]
    for text_ in (written, *(path.read_text() for path in kept)):
        for secret in (
            "198.51.100.66",
            "203.0.113.77",
            "192.0.2.55",
            "secretive",
            "NobodyMayRead",
            token[-32:],
        ):
            assert secret not in text_


def test_a_serving_process_loads_nothing_heavy(filled_sqlite: Place, tmp_path: Path) -> None:
    program = f"""
import json, os, pathlib, signal, sys, threading, time, urllib.request
from pocdir import cli, worker

def look(path):
    try:
        urllib.request.urlopen(worker.URL + path, timeout=10).read()
    except urllib.error.HTTPError as error:
        error.close()

def watch():
    while not worker.URL:
        time.sleep(0.05)
    for path in ("/healthz", "/", "/metrics", "/api/v1/lookup?q=192.0.2.1", "/api/v1/openapi.json", "/teams"):
        look(path)
    pathlib.Path({str(tmp_path / "modules")!r}).write_text(json.dumps(sorted(sys.modules)))
    os.kill(os.getpid(), signal.SIGTERM)

worker.URL = ""
echo = worker.click.echo
def heard(line, **kwargs):
    echo(line, **kwargs)
    if line.startswith("pocdir is ready at "):
        worker.URL = line.splitlines()[0].removeprefix("pocdir is ready at ")
worker.click.echo = heard
threading.Thread(target=watch, daemon=True).start()
cli.main(["up"])
"""
    with running(tmp_path, environ=filled_sqlite.environ(), program=program) as service:
        assert service.process.wait(timeout=60) == 0, service.logged
    loaded = {name.partition(".")[0] for name in json.loads((tmp_path / "modules").read_text())}
    assert "flask" in loaded
    assert not loaded & NEVER_SERVED


def test_what_serves_alone_writes_down_when_tokens_were_used(copied: Place, tmp_path: Path) -> None:
    made = json.loads(
        pocdir("token", "create", "--workspace", "main", "--json", environ=copied.environ()).stdout
    )
    headers = {"Authorization": f"Bearer {made['token']}"}
    with running(tmp_path, "serve", environ=copied.environ(POCDIR_TICK="PT1H")) as service:
        asked = urllib.request.Request(f"{service.url}/api/v1/incidents", headers=headers)
        assert service.send(asked)[0] == 200
        assert service.stop() == 0
    listed = pocdir("token", "list", "--workspace", "main", "--json", environ=copied.environ()).stdout
    assert json.loads(listed)["last_used_at"], "at its end, if not before"


def test_neither_half_runs_on_a_database_that_is_behind(tmp_path: Path) -> None:
    environ = environment(tmp_path / "data")
    for command in ("serve", "worker"):
        refused = pocdir(command, environ=environ)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "nothing is kept" in one_line(refused.stderr)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret_key").write_text("k" * 43)
    sqlite3.connect(tmp_path / "data" / "pocdir.db").close()
    for command in ("serve", "worker"):
        refused = pocdir(command, environ=environ)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "the database is empty" in one_line(refused.stderr)
    assert pocdir("db", "upgrade", environ=environ).returncode == 0
    assert pocdir("worker", "--once", environ=environ).returncode == 0


def test_a_database_newer_than_the_code_is_refused_untouched(copied: Place) -> None:
    with sqlite3.connect(copied.data / "pocdir.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for command in (("up",), ("serve",), ("db", "upgrade")):
        refused = pocdir(*command, environ=copied.environ())
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "at migration 9999, newer than this pocdir" in one_line(refused.stderr)
    assert not list(copied.data.glob("*-before-*"))


def test_two_starts_at_once_migrate_and_seed_once(filled_sqlite: Place) -> None:
    assert filled_sqlite.first_words.count("Migrated the database") == 1
    assert filled_sqlite.first_words.count("Loading the shipped") == 1


def test_seed_repeats_nothing(copied: Place) -> None:
    repeated = pocdir("seed", "--json", environ=copied.environ())
    assert repeated.returncode == 0, repeated.stderr
    made = json.loads(repeated.stdout)
    assert (made["directory"]["changed"], made["registry"]) == (0, None)
    where = json.loads(pocdir("db", "current", "--json", environ=copied.environ()).stdout)
    assert where["migration"] == where["newest"]


def test_a_reader_that_stops_early_is_no_error(filled_sqlite: Place) -> None:
    script = f'"{sys.executable}" -m pocdir.cli db current | (exec 0<&-; sleep 2); exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["/bin/bash", "-c", script],
        env=filled_sqlite.environ(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
