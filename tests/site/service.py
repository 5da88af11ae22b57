"""A pocdir process of its own, as a person starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds until a start counts as failed


def environment(data: Path, url: str | None = None, **more: str) -> dict[str, str]:
    """The caller's environment with these settings alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POCDIR_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    given = {"POCDIR_DATA": str(data), "POCDIR_PORT": "0", **more}
    if url:
        given["POCDIR_DATABASE_URL"] = url
    return kept | given | {"PYTHONPATH": str(ROOT)}


def pocdir(*arguments: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-m", "pocdir.cli", *arguments]
    return subprocess.run(
        command, env=dict(environ), capture_output=True, text=True, timeout=PATIENCE, check=False
    )


class Running:
    """A started service: its process, what it has said so far, its address."""

    def __init__(self, process: subprocess.Popen[bytes], said: Path, logged: Path) -> None:
        self.process = process
        self._said, self._logged = said, logged
        self.url = ""

    @property
    def said(self) -> str:
        return self._said.read_text()

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
    command = [sys.executable, "-c", program] if program else [sys.executable, "-m", "pocdir.cli", *arguments]
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
