"""What one process changes, the others answer from: the directory, and the registry while lookups go on."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from pocdir import worker
from tests.postgres import database
from tests.site.service import PATIENCE, Running, environment, pocdir, running

ADDRESS = "38.87.230.17"
DOCUMENT = {
    "source": {"name": "test", "url": "", "date": "2026-06-17"},
    "origin": "manual",
    "teams": [
        {
            "slug": "newcomer",
            "name": "Newcomer",
            "kind": "national",
            "country": "AT",
            "channels": [{"kind": "email", "value": "new@new.example", "purpose": "incident", "preference": 1}],
            "responsibilities": [{"key": "country", "value": "AT", "role": "national", "rank": 1}],
        }
    ],
}  # fmt: skip


@pytest.fixture(params=("sqlite", "postgresql"))
def environ(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, str]]:
    """An empty directory on each database."""
    if request.param == "sqlite":
        yield migrated(environment(tmp_path / "data"))
    else:
        with database(request.getfixturevalue("postgresql_url"), "two_processes") as url:
            yield migrated(environment(tmp_path / "data", url))


def migrated(environ: dict[str, str]) -> dict[str, str]:
    made = pocdir("db", "upgrade", environ=environ)
    assert made.returncode == 0, made.stderr
    return environ


def answer(service: Running, asked: str) -> dict[str, Any]:
    status, body = service.get(f"/api/v1/lookup?q={asked}")
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def eventually(seen: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_process_looks_for_changes_of_others_more_often_than_every_five_seconds() -> None:
    assert worker.REFRESH_SECONDS * 2 < 5


def test_what_another_process_changes_in_the_directory_is_seen_by_all(
    environ: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "new.json"
    file.write_text(json.dumps(DOCUMENT))
    with (
        running(tmp_path, "serve", environ=environ) as one,
        running(tmp_path, "serve", environ=environ) as other,
    ):
        before = [answer(service, "AT") for service in (one, other)]
        assert [it["status"] for it in before] == ["no_contact"] * 2
        done = pocdir("directory", "import", "pocdir-json", str(file), "--apply", environ=environ)
        assert done.returncode == 0, done.stderr
        for service in (one, other):
            eventually(lambda service=service: answer(service, "AT")["status"] == "ok")  # type: ignore[misc]
        after = [answer(service, "AT") for service in (one, other)]
        assert after[0] == after[1]
        assert after[0]["directory_version"] != before[0]["directory_version"]


@contextmanager
def asking(service: Running) -> Iterator[list[str | None]]:
    """Lookups one after the other while the block lasts; where each said that the address is located."""
    found: list[str | None] = []
    failed: list[BaseException] = []
    stop = threading.Event()

    def ask() -> None:
        try:
            while not stop.is_set():
                registry = answer(service, ADDRESS)["registry"]
                found.append(registry["countries"]["located"] if registry else None)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()
    assert not failed, failed


def test_lookups_go_on_while_the_registry_is_replaced(environ: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "located.csv"
    with running(tmp_path, "serve", environ=environ) as service, asking(service) as found:
        for code in ("DE", "FR"):
            file.write_text(f"38.87.230.0,38.87.231.255,{code}\n")
            done = pocdir(
                "registry", "import", "ip-location-country", str(file), "--as", "located", environ=environ
            )
            assert done.returncode == 0, done.stderr
            eventually(lambda code=code: bool(found) and found[-1] == code)  # type: ignore[misc]
    assert list(dict.fromkeys(found)) == [None, "DE", "FR"], "each version once, in order"
