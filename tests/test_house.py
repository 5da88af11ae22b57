"""The rules of the house: the import contracts, and what they cannot say."""

from __future__ import annotations

import ast
import configparser
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "pocdir").rglob("*.py"))
LONGEST, LONGEST_FUNCTION = 400, 60  # lines
CLOCKS = re.compile(r"\b(datetime|dt|date)\.(now|utcnow|today)\(|\btime\.(time|time_ns)\(")
FRAMEWORKS = ("flask", "sqlalchemy", "marshmallow", "werkzeug", "flask_sqlalchemy", "flask_smorest", "click")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def calls(path: Path) -> Iterator[str]:
    """What is called in a file, as it is written."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func) + "("


def long_functions(source: str) -> list[str]:
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    return [each.name for each in functions if (each.end_lineno or 0) - each.lineno >= LONGEST_FUNCTION]


@pytest.mark.parametrize("path", FILES, ids=named)
def test_a_file_keeps_the_rules(path: Path) -> None:
    source = path.read_text()
    if path.name == "__init__.py":
        assert source == "", "an __init__.py stays empty"
        return
    docstring = ast.get_docstring(ast.parse(source))
    assert docstring, "a module says in one sentence what it is"
    assert source.count("\n") <= LONGEST, "a file can be read in one sitting"
    assert long_functions(source) == [], "a function fits the screen"
    called = list(calls(path))
    assert "print(" not in called, "commands speak through click, the service through its log"
    if named(path) != "pocdir/db.py":
        assert not [call for call in called if call.endswith(".commit(")], "only transaction() commits"
    if named(path) != "pocdir/core/clock.py":
        assert not [call for call in called if CLOCKS.search(call)], "only core/clock.py reads the time"


def test_the_packages_are_the_folders() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = setup["options"]["packages"].split()
    folders = [path.parent for path in FILES if path.name == "__init__.py"]
    on_disk = {".".join(folder.relative_to(ROOT).parts) for folder in folders}
    outside = {"pocdir.migrations", "pocdir.seeds", "pocdir.templates"}
    assert set(listed) == on_disk | outside
    assert listed == sorted(listed)
    without = [named(path.parent) for path in FILES if not (path.parent / "__init__.py").exists()]
    assert not without


def test_imports_go_one_way() -> None:
    program = "import importlinter.cli as it, sys; sys.exit(it.lint_imports(no_cache=True, no_logo=True))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_room_stands_in_the_contract() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    listed = set(setup["importlinter:contract:rooms"]["containers"].split())
    of_a_room = [path for path in FILES if path.stem in ("queries", "actions")]
    of_a_room += [path.parent for path in FILES if path.parent.name in ("queries", "actions")]
    rooms = {".".join(path.parent.relative_to(ROOT).parts) for path in of_a_room}
    assert rooms - listed == set()


def test_the_rules_work_where_no_framework_is_installed() -> None:
    rules = [path for path in FILES if "rules" in path.parts or path.stem == "rules" or "core" in path.parts]
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in rules if path.stem != "__init__"
    ]
    program = f"""
import importlib, sys
for name in {FRAMEWORKS!r}:
    sys.modules[name] = None  # an import of it fails
for name in {modules!r}:
    importlib.import_module(name)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(modules) > 20


def test_a_skip_fails_the_run_in_ci(tmp_path: Path) -> None:
    (tmp_path / "test_skips.py").write_text(
        "import pytest\ndef test_it() -> None:\n    pytest.skip('nothing here')\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tests.no_skips",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
    ]
    kept = {name: value for name, value in os.environ.items() if name != "CI"} | {"PYTHONPATH": str(ROOT)}
    for environment, code in ((kept, 0), (kept | {"CI": "true"}, 1)):
        done = subprocess.run(
            [*command, str(tmp_path)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout
    assert "skipped in CI, where nothing may be skipped: Skipped: nothing here" in done.stdout
