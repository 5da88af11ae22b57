"""Retention from the command line: what would go, or let it go now."""

from __future__ import annotations

from collections import Counter

import click

from pocdir import running
from pocdir.core import clock
from pocdir.core.times import isoformat
from pocdir.db import snapshot
from pocdir.site.jobs import erase_due, kept
from pocdir.site.queries.retention import due
from pocdir.site.rules.retention import CLASSES
from pocdir.web.terminal import app_context, emit, json_option, table


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would go; nothing is erased.")
@json_option
def retention(dry_run: bool, as_json: bool) -> None:
    """Erase what has been kept as long as the settings say; the worker does the same once a day.

    \b
    Example:  pocdir retention --dry-run
    """
    now = clock.now()
    with app_context():
        limits = kept(running.settings())
        with snapshot() as session:
            found = list(due(session, now=now, kept=limits))
        if not dry_run:
            erase_due(now, limits)
    counts: Counter[str] = Counter()
    for each in found:
        counts[each.of] += each.count
    if as_json:
        for each in found:
            emit({"class": each.of, "ref": each.ref, "since": isoformat(each.since), "count": each.count})
        return
    if dry_run:
        columns = ("class", "reference", "since", "count")
        table(columns, [(each.of, each.ref, isoformat(each.since), each.count) for each in found])
    said = ", ".join(f"{counts[name]} of {name}" for name in CLASSES)
    click.echo(f"{said} {'would be' if dry_run else 'were'} erased", err=True)
