"""A large import: 100,000 teams into an empty SQLite directory, then the same again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

RECORDS = 100_000
# Printed by the command's own process, so that its memory is measured and nobody else's.
COMMAND = """
import resource, sys
from pocdir import cli
code = cli.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, file=sys.stderr)
sys.exit(code)
"""


def measure(records: int = RECORDS) -> dict[str, dict[str, float]]:
    """Wall-clock seconds and peak MB of each import, by what is imported."""
    with tempfile.TemporaryDirectory(prefix="pocdir-bench-import-") as name:
        folder = Path(name)
        environment = {**os.environ, "POCDIR_DATA": name, "POCDIR_LOG_LEVEL": "error"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        _run(environment, "-m", "pocdir.cli", "db", "upgrade")
        teams, networks = folder / "teams.json", folder / "networks.csv"
        teams.write_text(
            json.dumps({"source": {"name": "bench"}, "teams": [_team(n) for n in range(records)]})
        )
        networks.write_text(
            "as_or_cidr,organization,comment,contact\n" + "".join(map(_network, range(records)))
        )
        given = {
            "teams, pocdir-json": ("pocdir-json", teams),
            "the same again": ("pocdir-json", teams),
            "networks, cidr-csv": ("cidr-csv", networks),
        }
        return {what: _import(environment, format_, file) for what, (format_, file) in given.items()}


def _import(environment: Mapping[str, str], format_: str, file: Path) -> dict[str, float]:
    before = time.perf_counter()
    told = _run(environment, "-c", COMMAND, "directory", "import", format_, str(file), "--json")
    return {"seconds": time.perf_counter() - before, "megabytes": float(told.split()[-1])}


def _run(environment: Mapping[str, str], *arguments: str) -> str:
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=root, check=True, stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    return done.stderr


def _team(number: int) -> dict[str, object]:
    prefix = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}/32"
    return {
        "name": f"Team {number}", "kind": "provider", "country": "AT",
        "channels": [{"kind": "email", "value": f"abuse@team{number}.example", "purpose": "incident"}],
        "responsibilities": [{"key": "prefix", "value": prefix}],
    }  # fmt: skip


def _network(number: int) -> str:
    prefix = f"172.{16 + (number >> 16)}.{number >> 8 & 255}.{number & 255}/32"
    return f"{prefix},Organisation {number % 20_000},,it@organisation{number % 20_000}.example\n"


if __name__ == "__main__":
    for what, found in measure(int(sys.argv[1]) if len(sys.argv) > 1 else RECORDS).items():
        print(f"{what:24} {found['seconds']:8.1f} s {found['megabytes']:8.0f} MB")
