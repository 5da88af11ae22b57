"""Writing everything into one file, and reading it back into an empty database."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import io
import os
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any, cast

from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Engine,
    LargeBinary,
    MetaData,
    Table,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.orm import Session

from pocdir.config import Settings
from pocdir.core.errors import Conflict, Invalid
from pocdir.core.times import isoformat
from pocdir.core.version import VERSION
from pocdir.routing.rules.registry import CURRENT, Registry
from pocdir.site.actions.database import downgrade, upgrade
from pocdir.site.queries.database import revisions, standing
from pocdir.site.queries.ledger import Verification, head, verification
from pocdir.site.rules import backup as rules
from pocdir.site.rules.backup import Manifest

BATCH = 500
_BROKEN = (tarfile.TarError, EOFError, zlib.error, UnicodeDecodeError)


def back_up(
    session: Session, path: Path, *, settings: Settings, now: dt.datetime
) -> tuple[Manifest, Verification]:
    """Write one file (mode 0600) with every row the session's snapshot shows; never half a file.

    Returns what it says of itself and what was found of the ledger in it. Raises Invalid `backup_unwritable`.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    except OSError as error:
        raise Invalid("backup_unwritable", f"cannot write {path}: {error.strerror}") from None
    half = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as tar:
                written = _write_members(tar, session.connection(), settings, now)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
        _folder_to_disk(path.parent)
    except OSError as error:
        raise Invalid("backup_unwritable", f"cannot write {path}: {error.strerror}") from None
    finally:
        half.unlink(missing_ok=True)
    return written


def _write_members(
    tar: tarfile.TarFile, connection: Connection, settings: Settings, now: dt.datetime
) -> tuple[Manifest, Verification]:
    members: dict[str, dict[str, Any]] = {}
    for table in _tables(connection):
        with tempfile.TemporaryFile() as spool:
            rows = _spool(connection, table, spool)
            members[rules.table_member(table.name)] = _add(
                tar, rules.table_member(table.name), spool, now, rows
            )
    members[rules.SECRET] = _add(tar, rules.SECRET, io.BytesIO(settings.secret_key.encode()), now)
    for name in rules.SIGNING_KEYS:
        if (signing := settings.data / name).is_file():
            members[name] = _add(tar, name, io.BytesIO(signing.read_bytes()), now)
    registry = _own_registry(settings.data / "registry")
    for path in sorted(registry.iterdir()) if registry else ():
        with path.open("rb") as content:
            name = f"registry/{path.parent.name}/{path.name}"
            members[name] = _add(tar, name, content, now)
    judged = verification()
    manifest = Manifest(
        pocdir=VERSION,
        migration=standing(connection) or "",
        created_at=isoformat(now),
        database=connection.dialect.name,
        events=judged.events,
        head=judged.head,
        registry=registry.name if registry else None,
        members=members,
    )
    _add(tar, rules.MANIFEST, io.BytesIO(manifest.text()), now)
    return manifest, judged


def _spool(connection: Connection, table: Table, spool: IO[bytes]) -> int:
    statement = select(table).order_by(*(table.primary_key.columns or table.columns))
    count = 0
    for row in connection.execute(statement, execution_options={"yield_per": BATCH}).mappings():
        spool.write(rules.line(dict(row)))
        count += 1
    return count


def _add(
    tar: tarfile.TarFile, name: str, content: IO[bytes], now: dt.datetime, rows: int | None = None
) -> dict[str, Any]:
    member = tarfile.TarInfo(name)
    member.size = content.seek(0, os.SEEK_END)
    member.mode, member.mtime = 0o600, int(now.timestamp())
    content.seek(0)
    digest = hashlib.file_digest(cast(io.BufferedReader, content), "sha256").hexdigest()
    content.seek(0)
    tar.addfile(member, content)
    return {"sha256": digest, "rows": rows}


def _own_registry(folder: Path) -> Path | None:
    """The published version, when anything in it is not pocdir's own seed (that one is made again from the seed)."""
    registry = Registry.open(folder)
    if registry is None or all(source.origin == "seed" for source in registry.provenance.values()):
        return None
    return folder / registry.version


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[tarfile.TarFile, Manifest]]:
    """A backup whose every byte was compared with its manifest.

    Raises Invalid `backup_unreadable`, `backup_damaged`, `backup_newer`.
    """
    try:
        with tarfile.open(path, "r:gz") as tar:
            try:
                manifest = _checked(tar)
            except _BROKEN as error:
                raise rules.damaged(str(error)) from None
            yield tar, manifest
    except tarfile.TarError:
        raise rules.damaged("it is no archive") from None
    except OSError as error:
        raise Invalid("backup_unreadable", f"cannot read {path}: {error.strerror or error}") from None


