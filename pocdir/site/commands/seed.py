"""Loading what pocdir ships: the directory and the registry snapshot."""

from __future__ import annotations

import click

from pocdir import running
from pocdir.config import folder
from pocdir.core import clock
from pocdir.db import db, transaction
from pocdir.directory.actions.seeds import load_seeds
from pocdir.routing.actions import load_seed_registry
from pocdir.site.actions.database import upgrade
from pocdir.site.actions.start import require_current, require_possible
from pocdir.site.queries.database import standing
from pocdir.web.terminal import app_context, emit, json_option


@click.command()
@json_option
def seed(as_json: bool) -> None:
    """Load the shipped directory and registry; what people and imports have said since stays.

    A database that does not exist yet is made.

    \b
    Example:  pocdir seed
    """
    now = clock.now()
    seeds = folder("seeds")
    with app_context(before=require_possible):
        with db.engine.connect() as connection:
            new = standing(connection) is None
        if new:
            upgrade(db.engine)
        require_current()
        registry = load_seed_registry(seeds / "registry", running.settings().data / "registry", now=now)
        with transaction() as session:
            directory = load_seeds(session, folder=seeds, now=now)
    if as_json:
        emit({"directory": directory, "registry": registry.as_dict() if registry else None})
        return
    click.echo(f"Directory: {directory['teams']} teams loaded or there already.")
    click.echo(f"Registry: {'loaded' if registry else 'there already'}.")
