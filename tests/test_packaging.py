"""The wheel carries everything: it is built, unpacked and run from another directory."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.site.service import environment, running

ROOT = Path(__file__).resolve().parent.parent
BUILD = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the checkout, by the setuptools that is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    leave = shutil.ignore_patterns(".*", "instance", "build", "*.egg-info", "__pycache__", "tests", "bench")
    shutil.copytree(ROOT, folder / "source", ignore=leave)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, str(folder)],
        cwd=folder / "source",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / done.stdout.splitlines()[-1]


def test_the_wheel_holds_every_file_that_is_needed_at_run_time(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if not name.startswith("pocdir-")}
    wanted = set()
    for folder, place in (
        ("pocdir", ""),
        ("templates", "pocdir/"),
        ("migrations", "pocdir/"),
        ("seeds", "pocdir/"),
    ):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                wanted.add(place + path.relative_to(ROOT).as_posix())
    assert wanted - held == set()
    assert {name for name in held - wanted if not name.endswith(".mo")} == set()


def test_the_wheel_runs_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    """Without the checkout on the path: it migrates, seeds and answers."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environ = environment(tmp_path / "data") | {"PYTHONPATH": str(tmp_path / "site")}
    program = f"""
from pocdir import cli, config
assert config.__file__.startswith({str(tmp_path / "site" / "pocdir")!r})
cli.main(["up"])
"""
    with running(tmp_path, environ=environ, program=program) as service:
        assert service.get("/healthz")[0] == 200
        status, page = service.get("/")
        assert status == 200
        assert "/static/" in page
        assert service.get("/api/v1/lookup?q=AT")[0] == 200
        assert service.stop() == 0
