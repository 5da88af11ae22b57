"""What is unsafe or broken about this installation, each point with its level."""

from __future__ import annotations

import datetime as dt
import platform
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import SQLAlchemyError

from pocdir.config import Settings
from pocdir.core.errors import Refusal
from pocdir.core.relays import NONE, is_loopback
from pocdir.core.times import isoformat
from pocdir.core.version import VERSION
from pocdir.db import db
from pocdir.directory.models import DirectoryVersion
from pocdir.ledger.queries import missing_guards
from pocdir.mail import queries as outbox
from pocdir.mail.own_key import kept
from pocdir.mail.rules.envelope import LONGEST_NAME
from pocdir.outreach.queries.notifications import last_tick
from pocdir.outreach.queries.past_due import past_due
from pocdir.routing.rules.registry import Registry
from pocdir.site.queries.database import is_current, standing

OK, WARN, FAIL = "ok", "warn", "fail"
LATE = dt.timedelta(seconds=60)
LATE_MAIL = dt.timedelta(minutes=15)
OLD = dt.timedelta(days=180)
MEGABYTE = 1024 * 1024
DURABLE = {
    "fsync": ("on",),
    "full_page_writes": ("on",),
    "synchronous_commit": ("on", "remote_apply", "remote_write", "local"),
}


class Point(NamedTuple):
    """One line of `pocdir doctor`."""

    name: str
    level: str
    finding: str


def unsafe_postgresql(connection: Connection) -> list[str]:
    """Settings such as `fsync=off` under which PostgreSQL forgets what it confirmed; none on SQLite."""
    if connection.dialect.name != "postgresql":
        return []
    found = {name: connection.execute(text(f"SHOW {name}")).scalar_one() for name in DURABLE}
    return [f"{name}={value}" for name, value in found.items() if value not in DURABLE[name]]


def checks(settings: Settings, now: dt.datetime) -> Iterator[Point]:
    """Every check, the database's own only as far as it answers."""
    yield Point("pocdir", OK, f"{VERSION} on Python {platform.python_version()}")
    yield _folder(settings.data)
    yield _disk(settings.data)
    yield _secret(settings)
    yield _openpgp(settings)
    yield _address(settings)
    yield _links(settings)
    yield _mail(settings)
    yield _registry(settings.data / "registry", now)
    try:
        with db.engine.connect() as connection:
            yield (_sqlite if connection.dialect.name == "sqlite" else _postgresql)(connection)
            current = is_current(connection)
            yield _migration(connection, current)
        if current:
            yield _guards()
            yield _directory(now)
            yield _worker(now)
            yield _past_due(now)
            yield _outbox(settings, now)
    except SQLAlchemyError as error:
        yield Point("database", FAIL, " ".join(str(getattr(error, "orig", error)).split()))
    except Refusal as refusal:
        yield Point("migration", FAIL, str(refusal))
    finally:
        db.session.remove()


