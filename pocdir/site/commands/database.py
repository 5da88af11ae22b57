"""The database from the command line: where it stands, and bringing it up."""

from __future__ import annotations

import click

from pocdir import running
from pocdir.core import clock
from pocdir.db import db as database
from pocdir.site.actions.database import copy_aside, upgrade
from pocdir.site.actions.start import require_possible
from pocdir.site.queries.database import is_current, revisions, standing
from pocdir.web.terminal import app_context, emit, json_option


@click.group()
def db() -> None:
    """Migrate the database, or show where it stands."""


@db.command("upgrade")
@json_option
def upgrade_command(as_json: bool) -> None:
    """Bring the database to the newest migration; a SQLite file with data is copied aside first.

    \b
    Example:  pocdir db upgrade
    """
    with app_context(before=require_possible):
        settings = running.settings()
        with database.engine.connect() as connection:
            before, current = standing(connection), is_current(connection)
        copy = None
        if not current:
            copy = copy_aside(settings, clock.now()) if before else None
            if copy and not as_json:
                click.echo(f"Copied the database to {copy} before migrating it.")
            upgrade(database.engine)
    if as_json:
        emit({"before": before, "migration": revisions()[-1], "copy": str(copy) if copy else None})
    elif current:
        click.echo(f"The database is at migration {before}, the newest.")
    else:
        click.echo(f"Migrated the database {f'from {before} ' if before else ''}to {revisions()[-1]}.")


@db.command("current")
@json_option
def current_command(as_json: bool) -> None:
    """Show the migration that the database is at, and the newest one.

    \b
    Example:  pocdir db current
    """
    with app_context(), database.engine.connect() as connection:
        at = standing(connection)
    if as_json:
        emit({"migration": at, "newest": revisions()[-1]})
    else:
        click.echo(f"{at or 'empty'} (newest: {revisions()[-1]})")


@db.command("check")
@json_option
def check_command(as_json: bool) -> None:
    """Exit 0 when the database is at the newest migration, else 1.

    \b
    Example:  pocdir db check && pocdir serve
    """
    with app_context(), database.engine.connect() as connection:
        at, current = standing(connection), is_current(connection)
    if as_json:
        emit({"migration": at, "newest": revisions()[-1], "current": current})
    elif not current:
        click.echo(f"{at or 'empty'}: run `pocdir db upgrade` to reach {revisions()[-1]}")
    if not current:
        raise click.exceptions.Exit(1)
