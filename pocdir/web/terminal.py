"""The command line's side of the toolkit: an application context, tables for people, JSON lines for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from flask import Flask, current_app, has_app_context

from pocdir import config, db
from pocdir.config import Settings
from pocdir.core.errors import Conflict

json_option = click.option("--json", "as_json", is_flag=True, help="One compact JSON object a line.")


@dataclass(frozen=True)
class ApplicationFactory:
    """How a command gets its application: the toolkit stands left of it and may not import it."""

    create: Callable[[Settings], Flask]


def require_kept(settings: Settings) -> None:
    """A question in a wrong folder leaves nothing behind there; raises Conflict `not_started`."""
    path = settings.sqlite_path
    if not settings.secret_key or (path is not None and not path.is_file()):
        raise Conflict(
            "not_started",
            f"nothing is kept in {settings.data} yet; run `pocdir up` (or `pocdir seed`), or set POCDIR_DATA",
        )


@contextmanager
def app_context(
    *, before: Callable[[Settings], None] = require_kept, serving: bool = False
) -> Iterator[Flask]:
    """The application of the environment's settings (the one in use already, in tests).

    `before` looks at the settings and refuses while nothing is made yet, no folder and no secret.
    `serving`: it takes an address itself; another command's links lead to the one that was served last.
    """
    if has_app_context():
        yield current_app._get_current_object()  # type: ignore[attr-defined]
        return
    before(config.look())
    settings = config.load(beside=not serving)
    app = click.get_current_context().find_object(ApplicationFactory).create(settings)  # type: ignore[union-attr]
    with app.app_context():
        yield app


@contextmanager
def database_context() -> Iterator[Flask]:
    """Settings and database alone: what a command needs that only reads, in a third of the time."""
    if has_app_context():
        yield current_app._get_current_object()  # type: ignore[attr-defined]
        return
    settings = config.look(beside=True)
    require_kept(settings)
    app = Flask("pocdir", static_folder=None)
    app.extensions["pocdir"] = settings
    db.init_app(app, settings.database_url)
    with app.app_context():
        yield app


def emit(value: Mapping[str, Any]) -> None:
    """One compact JSON object on its own line; escaped where a terminal might obey what it says."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    click.echo(text if text.isprintable() else json.dumps(value, separators=(",", ":")))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A rich table on a terminal; in a pipe a line of names and then the rows, separated by tabs.

    Control characters never reach the terminal, and no cell holds a tab.
    """
    cells = [[plain(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        for row in ([*columns], *cells):
            click.echo("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        drawn.add_column(column)
    for row in cells:
        drawn.add_row(*(Text(cell) for cell in row))
    Console().print(drawn)


def plain(cell: Any) -> str:
    """The text of a cell without control characters, which a terminal would obey."""
    text = "" if cell is None else str(cell)
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
