"""A pocdir process of its own, as a person starts it."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pocdir.cli import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds until a start counts as failed
# Starts are forked from a process that has loaded pocdir once: to load it is most of what a short command costs.
FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(
    [
        "pocdir.app",
        "pocdir.blueprints",
        "flask_security.cli",
        "jinja2.ext",
        "argon2",
        "passlib.handlers.argon2",
        "tests.site.service",
        *{place.partition(":")[0] for place, _ in COMMANDS.values()},
    ]
)


def environment(data: Path, url: str | None = None, **more: str) -> dict[str, str]:
    """The caller's environment with these settings alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POCDIR_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    given = {"POCDIR_DATA": str(data), "POCDIR_PORT": "0", **more}
    if url:
        given["POCDIR_DATABASE_URL"] = url
    return kept | given | {"PYTHONPATH": str(ROOT)}


class Process:
    """A started command: `subprocess.Popen`, as far as tests need it."""

    def __init__(
        self, *arguments: str, environ: Mapping[str, str], said: Path, logged: Path, cwd: Path = ROOT
    ) -> None:
        self._forked = FORKED.Process(target=obeyed, args=(arguments, dict(environ), said, logged, cwd))
        self._forked.start()

    @property
    def pid(self) -> int:
        assert self._forked.pid is not None
        return self._forked.pid

    def poll(self) -> int | None:
        return self._forked.exitcode

    def wait(self, timeout: float = PATIENCE) -> int:
        self._forked.join(timeout)
        assert self._forked.exitcode is not None, "still running"
        return self._forked.exitcode

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def kill(self) -> None:
        self._forked.kill()


def obeyed(arguments: Sequence[str], environ: Mapping[str, str], said: Path, logged: Path, cwd: Path) -> None:
    """In the new process: what `python -m pocdir.cli ARGUMENTS` does there."""
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    for number, file in ((1, said), (2, logged)):
        written = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(written, number)
        os.close(written)
    main(arguments)


def pocdir(*arguments: str, environ: Mapping[str, str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with tempfile.TemporaryDirectory() as folder:
        said, logged = Path(folder, "out"), Path(folder, "err")
        code = Process(*arguments, environ=environ, said=said, logged=logged, cwd=cwd).wait()
        return subprocess.CompletedProcess(arguments, code, said.read_text(), logged.read_text())


class Running:
    """A started service: its process, what it has said so far, its address."""

    def __init__(self, process: Process | subprocess.Popen[bytes], said: Path, logged: Path) -> None:
        self.process = process
        self._said, self._logged = said, logged
        self.url = ""

    @property
    def said(self) -> str:
        return self._said.read_text() if self._said.exists() else ""

    @property
    def logged(self) -> str:
        return self._logged.read_text()

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for line in self.said.splitlines():
                if line.startswith("pocdir is ready at "):
                    self.url = line.removeprefix("pocdir is ready at ").strip()
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"not started ({self.process.poll()}): {self.said}\n{self.logged}")

    def get(self, path: str) -> tuple[int, str]:
        """Status and body."""
        return self.send(urllib.request.Request(self.url + path))

    def send(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def health(self) -> tuple[int, dict[str, Any]]:
        status, body = self.get("/healthz")
        return status, json.loads(body)

    def wait_for_tick(self) -> str:
        """The worker's first round."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            tick = self.health()[1]["worker"]["last_tick"]
            if tick:
                return str(tick)
            time.sleep(0.05)
        raise AssertionError(f"the worker does not work: {self.logged}")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code once it has ended."""
        self.process.send_signal(by)
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def running(
    folder: Path, *arguments: str, environ: Mapping[str, str], program: str | None = None
) -> Iterator[Running]:
    """`pocdir ARGUMENTS` (or a Python program that runs it) while the block lasts; output kept in the folder."""
    number = len(list(folder.glob("*.out")))
    said, logged = folder / f"{number}.out", folder / f"{number}.err"
    process: Process | subprocess.Popen[bytes]
    if program is None:
        process = Process(*arguments, environ=environ, said=said, logged=logged, cwd=folder)
    else:
        command = [sys.executable, "-c", program]
        with said.open("wb") as out, logged.open("wb") as err:
            process = subprocess.Popen(command, env=dict(environ), stdout=out, stderr=err, cwd=folder)
    service = Running(process, said, logged)
    try:
        service.wait_until_ready()
        yield service
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def worker(environ: dict[str, str]) -> Process:
    """A worker that goes round once."""
    nowhere = Path(os.devnull)
    return Process("worker", "--once", environ=environ, said=nowhere, logged=nowhere)


def one_line(said: str) -> str:
    """What was said, which is one line."""
    lines = said.strip().splitlines()
    assert len(lines) == 1, said
    return lines[0]