def _checked(tar: tarfile.TarFile) -> Manifest:
    found: dict[str, str] = {}
    manifest = None
    for member in tar:
        content = tar.extractfile(member) if member.isfile() else None
        if content is None or member.name in found:
            raise rules.damaged(f"{member.name!r} has no place in it")
        if member.name == rules.MANIFEST:
            manifest = rules.manifest(content.read())
        else:
            found[member.name] = hashlib.file_digest(cast(io.BufferedReader, content), "sha256").hexdigest()
    if manifest is None:
        raise rules.damaged("its manifest is missing")
    said = {name: member["sha256"] for name, member in manifest.members.items()}
    if said != found:
        names = sorted(name for name in said | found if said.get(name) != found.get(name))
        raise rules.damaged(f"{', '.join(names)} is not what the manifest says")
    if manifest.migration not in revisions():
        raise Conflict(
            "database_newer",
            f"the backup is at migration {manifest.migration}, newer than this pocdir ({revisions()[-1]}); update it",
        )
    return manifest


def make_room(engine: Engine, migration: str) -> None:
    """Bring an empty database to this migration; raises Conflict `database_not_empty`."""
    with engine.connect() as connection:
        at = standing(connection)
        filled = [
            table.name
            for table in _tables(connection)
            if connection.scalar(select(func.count()).select_from(table))
        ]
    if filled:
        raise Conflict(
            "database_not_empty",
            f"the database holds rows ({', '.join(filled[:3])}); restore into a new one: set POCDIR_DATA to a new"
            " folder or POCDIR_DATABASE_URL to an empty database",
        )
    if at is None or at < migration:
        upgrade(engine, migration)
    elif at > migration:
        downgrade(engine, migration)


def load(session: Session, tar: tarfile.TarFile, manifest: Manifest) -> None:
    """Fill the empty tables; raises Invalid `backup_damaged` unless the ledger is then the one backed up."""
    connection = session.connection()
    for table in _tables(connection):
        name = rules.table_member(table.name)
        content = tar.extractfile(name) if name in manifest.members else None
        if content is not None:
            _fill(connection, table, content)
    if connection.dialect.name == "postgresql":
        _advance_sequences(connection)
    if head() != (manifest.events, manifest.head):
        raise rules.damaged("the ledger in it is not the one that its manifest names")


def _fill(connection: Connection, table: Table, content: IO[bytes]) -> None:
    times = frozenset(column.name for column in table.columns if isinstance(column.type, DateTime))
    octets = frozenset(column.name for column in table.columns if isinstance(column.type, LargeBinary))
    zone = None if connection.dialect.name == "sqlite" else dt.UTC  # SQLite's own column type takes no zone
    while lines := list(islice(content, BATCH)):
        rows = [rules.row(line, times, octets) for line in lines]
        for row in rows:
            row.update({name: row[name].replace(tzinfo=zone) for name in times if row[name] is not None})
        connection.execute(insert(table), rows)


def _advance_sequences(connection: Connection) -> None:
    """The next row gets a number that no restored row has."""
    for table in _tables(connection):
        for column in table.primary_key.columns:
            sequence = connection.scalar(
                text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": f'"{table.name}"', "column": column.name},
            )
            highest = connection.scalar(select(func.max(column))) if sequence else None
            if highest is not None:
                connection.execute(
                    text("SELECT setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest}
                )


def put_files(tar: tarfile.TarFile, manifest: Manifest, *, settings: Settings) -> bool:
    """Put secret and registry in their places; False when the secret in force is another and comes from elsewhere."""
    folder = settings.data / "registry"
    for name in manifest.members:
        if found := rules.REGISTRY.fullmatch(name):
            _put(folder / found[1] / found[2], _content(tar, name))
    if manifest.registry is not None:
        _put(folder / CURRENT, f"{manifest.registry}\n".encode())
    for name in rules.SIGNING_KEYS:
        if name in manifest.members:
            _put(settings.data / name, _content(tar, name))
    secret = _content(tar, rules.SECRET)
    kept = settings.data / "secret_key"
    if settings.secret_key == secret.decode():
        return True
    if not kept.is_file() or kept.read_text("utf-8").strip() != settings.secret_key:
        return False
    _put(kept, secret)
    return True


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    content = tar.extractfile(name)
    return content.read() if content else b""


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".restored-", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
    _folder_to_disk(path.parent)


def _folder_to_disk(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _tables(connection: Connection) -> list[Table]:
    """Every table as the database has it (not as the code knows it), what is pointed at first."""
    metadata = MetaData()
    metadata.reflect(bind=connection)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type.none_as_null = True
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]
