"""Bringing the database up to the code's migrations, and down again."""

from __future__ import annotations

import datetime as dt
import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine

from pocdir.config import Settings, folder
from pocdir.db import writing


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations up to `revision` in one transaction."""
    from alembic import command

    with writing(engine) as connection:
        command.upgrade(_alembic(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Run the migrations down to `revision` (`base` for nothing)."""
    from alembic import command

    with writing(engine) as connection:
        command.downgrade(_alembic(connection), revision)


def _alembic(connection: Connection):  # type: ignore[no-untyped-def]
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(folder("migrations")).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def copy_aside(settings: Settings, now: dt.datetime) -> Path | None:
    """Copy the SQLite file beside itself before a migration; None when there is nothing to copy."""
    path = settings.sqlite_path
    if path is None or not path.is_file():
        return None
    copy = path.with_name(f"{path.stem}-before-{now:%Y%m%dT%H%M%S}.db")
    with sqlite3.connect(path) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    source.close()
    target.close()
    copy.chmod(0o600)
    return copy
