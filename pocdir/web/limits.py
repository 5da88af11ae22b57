"""How often: fixed windows, in the database for what changes something, in memory for what only reads.

Not Flask-Limiter: it lacks an SQL storage, and its hooks cost each request more than bare Flask does.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
from dataclasses import dataclass

from flask import Flask, current_app
from sqlalchemy import case, delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pocdir import running
from pocdir.core.errors import TooMany
from pocdir.core.tokens import digest
from pocdir.db import transaction
from pocdir.web.models import RateLimit


@dataclass(frozen=True, slots=True)
class Limit:
    """`most` times in `seconds`; `lease` is how many are taken from the database at once (exact across
    processes as an upper bound; a process that ends loses what it had left)."""

    name: str
    most: int
    seconds: int
    lease: int = 1


class Memory:
    """Counters of one process: a dictionary per window, dropped when the next window begins."""

    def __init__(self) -> None:
        self._window: dict[int, tuple[int, dict[str, int]]] = {}

    def hit(self, limit: Limit, key: str, now: float) -> int:
        """Count once; returns the count in this window. A lost count under threads is not worth a lock."""
        window = int(now) // limit.seconds
        started, counts = self._window.get(limit.seconds, (-1, {}))
        if started != window:
            counts = {}
            self._window[limit.seconds] = (window, counts)
        count = counts[key] = counts.get(key, 0) + 1
        return count


class Leases:
    """What this process has taken from the database and not yet used."""

    def __init__(self) -> None:
        self._left: dict[str, tuple[float, int]] = {}

    def take(self, key: str, now: float) -> bool:
        """Use one of those left, if any."""
        ends, left = self._left.get(key, (0.0, 0))
        if left < 1 or ends <= now:
            return False
        self._left[key] = (ends, left - 1)
        return True

    def keep(self, key: str, ends: float, left: int, now: float) -> None:
        if len(self._left) > 10_000:
            self._left = {key: kept for key, kept in self._left.items() if kept[0] > now}
        self._left[key] = (ends, left)


def init_app(app: Flask) -> None:
    """Counters of this application; RATELIMIT_ENABLED=False switches all limits off (benchmarks)."""
    app.config.setdefault("RATELIMIT_ENABLED", True)
    app.extensions["pocdir.limits"] = (Memory(), Leases())


def glance(limit: Limit, key: str, now: dt.datetime) -> None:
    """Count a read in memory; raises TooMany `too_many`."""
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if not app.config["RATELIMIT_ENABLED"]:
        return
    memory: Memory = app.extensions["pocdir.limits"][0]
    moment = now.timestamp()
    if memory.hit(limit, f"{limit.name}:{key}", moment) > limit.most:
        raise too_many(limit.seconds - moment % limit.seconds)


def spend(limit: Limit, key: str, now: dt.datetime) -> None:
    """Count in the database, for all processes, in a transaction of its own; raises TooMany `too_many`.

    Call it outside transaction(): what it counted stands whatever comes after.
    """
    if not current_app.config["RATELIMIT_ENABLED"]:
        return
    moment = now.timestamp()
    kept_as = digest(running.secret(), "limit", f"{limit.name}:{key}".encode())
    leases: Leases = current_app.extensions["pocdir.limits"][1]
    if limit.lease > 1 and leases.take(kept_as, moment):
        return
    with transaction() as session:
        count, ends = count_up(session, kept_as, limit.lease, moment, moment + limit.seconds)
    if count - limit.lease >= limit.most:
        raise too_many(ends - moment)
    if limit.lease > 1:
        leases.keep(kept_as, ends, min(limit.lease, limit.most - count + limit.lease) - 1, moment)


def count_up(session: Session, key: str, amount: int, now: float, ends: float) -> tuple[int, float]:
    """Add `amount` in one statement, in a new window when the old one is over; (count, window's end)."""
    table = RateLimit.__table__
    connection = session.connection()
    insert = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    over = table.c.expires_at <= now
    statement = insert.values(key=key, count=amount, expires_at=ends).on_conflict_do_update(
        index_elements=[table.c.key],
        set_={
            "count": case((over, amount), else_=table.c.count + amount),
            "expires_at": case((over, ends), else_=table.c.expires_at),
        },
    )
    count, expires_at = connection.execute(statement.returning(table.c.count, table.c.expires_at)).one()
    return count, expires_at


def forget_old_limits(session: Session, *, now: dt.datetime) -> int:
    """Drop counters whose window is over; returns how many."""
    table = RateLimit.__table__
    return (
        session.connection().execute(delete(RateLimit).where(table.c.expires_at <= now.timestamp())).rowcount
    )


def too_many(seconds: float) -> TooMany:
    """The refusal, with when to come back."""
    return TooMany("too_many", "too many requests; try again later", retry_after=max(1, math.ceil(seconds)))


def network(address: str | None) -> str:
    """Whom an address stands for: itself, or the /64 that one IPv6 customer has."""
    if not address or ":" not in address:
        return address or "unknown"
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address
