"""`pocdir registry`: who holds which address, from the files that say so."""

from __future__ import annotations

from pathlib import Path

import click

from pocdir import running
from pocdir.core import clock
from pocdir.routing import actions
from pocdir.web.terminal import app_context, emit, json_option

FORMATS = ("rir-delegated", "ip-location-asn", "ip-location-country", "iptoasn")


@click.group()
def registry() -> None:
    """Import who holds which address.

    \b
    Example:  pocdir registry import iptoasn ip2asn-combined.tsv.gz
    """


@registry.command(name="import")
@click.argument("source_format", metavar="FORMAT", type=click.Choice(FORMATS))
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--as",
    "as_layer",
    type=click.Choice(["registered", "located"]),
    help="With ip-location-country: which of the countries it gives.",
)
@json_option
def import_(source_format: str, files: tuple[Path, ...], as_layer: str | None, as_json: bool) -> None:
    """Replace what a source said last: rir-delegated, ip-location-asn, ip-location-country, iptoasn.

    \b
    Example:  pocdir registry import rir-delegated delegated-ripencc-extended-latest
              pocdir registry import ip-location-country geo.csv.gz --as located
    """
    with app_context():
        summary = actions.import_file(
            source_format,
            files,
            as_layer=as_layer,
            folder=running.settings().data / "registry",
            now=clock.now(),
        )
    if as_json:
        emit(summary.as_dict())
        return
    for layer in summary.layers:
        click.echo(f"{layer.layer}: {layer.rows} rows of {layer.as_of} (before: {layer.before})")
    click.echo(f"registry version {summary.version}" + ("" if summary.changed else ", unchanged"))
