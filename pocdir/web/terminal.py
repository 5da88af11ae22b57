"""The command line's side of the toolkit: an application context, tables for people, JSON lines for programs."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, TypeVar

import click
from flask import Flask, current_app, has_app_context

from pocdir import config, db
from pocdir.config import Settings
from pocdir.core.errors import Conflict, Invalid
from pocdir.core.text import is_turned
from pocdir.core.times import duration, moment

if TYPE_CHECKING:
    from marshmallow import Schema

Value = TypeVar("Value")


class _Written(click.ParamType, Generic[Value]):
    """What an option says, as a value; what is none is wrong usage, under the option's name."""

    def __init__(self, name: str, read: Callable[[str], Value]) -> None:
        self.name, self.read = name, read

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Value:
        try:
            return self.read(value)
        except Invalid as error:
            self.fail(error.message, param, ctx)


MOMENT: click.ParamType = _Written[dt.datetime]("time", moment)
DURATION: click.ParamType = _Written[dt.timedelta]("duration", duration)


def _length(text: str) -> str:
    duration(text)
    return text.strip()


def _words(text: str) -> str:
    if is_turned(text):
        raise Invalid("payload_invalid", "control characters are not allowed")
    return text


WORDS: click.ParamType = _Written[str]("text", _words)
LENGTH: click.ParamType = _Written[str]("duration", _length)  # the same, kept as it was written
json_option = click.option("--json", "as_json", is_flag=True, help="One compact JSON object a line.")
workspace_option = click.option(
    "--workspace", metavar="W", help="Whose; not needed where there is one workspace."
)


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


@contextmanager
def wrong_usage() -> Iterator[None]:
    """A refusal of what the options say becomes a UsageError, under the option's own name."""
    try:
        yield
    except Invalid as error:
        raise _wrong(error.errors or {"": [error.message]}) from None


def loaded(schema: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    """What the options say, read by a schema; raises UsageError that names each as it is written."""
    from marshmallow import ValidationError  # with what it takes along too much for `pocdir lookup`

    from pocdir.web.errors import flat_messages

    try:
        return dict(schema.load(given))
    except ValidationError as error:
        raise _wrong(flat_messages(error.messages)) from None


def _wrong(errors: Mapping[str, Sequence[str]]) -> click.UsageError:
    """`{"expect.0.within": ["..."]}` as `--expect.0.within: ...`."""
    written = {}
    for param in click.get_current_context().command.params:
        shown = param.opts[0] if isinstance(param, click.Option) else param.human_readable_name
        for name in (param.name or "", *param.opts):
            written[name.lstrip("-").replace("-", "_")] = shown
    words = []
    for where, said in errors.items():
        first, dot, rest = where.partition(".")
        named = f"{written.get(first, first)}{dot}{rest}"
        words.append(f"{named}: {' '.join(said)}" if named else " ".join(said))
    return click.UsageError("; ".join(words))


@contextmanager
def open_input(path: Path) -> Iterator[BinaryIO]:
    """A file, or standard input for `-`; raises UsageError when it cannot be opened."""
    try:
        opened = nullcontext(sys.stdin.buffer) if str(path) == "-" else path.open("rb")
    except OSError as error:
        raise click.UsageError(f"cannot read {path}: {error.strerror}") from None
    with opened as file:
        yield file


def read_input(path: Path, *, most: int) -> bytes:
    """At most one byte more than may be (whoever reads them refuses so many); raises as open_input() does."""
    with open_input(path) as file:
        return file.read(most + 1)


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
