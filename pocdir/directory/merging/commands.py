"""`pocdir directory duplicates|merge|split`: entries that are of one team, from the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from pocdir.accounts.rules import OPERATOR
from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.core.times import isoformat
from pocdir.db import transaction
from pocdir.directory.formats import values
from pocdir.directory.merging import actions, queries
from pocdir.directory.merging.actions import MergeResult
from pocdir.directory.office import office
from pocdir.web.terminal import app_context, emit, json_option, table

Act = Callable[..., MergeResult]


@click.command()
@json_option
def duplicates(as_json: bool) -> int:
    """List entries that may be of one team, with the signs and their points; exit 1 when there are none.

    \b
    Example:  pocdir directory duplicates
    """
    with app_context():
        found = queries.suggested()
    if as_json:
        for it in found:
            signs = [sign._asdict() for sign in it.signs]
            emit({"one": it.one, "other": it.other, "score": it.score, "signs": signs})
    else:
        rows = [(it.score, it.one, it.other, ", ".join(_words(sign) for sign in it.signs)) for it in found]
        table(("points", "one", "other", "signs"), rows)
    return 0 if found else 1


def _words(sign: Any) -> str:
    return f"{sign.name.replace('_', ' ')} {sign.points:+d}" + (f" ({sign.value})" if sign.value else "")


@click.command()
@click.argument("slug")
@click.argument("into")
@click.option("--reason", required=True, metavar="TEXT", help="How you know that they are one.")
@json_option
def merge(slug: str, into: str, reason: str, as_json: bool) -> int:
    """Read the entry SLUG as the team INTO from now on; exit 1 when somebody else has to agree first.

    \b
    Example:  pocdir directory merge certa cert-fr --reason "renamed in 2014"
    """
    return _do(actions.merge, as_json, reason, slug=slug, into=into)


@click.command()
@click.argument("slug")
@click.option("--reason", required=True, metavar="TEXT", help="How you know that they are two.")
@json_option
def split(slug: str, reason: str, as_json: bool) -> int:
    """Let the entry SLUG stand by itself again; exit 1 when somebody else has to agree first.

    \b
    Example:  pocdir directory split certa --reason "they are two teams"
    """
    return _do(actions.split, as_json, reason, slug=slug)


def _do(act: Act, as_json: bool, reason: str, **of: str) -> int:
    try:
        told = values.text(2000)(reason)
    except Invalid as error:
        raise Invalid(error.code, error.message, where="--reason") from None
    with app_context(), transaction() as session:
        it = act(session, **of, reason=told, office=office(), now=clock.now(), actor=OPERATOR)
    if as_json:
        until = isoformat(it.until) if it.until else None
        said = {"ref": it.ref, "part": it.part, "into": it.whole, "status": it.became}
        emit(said | {"missing": it.missing, "until": until})
    elif it.became == "applied":
        click.echo(f"{it.part} and {it.whole} are {'one' if act is actions.merge else 'two'} now")
    else:
        who = "another steward" if it.missing else "its time"
        click.echo(f"noted; it waits for {who}, until {it.until:%Y-%m-%d %H:%M} UTC at least")
    return 0 if it.became == "applied" else 1
