"""What has to be so before the service may answer: migrations, seeds, a first admin."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from pocdir import config
from pocdir.accounts.sign_in import first_admin_link, waiting_link
from pocdir.config import Settings
from pocdir.core.errors import Conflict, Invalid
from pocdir.db import db
from pocdir.directory.queries.versions import directory_version
from pocdir.routing.rules.registry import current_version
from pocdir.site.queries.checks import unsafe_postgresql
from pocdir.site.queries.database import is_current, revisions, standing
from pocdir.site.rules.demo import EMAIL


def prepare(settings: Settings, *, now: dt.datetime) -> Iterator[str]:
    """Bring the database up and fill it when it is empty; yields what a person should read, as it happens.

    Raises Conflict `database_newer`, SystemExit when a step failed and has said why on stderr.
    """
    with _one_at_a_time(settings.data / "start.lock"):
        with db.engine.connect() as connection:
            current = is_current(connection)
        if not current:
            yield from _step(settings, "db", "upgrade")
        if _is_empty(settings):
            yield "Loading the shipped directory and registry; this happens once."
            yield from _step(settings, "seed")
    with db.engine.connect() as connection:
        for setting in unsafe_postgresql(connection):
            yield f"Warning: PostgreSQL runs with {setting}; a power failure may lose what was acknowledged."


def way_in(settings: Settings, *, now: dt.datetime) -> str | None:
    """What a person needs to come in who has not chosen a password yet: a one-time link, on a line of its own."""
    try:
        if settings.demo:
            link, said = (
                waiting_link(EMAIL, now),
                "The demonstration's one-time link, into the filled workspace:",
            )
        else:
            link = first_admin_link(now)
            said = "No admin has chosen a password yet. Open this link once to become the first:"
    finally:
        db.session.remove()  # else this thread's snapshot stays open for as long as the service runs
    return f"{said}\n  {link}" if link else None


def require_possible(settings: Settings) -> None:
    """For what makes or migrates the database: where that could only fail, nothing is made.

    Raises Invalid `data_not_writable`, Conflict `database_newer`, and what the database itself says.
    """
    _require_writable(settings.data)
    path = settings.sqlite_path
    if path is not None and not path.exists():
        if path.parent != settings.data:
            _require_writable(path.parent, made=False)
        return
    engine = create_engine(settings.database_url, poolclass=NullPool, hide_parameters=True)
    with engine.connect() as connection:
        is_current(connection)


def _require_writable(folder: Path, *, made: bool = True) -> None:
    place = folder
    while made and not place.exists() and place != place.parent:
        place = place.parent
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return
    why = "Permission denied" if place.is_dir() else "Not a directory" if place.exists() else "no such folder"
    raise Invalid("data_not_writable", f"cannot keep data in {folder}: {why}; set POCDIR_DATA")


def require_current() -> None:
    """Raises Conflict `database_behind` or `database_newer` unless the database is at the newest migration."""
    with db.engine.connect() as connection:
        if is_current(connection):
            return
        at = standing(connection)
    place = f"at migration {at}" if at else "empty"
    raise Conflict(
        "database_behind",
        f"the database is {place}, this pocdir needs {revisions()[-1]}; run `pocdir db upgrade`",
    )


def _is_empty(settings: Settings) -> bool:
    directory = directory_version()
    db.session.remove()
    return directory == "0" or current_version(settings.data / "registry") is None


def _step(settings: Settings, *arguments: str) -> Iterator[str]:
    """Run a command of our own in a process of its own: a serving one never loads what migrates and imports."""
    environment = {
        **os.environ,
        "POCDIR_DATA": str(settings.data),
        "POCDIR_DATABASE_URL": settings.database_url,
        # The same code as here, wherever the command was started.
        "PYTHONPATH": os.pathsep.join(
            filter(None, (str(config.PACKAGE.parent), os.environ.get("PYTHONPATH")))
        ),
        "PYTHONSAFEPATH": "1",
    }
    command = [sys.executable, "-m", "pocdir.cli", *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101 - asked for as a pipe
        try:
            for line in process.stdout:
                yield line.rstrip("\n")
            code = process.wait()
        except BaseException:
            process.kill()  # its transaction rolls back
            raise
    if code:
        raise SystemExit(1)


@contextlib.contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Two starts on one folder: the second waits, and finds everything done."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
