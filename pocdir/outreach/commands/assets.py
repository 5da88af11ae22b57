"""`pocdir incident assets`: what an incident concerns, and what is watched as its baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from pocdir.accounts.guards import operator_for
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.rules.assets import MOST_BYTES, assets_from_csv
from pocdir.outreach.actions import assets as actions
from pocdir.web.terminal import app_context, emit, json_option, read_input, workspace_option


@click.command("assets")
@click.argument("ref")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--control", is_flag=True, help="Nobody is told about them: what they do is the baseline.")
@workspace_option
@json_option
def add_assets(ref: str, file: Path, control: bool, workspace: str | None, as_json: bool) -> None:
    """Add assets from a CSV with a column of addresses, names, URLs or hashes (- for stdin).

    \b
    Example:  pocdir incident assets 019ab3... devices.csv
    """
    given = assets_from_csv(read_input(file, most=MOST_BYTES))
    brought = [replace(each, control=control) for each in given]
    with app_context():
        who = operator_for(workspace)
        with transaction() as session:
            case = incident_queries.incident(ref, workspace_id=who.workspace_id, session=session)
            added = actions.add_assets(session, case, brought, now=clock.now())
            shown = {"added": added, "total": incident_queries.asset_count(case)}
    if as_json:
        emit(shown)
    else:
        click.echo(f"{added} added, {shown['total']} in all")
