"""Starting: the application beside what it is built on, and one lookup on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

ROUNDS = 7
FOUNDATION = "import flask, flask_sqlalchemy, marshmallow"
APPLICATION = "from pocdir.app import create_app; create_app()"
HEAVY = ("alembic", "lifelines", "matplotlib", "pandas", "scipy")  # nothing that serves may load them

_CPU = "import time; began = time.process_time(); {code}; print(time.process_time() - began)"
_LOADED = "import json, sys; {code}; print(json.dumps([name for name in {heavy} if name in sys.modules]))"


def measure(environment: Mapping[str, str]) -> dict[str, float]:
    """Seconds: CPU of the two starts, and wall clock of `pocdir lookup` on the seeded database.

    `environment` names that database. Each start is a fresh interpreter with compiled bytecode.
    """
    fresh = {**os.environ, **environment}
    fresh.pop("PYTHONDONTWRITEBYTECODE", None)
    best = dict.fromkeys(("foundation", "create_app()", "pocdir lookup"), float("inf"))
    for _ in range(ROUNDS + 1):  # the first one compiles
        for name, code in (("foundation", FOUNDATION), ("create_app()", APPLICATION)):
            best[name] = min(best[name], float(_run(fresh, "-c", _CPU.format(code=code))))
        before = time.perf_counter()
        _run(fresh, "-m", "pocdir.cli", "lookup", "193.0.6.139", "--json")
        best["pocdir lookup"] = min(best["pocdir lookup"], time.perf_counter() - before)
    return best


def heavy_modules(environment: Mapping[str, str]) -> list[str]:
    """Which of HEAVY a serving process has loaded."""
    code = _LOADED.format(code=APPLICATION, heavy=HEAVY)
    loaded: list[str] = json.loads(_run({**os.environ, **environment}, "-c", code))
    return loaded


def _run(environment: Mapping[str, str], *arguments: str) -> str:
    root = Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=root, check=True, capture_output=True, text=True
    )
    return done.stdout
