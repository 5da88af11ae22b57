"""The folder of parcels: made in a hidden place, put where it was asked for when it is whole."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pocdir.core.errors import Conflict, Refusal

MANIFEST, UNROUTED = "manifest.json", "unrouted.csv"
PENDING = 64 << 20  # bytes kept until they are written: with thousands of parcels a file is opened seldom


def file_for(team: str) -> str:
    """The name of a team's parcel; never that of what goes to nobody."""
    name = f"{team}.csv"
    return name if name != UNROUTED else f"team-{name}"


class Bound(NamedTuple):
    """How many bytes all files may have, and what is said to more."""

    most: int
    refusal: Refusal


class Parcels:
    """Files by name, each with its header; use as a context: what is not finished leaves nothing behind."""

    def __init__(self, out: Path, header: bytes, unrouted_header: bytes, bound: Bound | None = None) -> None:
        self._out, self._bound, self._all = _free(out), bound, 0
        self._headers = {UNROUTED: unrouted_header}
        self._header = header
        self._pending: dict[str, list[bytes | memoryview]] = {}
        self._size = 0
        self._digests: dict[str, Any] = {}

    def __enter__(self) -> Parcels:
        self._out.parent.mkdir(parents=True, exist_ok=True)
        _sweep(self._out, "new")
        made = Path(tempfile.mkdtemp(prefix=f".{self._out.name}.", dir=self._out.parent))
        self._held = _held(made)  # before it has the name by which another run sweeps it
        self._folder = made.rename(made.with_name(f"{made.name}.new"))
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)  # after finish() there is none
        if self._held is not None:
            os.close(self._held)

    def add(self, parts: Iterable[tuple[str, bytes | memoryview]]) -> None:
        """Lines for the files of these names, behind those that are there; raises what the bound says."""
        for name, lines in parts:
            self._pending.setdefault(name, []).append(lines)
            self._size += len(lines)
            self._all += len(lines)
        if self._bound and self._all > self._bound.most:
            raise self._bound.refusal
        if self._size > PENDING:
            self._write()

    def digests(self) -> Mapping[str, str]:
        """SHA-256 of each file as it will be."""
        if UNROUTED not in self._digests:
            self._pending.setdefault(UNROUTED, [])
        self._write()
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    def finish(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, and put the folder where it belongs, in the place of an older result."""
        text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
        (self._folder / MANIFEST).write_text(text, encoding="utf-8")
        if self._out.exists():
            old = self._folder.with_suffix(".old")
            self._out.rename(old)
            self._folder.rename(self._out)
        else:
            self._folder.rename(self._out)
        _sweep(self._out, "old")

    def _write(self) -> None:
        for name, lines in self._pending.items():
            if name not in self._digests:
                self._digests[name] = hashlib.sha256()
                lines.insert(0, self._headers.get(name, self._header))
            for data in lines:
                self._digests[name].update(data)
            with (self._folder / name).open("ab") as file:
                file.writelines(lines)
        self._pending, self._size = {}, 0


def _held(folder: Path) -> int | None:
    """The folder open and locked, until this process closes it or dies; None where another holds it."""
    held = None
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if held is not None:
            os.close(held)
        return None
    return held


def _sweep(out: Path, ending: str) -> None:
    """Delete what a run that was killed left beside it."""
    ours = re.compile(rf"\.{re.escape(out.name)}\.[a-z0-9_]{{8}}\.{ending}")
    for folder in [path for path in out.parent.iterdir() if ours.fullmatch(path.name)]:
        held = _held(folder)
        if held is None:
            continue
        if all(path.name == MANIFEST or path.suffix == ".csv" for path in folder.iterdir()):
            shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _free(out: Path) -> Path:
    """The place, if there is nothing, an empty folder or an earlier result; raises Conflict `out_not_empty`."""
    out = Path(os.path.abspath(out))  # noqa: PTH100 - without .., and a link at its end is not followed
    if out.is_symlink():
        raise Conflict("out_not_empty", f"{out} is a symbolic link; name a folder that does not exist yet")
    if not out.exists():
        return out
    if Path.cwd().is_relative_to(out.resolve()):
        what = f"{out} is where this command runs; name a folder that does not exist yet"
        raise Conflict("out_not_empty", what)
    if out.is_dir():
        found = list(out.iterdir())
        names = {path.name for path in found if path.is_file() and not path.is_symlink()}
        if len(names) == len(found) and (not names or names == _earlier(out)):
            return out
    raise Conflict("out_not_empty", f"{out} holds other things; name a folder that does not exist yet")


def _earlier(out: Path) -> set[str]:
    try:
        told = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        return {MANIFEST, UNROUTED, *(parcel["file"] for parcel in told["parcels"])}
    except (OSError, ValueError, KeyError, TypeError):
        return set()