def _folder(data: Path) -> Point:
    files = [data, data / "secret_key", data / "openpgp_key", *data.glob("pocdir*.db")]
    loose = [path.name for path in files if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    # Nobody gets at a file of a folder that is closed.
    if data.name not in loose and "secret_key" not in loose:
        return Point("data", OK, str(data))
    level = FAIL if "secret_key" in loose and data.name in loose else WARN
    return Point("data", level, f"{data}: others may read {', '.join(loose)}; chmod go= it")


def _disk(data: Path) -> Point:
    free = shutil.disk_usage(data).free // MEGABYTE
    return Point("disk", FAIL if free < 200 else WARN if free < 1000 else OK, f"{free} MB free")


def _openpgp(settings: Settings) -> Point:
    try:
        found = kept(settings)
    except Refusal as refusal:
        return Point("openpgp", FAIL, f"no letter can be signed: {refusal.message}")
    return Point("openpgp", OK, f"letters are signed by {found[0]}" if found else "made with the first use")


def _secret(settings: Settings) -> Point:
    if len(set(settings.secret_key)) < 12:
        words = "too few different characters; remove the setting and one is made, or use 32 random bytes"
        return Point("secret", FAIL, words)
    return Point("secret", OK, f"{len(settings.secret_key)} characters")


def _address(settings: Settings) -> Point:
    url = settings.external_url
    if settings.https or (is_loopback(settings.host) and is_loopback(urlsplit(url).hostname or "")):
        return Point("address", OK, url)
    return Point("address", WARN, f"{url}: passwords and links travel readable; put TLS before it (https://)")


def _links(settings: Settings) -> Point:
    if settings.is_only_here:
        words = "a letter's link opens on this machine alone; set POCDIR_BASE_URL before you send one"
        return Point("links", WARN, words)
    return Point("links", OK, f"to {settings.external_url}")


def _mail(settings: Settings) -> Point:
    relay = settings.relay
    if relay is None:
        if settings.smtp_url:
            return Point("mail", FAIL, "POCDIR_SMTP_URL is set, POCDIR_MAIL_FROM is not: nothing is sent")
        return Point("mail", OK, "no relay (POCDIR_SMTP_URL): letters wait in the outbox for a person")
    found = f"from {settings.mail_from} by {relay.shown}"
    if relay.security == NONE and not is_loopback(relay.host):
        return Point("mail", WARN, f"{found}: starttls=none lets everybody on the way read along")
    if len((settings.mail_from or "").rpartition("@")[0]) > LONGEST_NAME:
        return Point(
            "mail",
            WARN,
            f"{found}: no bounce names its letter, over {LONGEST_NAME} characters stand before the @",
        )
    return Point("mail", OK, found)


def _registry(folder: Path, now: dt.datetime) -> Point:
    try:
        registry = Registry.open(folder)
    except Refusal as refusal:
        return Point("registry", FAIL, str(refusal))
    if registry is None:
        return Point("registry", WARN, "none; run `pocdir seed`, or `pocdir registry import`")
    old = dt.date.fromisoformat(registry.as_of) < (now - OLD).date()
    return Point(
        "registry", WARN if old else OK, f"of {registry.as_of}{', import a newer one' if old else ''}"
    )


def _migration(connection: Connection, current: bool) -> Point:
    at = standing(connection) or "none"
    return (
        Point("migration", OK, at)
        if current
        else Point("migration", FAIL, f"at {at}; run `pocdir db upgrade`")
    )


def _sqlite(connection: Connection) -> Point:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    found = {name: connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in wanted}
    wrong = [f"{name}={value}" for name, value in found.items() if value != wanted[name]]
    damage = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if damage != "ok":
        wrong.append(str(damage))
    return Point("database", FAIL if wrong else OK, f"SQLite: {', '.join(wrong) or 'durable and whole'}")


def _postgresql(connection: Connection) -> Point:
    version = connection.execute(text("SHOW server_version")).scalar_one().split()[0]
    if unsafe := unsafe_postgresql(connection):
        words = (
            f"PostgreSQL {version} with {', '.join(unsafe)}: a power failure may lose what was acknowledged"
        )
        return Point("database", FAIL, words)
    if connection.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar_one():
        words = f"PostgreSQL {version}: the role is a superuser, whom no trigger stops; use a plain role"
        return Point("database", WARN, words)
    return Point("database", OK, f"PostgreSQL {version}, durable")


def _guards() -> Point:
    missing = missing_guards()
    return Point(
        "ledger", FAIL if missing else OK, f"missing: {', '.join(missing)}" if missing else "append-only"
    )


def _directory(now: dt.datetime) -> Point:
    changed = db.session.scalar(select(DirectoryVersion.changed_at))
    if changed is None:
        return Point("directory", WARN, "empty; run `pocdir seed`, or `pocdir directory import`")
    return Point("directory", WARN if changed < now - OLD else OK, f"last changed {isoformat(changed)}")


def _worker(now: dt.datetime) -> Point:
    tick = last_tick()
    if tick is None:
        return Point("worker", WARN, "has never gone round; run `pocdir up`")
    late = now - tick > LATE
    return Point(
        "worker", WARN if late else OK, f"last went round {isoformat(tick)}{', is it running?' * late}"
    )


def _past_due(now: dt.datetime) -> Point:
    found = past_due(now - LATE)
    words = []
    if found.expectations:
        words.append(f"{found.expectations} fell due without their event")
    if found.steps:
        words.append(f"at {found.steps} paths a next step may be due without its event")
    if found.failing:
        words.append(f"{found.failing} of these cannot be worked out")
    if words:
        return Point("expectations", FAIL, f"{'; '.join(words)}; the worker tries again, its log says why")
    return Point("expectations", OK, "everything that fell due has its event")


def _outbox(settings: Settings, now: dt.datetime) -> Point:
    counts, since = outbox.counts(), outbox.waiting_since(now)
    lost = counts.get("failed", 0) + counts.get("dead", 0)
    words = [f"{counts.get('queued', 0)} wait"] + [f"{lost} could not be sent: see the outbox"] * bool(lost)
    late = settings.relay is not None and since is not None and now - since > LATE_MAIL
    if late and since is not None:
        words.append(f"one should have gone at {isoformat(since)}, is the worker running?")
    return Point("outbox", WARN if late or lost else OK, "; ".join(words))
