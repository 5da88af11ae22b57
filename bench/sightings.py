"""A million sightings of 100,000 assets in one measuring window, brought by command and API into an SQLite file."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.directory_import import COMMAND
from pocdir.core import clock
from pocdir.core.times import isoformat

SIGHTINGS = 1_000_000
ASSETS = 100_000
HOUR = dt.timedelta(hours=1)
# What one would write by hand: makes the incidents that the sightings are of, and prints their references.
_OPEN = """
from pocdir import config
from pocdir.accounts.actions import create_workspace
from pocdir.app import create_app
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.incidents.actions import add_assets, open_incident
from pocdir.incidents.rules.assets import AssetValue
with create_app(config.load()).app_context():
    with transaction() as session:
        now = clock.now()
        lab = create_workspace(session, name="bench", now=now, actor="operator")
        assets = [AssetValue("ip", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}") for n in range(%d)]
        for title in ("by command", "by API"):
            case = open_incident(session, workspace_id=lab.id, now=now, actor="operator", given={"title": title})
            add_assets(session, case, assets, now=now)
            print(case.ref)
"""
# The same over HTTP in process: the body is read from the file as a server reads it from its socket.
_POST = """
import resource, sys
from pathlib import Path
from pocdir import config
from pocdir.accounts.actions import create_token
from pocdir.accounts.queries import workspace_or_only
from pocdir.app import create_app
from pocdir.core import clock
from pocdir.db import transaction
ref, file, begin, end = sys.argv[1:]
app = create_app(config.load())
with app.app_context(), transaction() as session:
    lab = workspace_or_only(None).id
    token = create_token(session, workspace_id=lab, now=clock.now(), actor="operator")[1]
with open(file, "rb") as body:
    answer = app.test_client().post(
        f"/api/v1/incidents/{ref}/sightings", input_stream=body, content_type="text/csv",
        content_length=Path(file).stat().st_size, headers={"Authorization": f"Bearer {token}"},
        query_string={"method": "sinkhole", "window_from": begin, "window_to": end},
    )
assert answer.status_code == 201, answer.text[:500]
print(answer.text)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
"""


def measure(sightings: int = SIGHTINGS, assets: int = ASSETS) -> dict[str, dict[str, float]]:
    """Wall-clock seconds and peak MB of bringing the file and of asking what became of it."""
    with tempfile.TemporaryDirectory(prefix="pocdir-bench-sightings-") as name:
        environment = {**os.environ, "POCDIR_DATA": name, "POCDIR_LOG_LEVEL": "error"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        _run(environment, "-m", "pocdir.cli", "db", "upgrade")
        ref, another = _run(environment, "-c", _OPEN % assets)[0].split()[-2:]
        end = clock.now().replace(microsecond=0)
        begin, file = end - 48 * HOUR, Path(name) / "seen.csv"
        with file.open("w") as lines:
            lines.writelines(_lines(sightings, assets, begin))
        given = ("--method", "sinkhole", "--from", isoformat(begin), "--to", isoformat(end))
        brought = _command(environment, "sightings", ref, str(file), *given)
        outcome = _command(environment, "outcome", ref)
        over_http = _measured(environment, "-c", _POST, another, str(file), isoformat(begin), isoformat(end))
        return {"brought": brought, "outcome": outcome, "over HTTP": over_http}


def _lines(sightings: int, assets: int, begin: dt.datetime) -> Iterator[str]:
    """Every asset again and again, hours apart: the stretches are as many as the sightings."""
    yield "value,seen_at\n"
    rounds = max(1, sightings // assets)
    for number in range(sightings):
        at, n = begin + (number // assets) * (47 * HOUR / rounds), number % assets
        yield f"10.{n >> 16}.{n >> 8 & 255}.{n & 255},{isoformat(at)}\n"


def _command(environment: Mapping[str, str], *arguments: str) -> dict[str, float]:
    return _measured(environment, "-c", COMMAND, "incident", *arguments, "--json")


def _measured(environment: Mapping[str, str], *arguments: str) -> dict[str, float]:
    before = time.perf_counter()
    said, told = _run(environment, *arguments)
    found = {"seconds": time.perf_counter() - before, "megabytes": float(told.split()[-1])}
    return found | {name: value for name, value in json.loads(said).items() if name == "sightings"}


def _run(environment: Mapping[str, str], *arguments: str) -> tuple[str, str]:
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=root, check=True, capture_output=True, text=True
    )
    return done.stdout, done.stderr


if __name__ == "__main__":
    for what, figures in measure(*map(int, sys.argv[1:])).items():
        print(what, figures)
