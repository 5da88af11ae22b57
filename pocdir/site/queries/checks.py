"""What is unsafe or broken about this installation, each point with a verdict."""

from __future__ import annotations

from sqlalchemy import Connection, text

DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply", "remote_write", "local"),
}


def unsafe_postgresql(connection: Connection) -> list[str]:
    """Settings such as `fsync=off` under which PostgreSQL forgets what it confirmed; none on SQLite."""
    if connection.dialect.name != "postgresql":
        return []
    found = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in DURABLE}
    return [f"{name}={value}" for name, value in found.items() if value not in DURABLE[name]]
