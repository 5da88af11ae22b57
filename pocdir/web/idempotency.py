"""The same key and request get the same answer; the same key with another request is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from flask import request
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from pocdir import running
from pocdir.core.errors import Invalid
from pocdir.core.tokens import digest
from pocdir.db import inserts_once, table_of
from pocdir.web.models import IdempotencyKey

KEPT = dt.timedelta(days=30)
_ONCE = inserts_once(table_of(IdempotencyKey))


def key_given() -> str | None:
    """The request's `Idempotency-Key`, if it has one.

    Raises Invalid `idempotency_key_invalid` for one that is empty, too long or not printable ASCII.
    """
    key = request.environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and (not 1 <= len(key) <= 200 or not key.isascii() or not key.isprintable()):
        raise Invalid("idempotency_key_invalid", "Idempotency-Key: 1 to 200 printable characters are right")
    return key


def once(
    session: Session,
    *,
    scope: str,
    now: dt.datetime,
    act: Callable[[], str],
    body: bytes | None = None,
    key: str | None = None,
) -> str:
    """The reference that `act` returns, or the one it returned for the same `Idempotency-Key` and request.

    `scope` is whose key it is (a workspace, a team); `body` the digest of one that was read as a stream; `key` that
    of a form (`web.forms.press`), which has no header. Raises Invalid `idempotency_mismatch`, and as key_given().
    """
    key = key or key_given()
    if key is None:
        return act()
    kept = _claimed(session, scope, key, _fingerprint(body), now)
    if kept is None:
        kept = act()
        table = table_of(IdempotencyKey)
        this = (table.c.scope == scope) & (table.c.key == key)
        session.connection().execute(update(table).where(this).values(resource=kept))
    return kept


def row_key(session: Session, *, scope: str, now: dt.datetime) -> str:
    """What the keys of the single rows of this request begin with; empty without an `Idempotency-Key`.

    For what is recorded row by row. There `once` would be too little: a repeat records the rows that were refused the
    first time, and gives those that stand. The request is in it too: a key that is forgotten here stands in the
    ledger for ever, and another request finds no row of an older one under it. Raises as `once`.
    """
    key = key_given()
    if key is None:
        return ""
    fingerprint = _fingerprint()
    _claimed(session, scope, key, fingerprint, now)
    return digest(running.secret(), "idempotency", f"{fingerprint}:{key}".encode())


def _fingerprint(body: bytes | None = None) -> str:
    asked = (request.method.encode(), request.path.encode(), request.query_string)
    whole = b"\0".join((*asked, request.get_data() if body is None else body))
    return digest(running.secret(), "idempotency", whole)


def _claimed(session: Session, scope: str, key: str, fingerprint: str, now: dt.datetime) -> str | None:
    """None for the first with this key, else what the same request was given; raises Invalid for another request."""
    table, connection = table_of(IdempotencyKey), session.connection()
    row = {"scope": scope, "key": key, "digest": fingerprint, "resource": "", "created_at": now}
    # The key first: who comes second with it waits for the first to end, and then reads what became of it.
    insert = _ONCE[connection.dialect.name].returning(table.c.key)
    if connection.execute(insert, row).first() is not None:
        return None
    this = (table.c.scope == scope) & (table.c.key == key)
    kept = connection.execute(select(table.c.digest, table.c.resource).where(this)).one()
    if kept.digest != fingerprint:
        raise Invalid("idempotency_mismatch", "this Idempotency-Key was used with another request")
    return str(kept.resource)


def forget_old_keys(session: Session, *, now: dt.datetime) -> int:
    """Drop keys older than 30 days; returns how many."""
    table = table_of(IdempotencyKey)
    return session.connection().execute(delete(table).where(table.c.created_at < now - KEPT)).rowcount
