"""`pocdir incident`: cases, from the command line."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click

from pocdir.accounts.guards import operator_for
from pocdir.core import clock, tlp
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.incidents import actions as incident_actions
from pocdir.incidents import queries as incident_queries
from pocdir.incidents.rules.quiet import QUIET_AFTER
from pocdir.incidents.schemas import IncidentChange, IncidentSchema
from pocdir.web.terminal import (
    MOMENT,
    app_context,
    emit,
    json_option,
    loaded,
    table,
    workspace_option,
)


@click.group()
def incident() -> None:
    """Your incidents: open one, add its assets, tell its contacts, bring sightings, see what became of it.

    \b
    Example:  pocdir incident outcome 019ab3...
    """


@incident.command("open")
@click.argument("title")
@click.option("--class", "class_", metavar="CLASS", help="Of the incident, such as malicious-code.")
@click.option("--type", "type_", metavar="TYPE", help="In its class, such as infected-system.")
@click.option("--tlp", type=click.Choice(tlp.LABELS), default=tlp.AMBER, show_default=True)
@click.option("--description", help="What was seen.")
@click.option("--detected-from", metavar="TIME", help="Seen from: 2026-11-16T00:00:00Z.")
@click.option("--detected-to", metavar="TIME", help="Seen until.")
@click.option("--source-ref", help="Your own reference.")
@click.option("--people-at-risk", is_flag=True, help="Nobody is told before a person has said yes.")
@click.option("--quiet-after", help="Measured time without a sighting: PT24H, P3D.")
@click.option("--at", type=MOMENT, help="When it was opened, if not now.")
@workspace_option
@json_option
def open_(at: dt.datetime | None, workspace: str | None, as_json: bool, **given: Any) -> None:
    """Open an incident: a case of your own.

    \b
    Example:  pocdir incident open "Sinkhole hits" --class malicious-code --type infected-system
    """
    said = {name.rstrip("_"): value for name, value in given.items() if value is not None}
    words = loaded(IncidentSchema(), said)
    with app_context():
        who = operator_for(workspace)
        with transaction() as session:
            case = incident_actions.open_incident(
                session, workspace_id=who.workspace_id or 0, now=clock.now(), actor=who.actor, given=words,
                opened_at=at,
            )  # fmt: skip
            shown = {"ref": case.ref, "title": case.title, "created_at": isoformat(case.created_at)}
    if as_json:
        emit(shown)
    else:
        click.echo(f"opened {shown['ref']}")


@incident.command("list")
@workspace_option
@json_option
def list_incidents(workspace: str | None, as_json: bool) -> int:
    """The workspace's incidents, open ones first.

    \b
    Example:  pocdir incident list
    """
    with app_context():
        who = operator_for(workspace)
        found = [
            {
                "ref": each.ref,
                "title": each.title,
                "created_at": isoformat(each.created_at),
                "closed_at": isoformat(each.closed_at) if each.closed_at else None,
                "assets": assets,
            }
            for each, assets in incident_queries.newest_incidents(workspace_id=who.workspace_id)
        ]
        db.session.remove()
    if as_json:
        for line in found:
            emit(line)
    else:
        table(("reference", "title", "opened", "closed", "assets"), [tuple(line.values()) for line in found])
    return 0 if found else 1


@incident.command()
@click.argument("ref")
@click.option("--title", help="What it is called.")
@click.option("--class", "class_", metavar="CLASS", help="Of the incident, such as malicious-code.")
@click.option("--type", "type_", metavar="TYPE", help="In its class, such as infected-system.")
@click.option("--tlp", type=click.Choice(tlp.LABELS), help="Lowering it is recorded as an act of the source.")
@click.option("--description", help="What was seen.")
@click.option("--detected-from", metavar="TIME", help="Seen from: 2026-11-16T00:00:00Z.")
@click.option("--detected-to", metavar="TIME", help="Seen until.")
@click.option("--source-ref", help="Your own reference.")
@click.option(
    "--people-at-risk",
    type=click.Choice(("yes", "no")),
    help="With yes nobody is told before a person's yes.",
)
@click.option("--quiet-after", help="Measured time without a sighting: PT24H, P3D.")
@click.option("--close", is_flag=True, help="Close the case.")
@click.option("--reopen", is_flag=True, help="Open it again.")
@workspace_option
@json_option
def change(
    ref: str,
    people_at_risk: str | None,
    close: bool,
    reopen: bool,
    workspace: str | None,
    as_json: bool,
    **words: Any,
) -> int:
    """Change what is named, close the case, or open it again.

    \b
    Example:  pocdir incident change 019ab3... --quiet-after P3D
    """
    said = {name.rstrip("_"): value for name, value in words.items() if value is not None}
    if people_at_risk:
        said["people_at_risk"] = people_at_risk == "yes"
    if close or reopen:
        said["closed"] = close
    if not said or (close and reopen):
        raise click.UsageError("name what is to be changed, and how")
    given = loaded(IncidentChange(), said)
    with app_context():
        who = operator_for(workspace)
        with transaction() as session:
            case = incident_queries.incident(ref, workspace_id=who.workspace_id, session=session, lock=True)
            incident_actions.change_incident(session, case, now=clock.now(), actor=who.actor, given=given)
            shown = {
                "ref": case.ref, "quiet_after": case.quiet_after or QUIET_AFTER, "title": case.title, "tlp": case.tlp,
                "closed_at": isoformat(case.closed_at) if case.closed_at else None,
            }  # fmt: skip
    if as_json:
        emit(shown)
    else:
        stands = f"closed at {shown['closed_at']}" if shown["closed_at"] else "open"
        click.echo(
            f"{shown['title']} ({shown['tlp']}), {stands}, quiet after {shown['quiet_after']} of measured time"
        )
    return 0
