"""A fact about one notification or many, from the command line."""

from __future__ import annotations

import datetime as dt

import click

from pocdir.accounts.guards import operator_for
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.outreach.actions.bulk import record_for_many
from pocdir.outreach.queries.tickets import with_ticket
from pocdir.web.terminal import MOMENT, app_context, emit, json_option, workspace_option


@click.command()
@click.argument("type_", metavar="TYPE")
@click.argument("refs", metavar="REF...", nargs=-1)
@click.option("--note", help="Words of your own; kept with the event.")
@click.option("--ticket", help="The team's own number.")
@click.option(
    "--for-ticket", metavar="NUMBER", help="All that --team keeps under this number, in place of references."
)
@click.option("--team", metavar="SLUG", help="With --for-ticket: whose number it is.")
@click.option("--reason", help="Of a withdrawal: mistake, duplicate, resolved, superseded, other.")
@click.option("--at", type=MOMENT, help="When it happened, if not now: 2026-11-22T12:00:00Z.")
@workspace_option
@json_option
def record(
    type_: str,
    refs: tuple[str, ...],
    note: str | None,
    ticket: str | None,
    for_ticket: str | None,
    team: str | None,
    reason: str | None,
    at: dt.datetime | None,
    workspace: str | None,
    as_json: bool,
) -> int:
    """Record the same fact about notifications: ack.given, expectation.paused, notification.withdrawn and so on.

    Each is recorded or refused by itself; exit 1 when one was refused.

    \b
    Example:  pocdir record ack.given 019ab3f0-0000-7000-8000-000000000000 --ticket INC-7
    """
    if bool(refs) == bool(for_ticket) or bool(for_ticket) != bool(team):
        raise click.UsageError("references are needed, or --for-ticket with --team")
    given = {"note": note, "ticket": ticket, "reason": reason}
    with app_context():
        who = operator_for(workspace)
        if for_ticket and team:
            refs = tuple(with_ticket(who, for_ticket, team=team))
        with transaction() as session:
            done = record_for_many(
                session,
                refs,
                who,
                type=type_,
                payload={name: value for name, value in given.items() if value is not None},
                now=clock.now(),
                actor=who.actor,
                occurred_at=at,
            )
    for each in done:
        if as_json:
            emit(each.as_dict())
        elif each.refused:
            click.echo(f"{each.ref} refused: {each.refused['detail']} ({each.refused['code']})", err=True)
        else:
            click.echo(f"{each.ref} recorded")
    return 1 if not done or any(each.refused for each in done) else 0
