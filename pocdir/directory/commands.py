"""`pocdir directory`: import, export and correct the directory from the command line."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from pocdir import config
from pocdir.core import clock
from pocdir.core.errors import Conflict, Invalid, NotFound
from pocdir.core.loading import nothing_thrown_away
from pocdir.db import db, transaction
from pocdir.directory.actions import imports, marking
from pocdir.directory.actions.imports import Given, ImportResult
from pocdir.directory.formats import dump, pocdir_csv, pocdir_json, text, values
from pocdir.directory.formats.records import Parsed, Provenance, with_team
from pocdir.directory.formats.table import FORMATS
from pocdir.directory.keys.commands import key
from pocdir.directory.merging.commands import duplicates, merge, split
from pocdir.directory.presentation import difference, published
from pocdir.directory.quarantine.commands import quarantine
from pocdir.directory.queries import entries, exports, versions
from pocdir.directory.rules import held
from pocdir.directory.rules import record as rules
from pocdir.web.terminal import app_context, emit, json_option, plain, table

OPERATOR = "operator"
EXPORTS: dict[str, Callable[[list[dict[str, Any]], str], bytes]] = {
    "pocdir-json": pocdir_json.write,
    "pocdir-csv": lambda teams, _: pocdir_csv.write(teams),
}
FOR_ANYBODY = {"certbund": published.certbund_bytes, "ti": published.ti_bytes, "dump": published.dump_bytes}
MOST_LINES, MOST_TEAMS, MOST_NOTES = 200, 50, 20
MANY_TEAMS = 2000  # from here on an import says how far it is


@click.group()
def directory() -> None:
    """Import, export and correct the directory."""


directory.add_command(key)


@directory.command("import")
@click.argument("format_", metavar="FORMAT", type=click.Choice(tuple(FORMATS)))
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--source", metavar="NAME", help="Who says so; default: what the file says, else its name.")
@click.option("--team", metavar="SLUG", help="The team that the file speaks of.")
@click.option("--apply", "force", is_flag=True, help="Apply also what would be quarantined, as the operator.")
@click.option("--dry-run", is_flag=True, help="Show what would change.")
@json_option
@nothing_thrown_away()  # it makes millions of values and no circles: the search took a fifth of its time
def import_(
    format_: str, file: Path, source: str | None, team: str | None, force: bool, dry_run: bool, as_json: bool
) -> int:
    """Make what a source said last into what FILE says; rows of other sources and stewards stay.

    \b
    Example:  pocdir directory import first teams.json --dry-run
              pocdir directory import cidr-csv networks.csv --source "our ISPs"
              pocdir directory import security-txt security.txt --team example-cert
    """
    if force and dry_run:
        raise click.UsageError("--apply and --dry-run exclude each other")
    now = clock.now()
    told = _source(Parsed(None, "imported", ()), source, file)
    with _noting(told, Given(format_), now, not dry_run, ("file_too_large",)):
        data = read(file)
    bytes_ = Given(format_, "sha256:" + hashlib.sha256(data).hexdigest(), len(data))
    with _noting(told, bytes_, now, not dry_run):
        parsed = FORMATS[format_](data, now)
    if team is not None:
        parsed = with_team(parsed, _slug(team))
    say = _progress(len(parsed.teams))
    say(f"read {len(parsed.teams)} teams")
    notes = parsed.notes
    given: dict[str, Any] = {
        "records": iter(parsed.teams),
        "source": _source(parsed, source, file),
        "origin": parsed.origin,
        "now": now,
        "actor": OPERATOR,
        "given": bytes_,
        "named": source is not None,
        "progress": say,
    }
    del parsed, data  # a large file is not kept while it is imported
    with app_context():
        if dry_run:
            result = imports.import_records(db.session(), apply=False, **given)
        else:
            with _noting(Provenance(given["source"].source), bytes_, now, True), transaction() as session:
                result = imports.import_records(session, force=force, **given)
    if as_json:
        shown = difference.changes(result.diff) if result.status in ("dry-run", "quarantined") else []
        emit(result.as_dict() | {"notes": notes, "changes": [change.as_dict() for change in shown]})
    else:
        _print(result, notes)
    return 1 if result.status == "quarantined" else 0


@contextlib.contextmanager
def _noting(
    source: Provenance, given: Given, now: dt.datetime, notes: bool, codes: Sequence[str] = ()
) -> Iterator[None]:
    """A steward reads in the quarantine why a file was refused (for one of `codes`, if given), wherever it happens.

    Where nothing is kept yet, there is no steward; under a name that no source may bear nothing is kept.
    """
    try:
        yield
    except (Invalid, Conflict) as refusal:
        if notes and source.source and (not codes or refusal.code in codes):
            with contextlib.suppress(Conflict, Invalid), app_context(), transaction() as session:
                imports.note_unread(
                    session, refusal=refusal, source=source, given=given, now=now, actor=OPERATOR
                )
        raise


directory.add_command(quarantine)
for command in (duplicates, merge, split):
    directory.add_command(command)


@directory.command()
@click.argument("format_", metavar="FORMAT", type=click.Choice((*EXPORTS, *FOR_ANYBODY)))
@click.option("--out", type=click.Path(path_type=Path), help="A file instead of the terminal.")
@click.option("--as-of", metavar="DAY", help="As it stood at the end of that day (UTC).")
def export(format_: str, out: Path | None, as_of: str | None) -> None:
    """Write the whole directory; the same bytes as long as it is unchanged.

    \b
    Example:  pocdir directory export pocdir-json --out directory.json
    """
    with app_context():
        if format_ in FOR_ANYBODY:
            if as_of:
                raise click.UsageError(f"{format_} is of the directory as it stands; --as-of is not for it")
            data = FOR_ANYBODY[format_](published.published())
        else:
            data = EXPORTS[format_](*exports.exported(versions.reading_of(as_of, now=clock.now()).at))
    write(data, out)


@directory.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--key", metavar="KEY", help="The verifier key, or a file that holds it; default: our own.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Write the pocdir-json inside, once it is verified."
)
@json_option
def verify(file: Path, key: str | None, out: Path | None, as_json: bool) -> None:
    """Check a signed dump, offline: who signed it, and that nothing in it was changed since.

    \b
    Example:  pocdir directory verify dump.json --key directory.key
    """
    manifest, said = dump.verify(read(file), _verifier_key(key))
    if out is not None:
        write(pocdir_json.text_of(said), out)
    if as_json:
        emit({"genuine": True, **manifest})
    else:
        click.echo(
            f"genuine: version {plain(str(manifest.get('directory_version')))} of "
            f"{plain(str(manifest.get('directory')))}, {manifest.get('teams')} teams, newest fact of "
            f"{plain(str(manifest.get('as_of')))}"
        )


def _verifier_key(given: str | None) -> str:
    """The text of a key: as given, from a file, or that of this service."""
    if given is None:
        settings = config.look()
        key = published.signing_key(settings.data, make=False).public_key().public_bytes_raw()
        return dump.verifier_key(published.key_name(settings), key)
    if "+" in given and not Path(given).is_file():
        return given
    try:
        return read(Path(given)).decode("ascii")
    except UnicodeDecodeError:
        return ""


def write(data: bytes, out: Path | None) -> None:
    """Write bytes to a file, or to standard output (None, or -)."""
    if out is None or str(out) == "-":
        click.echo(data, nl=False)
        return
    try:
        out.write_bytes(data)
    except OSError as error:
        raise Invalid("file_not_writable", error.strerror or str(error), where=str(out)) from None


@directory.command()
@click.argument("address")
@click.argument("state", type=click.Choice(rules.ADDRESS_STATES))
@click.option(
    "--evidence", required=True, metavar="TEXT", help="How you know: a bounce, a call, with its date."
)
@json_option
def mark(address: str, state: str, evidence: str, as_json: bool) -> None:
    """Put an address into a state; every team that uses it shares it.

    \b
    Example:  pocdir directory mark cert@cert.example bouncing --evidence "5.1.1, 2 November"
    """
    now = clock.now()
    told = _text(evidence, "--evidence", 2000)
    with app_context(), transaction() as session:
        found = entries.addresses(_spellings(address))
        if not found:
            raise NotFound("address_unknown", "no team has this address here", where="ADDRESS")
        teams = sorted(
            {
                slug
                for row in found
                for slug in marking.mark_address(
                    session,
                    kind=row.kind,
                    value=row.value,
                    state=state,
                    evidence=told,
                    now=now,
                    actor=OPERATOR,
                )
            }
        )
        version = versions.directory_version()
    if as_json:
        emit({"address": found[0].value, "state": state, "teams": teams, "directory_version": version})
    else:
        click.echo(f"{found[0].value} is {state}, for {', '.join(teams) or 'no team'}")


def read(file: Path) -> bytes:
    """The bytes of a file (- for stdin), refused by size before they are read."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(text.MOST_BYTES + 1)
        text.check_size(file.stat().st_size)
        with file.open("rb") as opened:
            return opened.read(text.MOST_BYTES + 1)
    except OSError as error:
        raise Invalid("file_unreadable", error.strerror or str(error), where=str(file)) from None


