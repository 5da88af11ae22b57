"""Where the uploads stand: each is a folder whose files say what became of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pocdir.core.errors import NotFound
from pocdir.routing.bulk.parcels import MANIFEST, UNROUTED
from pocdir.routing.uploads.rules import (
    ASKED,
    BROUGHT,
    PACKED,
    PROGRESS,
    REFUSED,
    RESULT,
    Asked,
    folder_of,
)

UPLOADS = "uploads"
BLOCK = 4096  # bytes that a disk gives at once


class Upload(NamedTuple):
    """One folder. It is done when its ZIP archive is there, which comes last and whole."""

    folder: Path
    asked: Asked

    @property
    def file(self) -> Path:
        return self.folder / BROUGHT

    @property
    def result(self) -> Path:
        return self.folder / RESULT

    @property
    def packed(self) -> Path:
        return self.folder / PACKED

    @property
    def state(self) -> str:
        """done, refused, working, waiting."""
        if self.packed.is_file():
            return "done"
        if (self.folder / REFUSED).is_file():
            return "refused"
        return "working" if (self.folder / PROGRESS).is_file() else "waiting"

    @property
    def progress(self) -> dict[str, int]:
        """rows and bytes read so far."""
        return {"rows": 0, "bytes": 0} | _read(self.folder / PROGRESS)

    @property
    def refusal(self) -> dict[str, Any]:
        """status, code, message and where, as the refusal said them."""
        return _read(self.folder / REFUSED)

    @property
    def manifest(self) -> dict[str, Any]:
        return _read(self.result / MANIFEST)

    def parcel(self, name: str) -> Path:
        """One file of the result; raises NotFound `parcel_unknown`."""
        names = {UNROUTED, *(parcel["file"] for parcel in self.manifest.get("parcels", ()))}
        if self.state != "done" or name not in names:
            raise NotFound("parcel_unknown", "there is no such parcel")
        return self.result / name


def upload(data: Path, token: str, *, workspace: int | None) -> Upload:
    """By its link; raises NotFound `upload_unknown`, also for what another workspace brought and what is deleted."""
    found = _opened(data / UPLOADS / folder_of(token))
    if found is None or found.asked.workspace not in (None, workspace):
        raise NotFound("upload_unknown", "there is nothing here, or it was deleted: nothing is kept for long")
    return found


def uploads(data: Path) -> list[Upload]:
    """All of them, the oldest first."""
    return sorted(_all(data), key=lambda each: (each.asked.moment, each.folder.name))


def waiting(data: Path) -> list[Upload]:
    """What the worker has to route, the oldest first."""
    return [each for each in uploads(data) if each.asked.waits and each.state in ("waiting", "working")]


def folders(data: Path) -> list[Path]:
    """Every folder there is, also one that is not whole."""
    place = data / UPLOADS
    return sorted(path for path in place.iterdir() if path.is_dir()) if place.is_dir() else []


def held(data: Path, workspace: int | None) -> int:
    """How many bytes all that lies here of a workspace takes; None: of people without an account."""
    return sum(size(each.folder) for each in _all(data) if each.asked.workspace == workspace)


def size(folder: Path) -> int:
    """Bytes on the disk of all files in it; what goes meanwhile counts nothing."""
    found = 0
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                is_folder = entry.is_dir(follow_symlinks=False)
                found += size(Path(entry.path)) if is_folder else -(-entry.stat().st_size // BLOCK) * BLOCK
    return found


def _all(data: Path) -> Iterator[Upload]:
    for folder in folders(data):
        found = _opened(folder)
        if found is not None:
            yield found


def _opened(folder: Path) -> Upload | None:
    told = _read(folder / ASKED)
    if not told:
        return None
    return Upload(folder, Asked(**(told | {"columns": tuple(told["columns"])})))


def _read(path: Path) -> dict[str, Any]:
    """What a file says; nothing when it is not there (any more)."""
    try:
        said: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return said
