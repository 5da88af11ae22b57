"""`pocdir directory quarantine`: what waits for a person, accepted or refused from the command line."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import click

from pocdir.accounts import queries as accounts
from pocdir.accounts.rules import OPERATOR
from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.directory.formats import values
from pocdir.directory.presentation import difference
from pocdir.directory.quarantine.actions import decide
from pocdir.directory.quarantine.queries import waiting
from pocdir.web.terminal import app_context, emit, json_option, plain

MOST_LINES = 200


@click.group()
def quarantine() -> None:
    """What imports would change and a person has to look at."""


@quarantine.command("list")
@click.option("--source", metavar="NAME", help="Of this source alone.")
@click.option("--team", metavar="SLUG", help="Of this team alone.")
@click.option("--all", "decided", is_flag=True, help="Also what was decided.")
@json_option
def list_quarantine(source: str | None, team: str | None, decided: bool, as_json: bool) -> int:
    """Show what waits, with each change and the reasons; exit 1 when nothing does.

    \b
    Example:  pocdir directory quarantine list --source "our ISPs"
    """
    with app_context():
        found = waiting.items(state=None if decided else "held", source=source, team=team)
        stewards = accounts.steward_refs(db.session())
    now = clock.now()
    for it in found:
        if as_json:
            shown = [change.as_dict() for change in difference.changes(it.change)]
            emit(_plain_json(waiting.as_dict(it, it.decision(stewards, now)) | {"changes": shown}))
            continue
        of = it.row.team or it.row.format
        click.echo(
            f"{it.row.ref}  {plain(it.row.source)}: {of}, {it.row.state} since {it.row.since:%Y-%m-%d}"
        )
        for doubt in it.doubts:
            click.echo(f"  doubt: {plain(doubt.words)}")
        for change in difference.changes(it.change)[:MOST_LINES]:
            sign, _, what, which, says = change.line()
            click.echo(f"  {sign} {what} {plain(which)} {plain(says)}".rstrip())
    if not found and not as_json:
        click.echo("Nothing waits.")
    return 0 if found else 1


@quarantine.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", help="How you know that it is right.")
@json_option
def accept(ids: tuple[str, ...], reason: str | None, as_json: bool) -> int:
    """Apply exactly what was held; exit 1 when some of it waits for somebody else, or was overtaken.

    \b
    Example:  pocdir directory quarantine accept 01a2b3c4-0000-7000-8000-000000000000 --reason "a call, 2 November"
    """
    told = _reason(reason)
    with app_context() as app, transaction() as session:
        decided = decide.accept(
            session,
            refs=ids,
            note=told,
            mail_domain=app.extensions["pocdir"].mail_domain,
            now=clock.now(),
            actor=OPERATOR,
        )
    return _print(decided, as_json)


@quarantine.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", help="Why it is not right.")
@json_option
def refuse(ids: tuple[str, ...], reason: str | None, as_json: bool) -> int:
    """Leave the directory as it is; the source is not asked about the same change again.

    \b
    Example:  pocdir directory quarantine refuse 01a2b3c4-0000-7000-8000-000000000000 --reason "not theirs"
    """
    told = _reason(reason)
    with app_context(), transaction() as session:
        decided = decide.refuse(session, refs=ids, note=told, now=clock.now(), actor=OPERATOR)
    return _print(decided, as_json)


def _print(decided: Sequence[decide.DecidedRow], as_json: bool) -> int:
    words = {
        "stale": "the team was changed meanwhile; look again (list)",
        "superseded": "the source says nothing else any more",
    }
    for it in decided:
        said = {"id": it.ref, "team": it.team, "state": it.became, "stewards_missing": it.missing}
        if as_json:
            emit(_plain_json(said | {"until": it.until}))
            continue
        until = f"until {it.until:%Y-%m-%d %H:%M} UTC" if it.until else ""
        waits = f"waits for {it.missing} more" if it.missing else f"waits {until}"
        became = waits if it.became == "waits" else words.get(it.became, it.became)
        click.echo(f"{it.ref}  {it.team or ''}: {became}")
    return 0 if all(it.became in ("accepted", "refused", "seen") for it in decided) else 1


def _plain_json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: isoformat(it) if isinstance(it, dt.datetime) else it for name, it in values.items()}


def _reason(given: str | None) -> str | None:
    try:
        return values.text(2000)(given) if given else None
    except Invalid as error:
        raise Invalid(error.code, error.message, where="--reason") from None
