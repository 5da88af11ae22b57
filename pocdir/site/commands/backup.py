"""Backup and restore: one file, and a verified ledger at the end of both."""

from __future__ import annotations

from pathlib import Path

import click

from pocdir import running
from pocdir.config import folder
from pocdir.core import clock
from pocdir.core.errors import Conflict
from pocdir.db import db, snapshot, transaction
from pocdir.routing.actions import load_seed_registry
from pocdir.site.actions.backup import back_up, load, make_room, opened, put_files
from pocdir.site.actions.database import upgrade
from pocdir.site.actions.start import require_current, require_possible
from pocdir.site.queries.ledger import Verification, verified
from pocdir.web.terminal import app_context, emit, json_option


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Also over a file that is there.")
@json_option
def backup(file: Path, force: bool, as_json: bool) -> None:
    """Write everything into one file: all tables at one moment, the secret key, an imported registry.

    Runs beside the service. Whoever reads the file may do what the service may: keep it like a key.

    \b
    Example:  pocdir backup /var/backups/pocdir-monday.tar.gz
    """
    with app_context():
        require_current()
        if file.exists() and not force:
            raise Conflict("backup_exists", f"{file} is there already; name another file, or add --force")
        with snapshot() as session:
            manifest, verification = back_up(
                session, file.absolute(), settings=running.settings(), now=clock.now()
            )
    rows = sum(member["rows"] or 0 for member in manifest.members.values())
    if not as_json:
        click.echo(f"Wrote {rows} rows at migration {manifest.migration} to {file}.")
    _end(verification, {"file": str(file), "rows": rows, "migration": manifest.migration}, as_json)


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@json_option
def restore(file: Path, as_json: bool) -> None:
    """Read a backup into an empty database, of either kind, and verify what was read.

    \b
    Example:  POCDIR_DATA=/srv/pocdir-restored pocdir restore /var/backups/pocdir-monday.tar.gz
    """
    with opened(file) as (tar, manifest), app_context(before=require_possible):
        settings = running.settings()
        make_room(db.engine, manifest.migration)
        with transaction() as session:
            load(session, tar, manifest)
            same_secret = put_files(tar, manifest, settings=settings)
        upgrade(db.engine)
        if manifest.registry is None:
            load_seed_registry(folder("seeds") / "registry", settings.data / "registry", now=clock.now())
        verification = verified()
    if not same_secret:
        click.echo(
            "Links and sessions of before need the secret in the backup: set POCDIR_SECRET_KEY to it.",
            err=True,
        )
    rows = sum(member["rows"] or 0 for member in manifest.members.values())
    if not as_json:
        click.echo(f"Restored {rows} rows of {manifest.created_at} from {file}.")
    _end(verification, {"file": str(file), "rows": rows, "migration": manifest.migration}, as_json)


def _end(verification: Verification, about: dict[str, object], as_json: bool) -> None:
    if as_json:
        emit(about | verification.as_dict())
    else:
        for fault in verification.faults[:20]:
            click.echo(fault)
        state = (
            f"{len(verification.faults)} faults (pocdir ledger verify)" if verification.faults else "verified"
        )
        click.echo(f"Ledger: {verification.events} events, head {verification.head}: {state}.")
    if verification.faults:
        raise click.exceptions.Exit(1)
