"""The process that routes: beside the one that serves, so that no lookup waits for a large file."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import structlog

from pocdir.config import Settings
from pocdir.core.errors import Refusal, Unavailable
from pocdir.routing.queries import index, question
from pocdir.routing.uploads.actions import Progress, refuse, split
from pocdir.routing.uploads.queries import UPLOADS, Upload, uploads, waiting
from pocdir.routing.uploads.rules import MEGABYTE
from pocdir.web import logs
from pocdir.web.terminal import database_context

LOCK = "working.lock"
NICE = 10  # lookups come first
_log = structlog.get_logger("pocdir.routing")


def route_now(upload: Upload, settings: Settings) -> None:
    """Split one upload while the caller waits; one file at a time in the whole service.

    Raises Unavailable `route_busy` when another one is being routed, `route_failed`.
    """
    with _only_one(settings.data) as lock:
        if lock is None:
            message = "another file is being routed; try again in a moment"
            raise Unavailable("route_busy", message, retry_after=5)
        # The child holds the lock too: should this process die, nobody begins before the child has seen it.
        command = [*_COMMAND, upload.folder.name]
        subprocess.run(command, env=_environment(settings), pass_fds=[lock.fileno()], check=False)
    if upload.state not in ("done", "refused"):
        raise Unavailable("route_failed", "this file could not be routed: our fault, and it has been logged")


def go_on(settings: Settings) -> bool:
    """Begin with what waits, in a process that ends when nothing does; whether there was something to begin with."""
    if not waiting(settings.data):
        return False
    with _only_one(settings.data) as lock:
        if lock is None:  # whoever works goes on until nothing waits
            return False
        # Held from here on: a child that takes long to start is not joined by another one at every tick.
        process = subprocess.Popen(_COMMAND, env=_environment(settings), pass_fds=[lock.fileno()])
    threading.Thread(target=process.wait, name="routing", daemon=True).start()
    return True


_COMMAND = [sys.executable, "-m", "pocdir.routing.uploads.child"]


def main() -> None:
    """Split the upload whose folder is named, else all that wait; whoever starts it hands over the lock."""
    os.nice(NICE)
    parent = os.getppid()

    def still_wanted(*_: object) -> None:
        if os.getppid() != parent:  # the service has ended; what is begun here is begun anew by the next one
            sys.exit(1)

    logs.init("warning")
    with database_context() as app:
        settings: Settings = app.extensions["pocdir"]
        data = settings.data
        if len(sys.argv) > 1:
            for upload in [each for each in uploads(data) if each.folder.name == sys.argv[1]]:
                do(upload, settings, still_wanted)
            return
        while found := waiting(data):
            do(found[0], settings, still_wanted)


def do(upload: Upload, settings: Settings, progress: Progress) -> None:
    """Split it, or keep why not; a fault of ours is logged."""
    known = index()
    try:
        asked = question(known, on=upload.asked.at.date(), **upload.asked.question)
        split(
            upload,
            index=known,
            asked=asked,
            data=settings.data,
            megabytes=settings.upload_mb,
            strangers=settings.strangers_mb * MEGABYTE,
            progress=progress,
        )
    except Refusal as refusal:  # a team that was to be left out is gone meanwhile
        refuse(upload, refusal)
    except Exception:
        _log.exception("upload not routed")


@contextmanager
def _only_one(data: Path) -> Iterator[BinaryIO | None]:
    """The lock that whoever routes holds, else None; it falls with the last process that holds it."""
    folder = data / UPLOADS
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / LOCK).open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
            return
        yield lock


def _environment(settings: Settings) -> dict[str, str]:
    """The settings that routing hangs on, whatever this process read them from."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("POCDIR_")}
    return others | {
        "POCDIR_DATA": str(settings.data),
        "POCDIR_DATABASE_URL": settings.database_url,
        "POCDIR_SECRET_KEY": settings.secret_key,
        "POCDIR_REGISTRY_COUNTRY": settings.registry_country,
        "POCDIR_STRANGERS_MB": str(settings.strangers_mb),
        "POCDIR_UPLOAD_MB": str(settings.upload_mb),
    }


if __name__ == "__main__":
    main()