def _source(parsed: Parsed, name: str | None, file: Path) -> Provenance:
    told = parsed.source or Provenance("")
    named = name or told.source or (file.name if str(file) != "-" else "")
    return replace(told, source=_text(named, "--source", 200) if named else "")


def _slug(text_: str) -> str:
    try:
        return values.slug(text_)
    except Invalid as error:
        raise Invalid(error.code, error.message, where="--team") from None


def _text(given: str, where: str, most: int) -> str:
    try:
        return values.text(most)(given)
    except Invalid as error:
        raise Invalid(error.code, error.message, where=where) from None


def _spellings(address: str) -> set[str]:
    given = " ".join(address.split())
    return {given, given.lower()}


def _progress(teams: int) -> Callable[[str], None]:
    """Says on standard error how far a large import is."""
    started = time.monotonic()

    def say(step: str) -> None:
        if teams >= MANY_TEAMS:
            click.echo(f"{time.monotonic() - started:6.1f} s  {step}", err=True)

    return say


def _print(result: ImportResult, notes: Sequence[str]) -> None:
    """The changes one by one, team by team, then what became of them."""
    _print_changes(result)
    for note in notes[:MOST_NOTES]:
        click.echo(f"note: {plain(note)}")
    if len(notes) > MOST_NOTES:
        click.echo(f"and {len(notes) - MOST_NOTES} more notes")
    for reason in result.reasons[:MOST_LINES]:
        click.echo(f"doubt: {plain(reason)}")
    for team, at in list(result.refused.items())[:MOST_TEAMS]:
        click.echo(f"{team}: left as it is; a steward refused the same on {at:%Y-%m-%d}")
    if result.held:
        teams = "1 team" if len(result.held) == 1 else f"{len(result.held)} teams"
        waits = "would wait" if result.status == "dry-run" else "waits" if teams == "1 team" else "wait"
        click.echo(f"{teams} {waits} for a steward (pocdir directory quarantine list)")
    counts = {name: len(getattr(result.applied, name)) for name in ("added", "changed", "removed", "redated")}
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    click.echo(f"{plain(result.source)}: {result.status} ({told})")


def _print_changes(result: ImportResult) -> None:
    """What was written (would be), and what waits; nothing of what a steward has refused before."""
    parts = held.by_team(result.diff).items()
    waits = held.together(part for team, part in parts if team in result.held)
    for words, diff in ((None, result.applied), ("waiting for a steward:", waits)):
        changes = difference.changes(diff)
        if changes and words:
            click.echo(words)
        table(("", "team", "what", "which", "says"), [change.line() for change in changes[:MOST_LINES]])
        if len(changes) > MOST_LINES:
            click.echo(f"and {len(changes) - MOST_LINES} more lines (all of them: --dry-run --json)")
            teams = difference.by_team(diff)
            table(("team", "added", "changed", "removed"), _counts(teams))
            if len(teams) > MOST_TEAMS:
                click.echo(f"and {len(teams) - MOST_TEAMS} more teams")


def _counts(teams: Mapping[str, Mapping[str, int]]) -> list[tuple[Any, ...]]:
    most = sorted(teams.items(), key=lambda item: (-sum(item[1].values()), item[0]))[:MOST_TEAMS]
    return [(slug, *(f"{rows[name]} {name}" for name in difference.SIGNS)) for slug, rows in most]
