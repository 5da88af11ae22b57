"""`pocdir directory key`: the keys of teams from the command line."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import click

from pocdir.accounts.rules import OPERATOR
from pocdir.config import Settings
from pocdir.core import clock
from pocdir.core.errors import Invalid
from pocdir.core.times import isoformat
from pocdir.db import transaction
from pocdir.directory.keys import actions, queries
from pocdir.mail.rules.openpgp import MOST_BYTES
from pocdir.web.terminal import app_context, emit, json_option, table

_EVERYTHING = ("steward",)


@click.group()
def key() -> None:
    """OpenPGP keys of teams: bring, list, agree, refuse, retire."""


@key.command()
@click.argument("team")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--address", help="For which address it is, where it does not name one of the team.")
@click.option("--evidence", metavar="TEXT", help="How you know that it is theirs.")
@json_option
def add(team: str, file: Path, address: str | None, evidence: str | None, as_json: bool) -> None:
    """Bring the public key in FILE (- for stdin) to TEAM, or a newer copy of one.

    \b
    Example:  pocdir directory key add cert-example key.asc --evidence "read on the phone, 2 November"
    """
    now, data = clock.now(), _read(file)
    with app_context() as app:
        settings: Settings = app.extensions["pocdir"]
        found = queries.examined(team, data, now=now)
        with transaction() as session:
            row = actions.propose(
                session,
                slug=team,
                key=found,
                address=address,
                evidence=evidence,
                mail_domain=settings.mail_domain,
                now=now,
                actor=OPERATOR,
            )
            ref = row.ref
        _print(queries.told(queries.key(ref), now=now), as_json)


@key.command("list")
@click.argument("team")
@json_option
def list_(team: str, as_json: bool) -> None:
    """The keys of TEAM, the newest first, and why one must not be used.

    \b
    Example:  pocdir directory key list cert-example
    """
    now = clock.now()
    with app_context():
        found = queries.listed(team, roles=_EVERYTHING, now=now)
        if as_json:
            for it in found:
                emit(_plain(it))
        else:
            rows = [(it["ref"], it["state"], it["fingerprint"], *_row(it)) for it in found]
            table(("ref", "state", "fingerprint", "for", "until", "must not be used"), rows)


@key.command()
@click.argument("ref")
@json_option
def approve(ref: str, as_json: bool) -> None:
    """Agree to a key that waits; it is pinned once enough have.

    \b
    Example:  pocdir directory key approve 01a2b3c4-0000-7000-8000-000000000000
    """
    now = clock.now()
    with app_context():
        with transaction() as session:
            actions.approve(session, ref=ref, now=now, actor=OPERATOR)
        _print(queries.told(queries.key(ref), now=now), as_json)


@key.command()
@click.argument("ref")
@click.option("--note", metavar="TEXT", help="Why.")
@json_option
def refuse(ref: str, note: str | None, as_json: bool) -> None:
    """Refuse a key that waits.

    \b
    Example:  pocdir directory key refuse 01a2b3c4-0000-7000-8000-000000000000 --note "not theirs"
    """
    now = clock.now()
    with app_context():
        with transaction() as session:
            actions.refuse(session, ref=ref, note=note, now=now, actor=OPERATOR)
        _print(queries.told(queries.key(ref), now=now), as_json)


@key.command()
@click.argument("ref")
@click.option("--note", metavar="TEXT", help="Why.")
@json_option
def retire(ref: str, note: str | None, as_json: bool) -> None:
    """Take a pinned key out of use.

    \b
    Example:  pocdir directory key retire 01a2b3c4-0000-7000-8000-000000000000 --note "lost"
    """
    now = clock.now()
    with app_context():
        with transaction() as session:
            actions.retire(session, ref=ref, note=note, now=now, actor=OPERATOR)
        _print(queries.told(queries.key(ref), now=now), as_json)


def _read(file: Path) -> bytes:
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MOST_BYTES + 1)
        with file.open("rb") as opened:
            return opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise Invalid("file_unreadable", error.strerror or str(error), where=str(file)) from None


def _print(it: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(_plain(it))
        return
    click.echo(f"{it['fingerprint']} is {it['state']} for {', '.join(it['addresses'])}")
    click.echo(f"ref {it['ref']}")
    if it["effective_at"] and it["state"] == "proposed":
        click.echo(f"it is pinned at {isoformat(it['effective_at'])} if nobody refuses it")


def _row(it: dict[str, Any]) -> tuple[str, str, str]:
    return " ".join(it["addresses"]), _until(it), "; ".join(it["reasons"])


def _until(it: dict[str, Any]) -> str:
    return it["expires_at"].date().isoformat() if it["expires_at"] else ""


def _plain(it: dict[str, Any]) -> dict[str, Any]:
    return {name: isoformat(it[name]) if isinstance(it[name], dt.datetime) else it[name] for name in it}
