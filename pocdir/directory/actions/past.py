"""Keeping what stood: rows end as they stand before they change or go."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy import Connection, Table, insert, literal, select, update

from pocdir.db import UtcDateTime
from pocdir.directory.models import PAST

BATCH = 500


def keep(connection: Connection, table: Table, ids: Sequence[int], now: dt.datetime) -> None:
    """End these rows as they stand, and begin their successors at `now`: call it before you change or delete them.

    A row that began at `now` itself never stood for others to read, and leaves nothing behind.
    """
    twin = PAST[table.name]
    columns = [*table.c, literal(now, UtcDateTime())]
    for start in range(0, len(ids), BATCH):
        chosen = table.c.id.in_(ids[start : start + BATCH])
        ending = select(*columns).where(chosen, table.c.recorded_at < now)
        connection.execute(insert(twin).from_select([*table.c.keys(), "recorded_to"], ending))
        connection.execute(update(table).where(chosen).values(recorded_at=now))
