"""The same key and body get the same answer; the same key with another body is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from flask import current_app, request
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid
from pocdir.core.tokens import digest
from pocdir.db import table_of
from pocdir.web.models import IdempotencyKey

KEPT = dt.timedelta(days=30)


def once(session: Session, *, scope: str, now: dt.datetime, act: Callable[[], str]) -> str:
    """The reference that `act` returns, or the one it returned for the same `Idempotency-Key` and body.

    `scope` is whose key it is (a workspace, a team). Raises Invalid `idempotency_mismatch`, or
    `idempotency_key_invalid` for a key that is empty, too long or not printable ASCII.
    """
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return act()
    if not 1 <= len(key) <= 200 or not key.isascii() or not key.isprintable():
        raise Invalid("idempotency_key_invalid", "Idempotency-Key: 1 to 200 printable characters are right")
    body = b"\0".join((request.method.encode(), request.path.encode(), request.get_data()))
    fingerprint = digest(current_app.config["SECRET_KEY"].encode(), "idempotency", body)
    table = table_of(IdempotencyKey)
    # A transaction that writes holds the lock on SQLite; on PostgreSQL the primary key decides a race.
    kept = (
        session.connection()
        .execute(select(table.c.digest, table.c.resource).where(table.c.scope == scope, table.c.key == key))
        .first()
    )
    if kept is None:
        resource = act()
        session.connection().execute(
            insert(table).values(scope=scope, key=key, digest=fingerprint, resource=resource, created_at=now)
        )
        return resource
    if kept.digest != fingerprint:
        raise Invalid("idempotency_mismatch", "this Idempotency-Key was used with another request")
    return str(kept.resource)


def forget_old_keys(session: Session, *, now: dt.datetime) -> int:
    """Drop keys older than 30 days; returns how many."""
    table = table_of(IdempotencyKey)
    return session.connection().execute(delete(table).where(table.c.created_at < now - KEPT)).rowcount
