"""`pocdir route`: a file of any length split into parcels, one for each contact."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pocdir import running
from pocdir.core import clock
from pocdir.routing.bulk.file import route_file
from pocdir.routing.queries import index, question
from pocdir.site.commands.narrowing import narrowing_options
from pocdir.web.terminal import database_context, emit, json_option, table, wrong_usage

NAMES = {
    "rows": "rows",
    "routed": "routed",
    "no_contact": "no contact known",
    "not_routable": "not routable",
    "invalid": "invalid: no indicator, or a wrong one",
    "neutralised": "cells made harmless",
}


@click.command()
@click.argument("file", metavar="FILE")
@click.option(
    "--out", type=click.Path(path_type=Path), help="The folder to make, with a file for each contact."
)
@click.option("--summary", is_flag=True, help="Count only; no folder is made.")
@click.option("--raw", is_flag=True, help="Leave cells that a spreadsheet takes for formulas as they are.")
@narrowing_options
@json_option
def route(file: str, out: Path | None, summary: bool, raw: bool, as_json: bool, **narrowed: Any) -> None:
    """Split a file into parcels: a CSV for each contact, one of the rows that go to nobody, and a manifest.

    FILE is a table with a column of addresses, AS numbers, names or countries; `-` reads standard input.

    \b
    Example:  pocdir route sinkhole.csv --out parcels
    """
    if (out is None) != summary:
        raise click.UsageError("give --out DIR for the parcels, or --summary to count only")
    with database_context():
        known, now = index(), clock.now()
        with wrong_usage():
            asked = question(known, on=now.date(), **narrowed)
        progress = _progress()
        manifest = route_file(
            sys.stdin.buffer if file == "-" else Path(file),
            index=known,
            asked=asked,
            data=running.settings().data,
            now=now,
            out=out,
            raw=raw,
            progress=progress,
        )
        progress(manifest["rows"], None)
    if as_json:
        emit(manifest)
        return
    for key, name in NAMES.items():
        click.echo(f"{manifest[key]:>12,}  {name}")
    click.echo()
    rows = sorted(manifest["parcels"], key=lambda parcel: (-parcel["rows"], parcel["team"]))
    table(
        ("rows", "team", "name", "channel"),
        [(each["rows"], each["team"], each["name"], each["channel"]["value"]) for each in rows],
    )


def _progress() -> Callable[[int, int | None], None]:
    """A line on standard error: on a terminal it is written over, elsewhere only the last one stays."""
    terminal = sys.stderr.isatty()

    def tell(rows: int, read: int | None) -> None:
        if read is None:
            click.echo(f"{chr(13) if terminal else ''}{rows:,} rows", err=True)
        elif terminal:
            click.echo(f"\r{rows:,} rows, {read >> 20:,} MB ", err=True, nl=False)

    return tell
