"""A workspace from the command line: take everything out."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from pocdir.accounts.guards import operator_for
from pocdir.site.queries.export import write_export
from pocdir.site.rules.export import FORMATS
from pocdir.web.terminal import app_context, emit, json_option, workspace_option


@click.group()
def workspace() -> None:
    """A workspace's own record: take it out whole."""


@workspace.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@workspace_option
@click.option(
    "--format", "form", type=click.Choice(tuple(FORMATS)), help="Default: csv for FILE.zip, else json."
)
@json_option
def export(file: Path, workspace: str | None, form: str | None, as_json: bool) -> None:
    """Write all that a workspace has recorded to FILE (`-`: standard output): one JSON document, or a ZIP of tables.

    The same bytes as long as nothing changes. No token, password or link is in it.

    \b
    Example:  pocdir workspace export lab.json --workspace lab
    """
    form = form or ("csv" if file.suffix.lower() == ".zip" else "json")
    with app_context():
        who = operator_for(workspace)
        if str(file) == "-":
            write_export(sys.stdout.buffer, workspace_id=who.workspace_id or 0, form=form)
            return
        size = _written(file.absolute(), who.workspace_id or 0, form)
    if as_json:
        emit({"file": str(file), "workspace": who.workspace, "format": form, "bytes": size})
    else:
        click.echo(f"Wrote {size} bytes of the workspace {who.workspace} to {file}.")


def _written(path: Path, workspace_id: int, form: str) -> int:
    """Under its name only once it is whole; readable by its owner alone."""
    made, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(made, "wb") as file:
            write_export(file, workspace_id=workspace_id, form=form)
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise
    return size
