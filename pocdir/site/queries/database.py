"""Where the database stands against the code's migrations."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from pocdir.config import folder
from pocdir.core.errors import Conflict


def revisions() -> list[str]:
    """The numbers of the migrations that this code knows, oldest first (read from their file names)."""
    return sorted(path.name[:4] for path in (folder("migrations") / "versions").glob("[0-9]*_*.py"))


def standing(connection: Connection) -> str | None:
    """The migration that the database is at; None when it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def is_current(connection: Connection) -> bool:
    """Whether the database is at the newest migration; raises Conflict `database_newer` when it is beyond it."""
    at = standing(connection)
    known = revisions()
    if at is not None and at not in known:
        raise Conflict(
            "database_newer",
            f"the database is at migration {at}, newer than this pocdir ({known[-1]}); update it",
        )
    return at == known[-1]
