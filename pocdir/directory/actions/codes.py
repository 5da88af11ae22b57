"""Writing what is known of each country code, also where no team is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from pocdir.db import table_of
from pocdir.directory.models import Code

BATCH = 500
_CODE = table_of(Code)


def replace_codes(session: Session, codes: Sequence[Mapping[str, Any]]) -> None:
    """Write what is known of the country codes of which something else is known now."""
    connection = session.connection()
    stored = {row.code: dict(row._mapping) for row in connection.execute(select(_CODE))}
    changed = [dict(row) for row in codes if stored.get(row["code"]) != row]
    gone = [row["code"] for row in changed]
    for start in range(0, len(gone), BATCH):
        connection.execute(delete(_CODE).where(_CODE.c.code.in_(gone[start : start + BATCH])))
    if changed:
        connection.execute(insert(_CODE), changed)
