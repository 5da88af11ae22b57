"""`pocdir incident`, what stands over the case alone: whom to tell, what a sensor saw, what became of it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click

from pocdir.accounts.guards import Principal, operator_for
from pocdir.core import clock
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.commands import incident
from pocdir.incidents.presentation import shown_incident
from pocdir.incidents.rules.sightings import Read, Window, read, rows_of_csv, window
from pocdir.incidents.schemas import IncidentAnswer
from pocdir.incidents.sightings import queries
from pocdir.ledger.rules.vocabulary import METHODS
from pocdir.outreach.commands.assets import add_assets
from pocdir.outreach.commands.plan import plan
from pocdir.outreach.outcome import schemas
from pocdir.outreach.outcome.actions import bring_sightings
from pocdir.outreach.outcome.presentation import entries_of
from pocdir.outreach.outcome.queries import outcome
from pocdir.outreach.rules.measured import OUTCOMES, STATES
from pocdir.web.terminal import (
    MOMENT,
    app_context,
    emit,
    json_option,
    open_input,
    plain,
    table,
    workspace_option,
)

NAMED = 5  # values in a line

incident.add_command(add_assets)
incident.add_command(plan)


@incident.command()
@click.argument("ref")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--method", type=click.Choice(METHODS), required=True, help="How it was measured.")
@click.option(
    "--from", "begin", type=MOMENT, required=True, help="When measuring began: 2026-11-16T00:00:00Z."
)
@click.option("--to", "end", type=MOMENT, required=True, help="When it ended.")
@click.option("--dry-run", is_flag=True, help="Read the file and say what would be kept.")
@workspace_option
@json_option
def sightings(
    ref: str,
    file: Path,
    method: str,
    begin: dt.datetime,
    end: dt.datetime,
    dry_run: bool,
    workspace: str | None,
    as_json: bool,
) -> int:
    """Bring what a sensor saw in a measuring window: a CSV of value and seen_at (- for stdin).

    Who is not in the file was measured and not seen. All of it is kept, or nothing.

    \b
    Example:  pocdir incident sightings 019ab3... monday.csv --method sinkhole
                  --from 2026-11-16T00:00:00Z --to 2026-11-17T00:00:00Z
    """
    with app_context():
        who, now = operator_for(workspace), clock.now()
        measured = window(method, begin, end, now=now)
        found = _read(file, measured, who, ref)
        shown = _counted(found, None)
        if not found.refused and not dry_run:
            with transaction() as session:
                case = incident_queries.incident(
                    ref, workspace_id=who.workspace_id, session=session, lock=True
                )
                kept = bring_sightings(session, case, measured, found, now=now, actor=who.actor)
            shown = _counted(found, kept)
    _print(shown, found, as_json)
    return 1 if found.refused else 0


def _read(path: Path, measured: Window, who: Principal, ref: str) -> Read:
    case = incident_queries.incident(ref, workspace_id=who.workspace_id)
    known = queries.asset_ids(case)
    with open_input(path) as file:
        return read(rows_of_csv(file), measured, known, zone=dt.UTC)


def _counted(found: Read, kept: str | None) -> dict[str, Any]:
    return {
        "window": kept, "rows": found.rows, "sightings": len(found.assets), "seen": len(set(found.assets)),
        "without_zone": found.without_zone,
        "strangers": found.strangers, "not_assets": list(found.named), "refused": found.refused,
        "errors": found.errors,
    }  # fmt: skip


def _print(shown: dict[str, Any], found: Read, as_json: bool) -> None:
    if as_json:
        emit(shown)
        return
    for where, reasons in found.errors.items():
        click.echo(plain(f"{where}: {'; '.join(reasons)}"), err=True)
    seen = f"{_many(len(found.assets), 'sighting')} of {_many(shown['seen'], 'asset')}"
    click.echo(f"{_many(found.rows, 'row')}: {seen}")
    if found.strangers:
        named = plain(", ".join(shown["not_assets"][:NAMED])) + (", ..." if len(found.named) > NAMED else "")
        values = _many(found.strangers, "row")
        click.echo(f"{values} whose value is no asset of this incident: {named}")
    if found.without_zone:
        verb = "names" if found.without_zone == 1 else "name"
        click.echo(f"{_many(found.without_zone, 'time')} {verb} no zone: read as UTC")
    if found.refused:
        verb = "is" if found.refused == 1 else "are"
        click.echo(f"{_many(found.refused, 'row')} {verb} wrong: nothing was kept", err=True)
    elif shown["window"]:
        click.echo(f"kept as window {shown['window']}")
    else:
        click.echo("nothing was kept (dry run)")


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


_ROWS = {"assets": "assets", "untold": "in no notification", "controls": "controls"}


@incident.command("outcome")
@click.argument("ref")
@workspace_option
@json_option
def show_outcome(ref: str, workspace: str | None, as_json: bool) -> int:
    """What became of an incident: assets told, untold and controls by state, notifications by outcome.

    \b
    Example:  pocdir incident outcome 019ab3...
    """
    with app_context():
        who = operator_for(workspace)
        found = outcome(incident_queries.incident(ref, workspace_id=who.workspace_id)).as_json()
        db.session.remove()
    if as_json:
        emit(found)
        return 0
    columns = ("all", *STATES)
    table(
        ("", *columns),
        [(said, *(found[name][column] for column in columns)) for name, said in _ROWS.items()],
    )
    click.echo()
    table(
        ("notifications", *OUTCOMES),
        [(name, *(row[column] for column in OUTCOMES)) for name, row in found["matrix"].items()],
    )
    return 0


@incident.command()
@click.argument("ref")
@workspace_option
@json_option
def show(ref: str, workspace: str | None, as_json: bool) -> None:
    """An incident as it stands, and its timeline: answers and sightings side by side.

    \b
    Example:  pocdir incident show 019ab3...
    """
    with app_context():
        who = operator_for(workspace)
        case = incident_queries.incident(ref, workspace_id=who.workspace_id)
        kept, entries = IncidentAnswer().dump(shown_incident(case, who.workspace)), entries_of(case)
        db.session.remove()
    if as_json:
        emit(kept | {"timeline": [schemas.TimelineEntry().dump(each) for each in entries]})
        return
    until = f", closed {kept['closed_at']}" if kept["closed_at"] else ""
    click.echo(plain(f"{kept['title']} ({kept['tlp']}), opened {kept['created_at']}{until}"))
    table(("when", "what", "team", "whose word", "said"), [_line(each) for each in entries])


def _line(entry: dict[str, Any]) -> tuple[str, ...]:
    at, run, event = isoformat(entry["at"]), entry["measured"], entry["event"]
    if run is not None:
        of = [f"{run['seen']} of {run['of']} told seen"]
        if run["controls"]:
            of.append(f"{run['controls_seen']} of {run['controls']} controls")
        if run["untold"]:
            of.append(f"{run['untold_seen']} of {run['untold']} in no notification")
        return at, f"measured since {isoformat(run['begin'])} ({run['method']})", "", "", ", ".join(of)
    team = event["notification"]["team"]["slug"] if event["notification"] else ""
    back = " (taken back)" if event["corrected"] else ""
    words = (event["payload"].get(name) for name in ("of", "count", "ticket", "note"))
    said = ", ".join(str(word) for word in words if word is not None)
    return at, event["type"] + back, team, event["claimed_by"], said
