"""A fact about one notification or many, from the command line."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import click

from pocdir.accounts.guards import operator_for
from pocdir.core import clock
from pocdir.db import transaction
from pocdir.outreach.actions.bulk import Done, record_for_many
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
@click.option(
    "--payload", "named", multiple=True, metavar="NAME=VALUE",
    help="What else the event says, JSON where it is some: count=31, of=sample; repeat for more.",
)  # fmt: skip
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
    named: tuple[str, ...],
    at: dt.datetime | None,
    workspace: str | None,
    as_json: bool,
) -> int:
    """Record the same fact about notifications: ack.given, expectation.paused, notification.withdrawn and so on.

    Each is recorded or refused by itself; exit 1 when one was refused.

    \b
    Example:  pocdir record ack.given 019ab3f0-0000-7000-8000-000000000000 --ticket INC-7
              pocdir record response.passed_on 019ab3f0-0000-7000-8000-000000000000 --payload count=31
    """
    if bool(refs) == bool(for_ticket) or bool(for_ticket) != bool(team):
        raise click.UsageError("references are needed, or --for-ticket with --team")
    said: dict[str, Any] = {"note": note, "ticket": ticket, "reason": reason}
    given = _payload({name: value for name, value in said.items() if value is not None}, named)
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
                payload=given,
                now=clock.now(),
                actor=who.actor,
                occurred_at=at,
            )
    return told_each(done, as_json=as_json)


def told_each(done: Sequence[Done], *, as_json: bool) -> int:
    """Say what became of each row; the exit code: 1 when one was refused, or there is none."""
    for each in done:
        if as_json:
            emit(each.as_dict())
        elif each.refused:
            click.echo(f"{each.ref} refused: {each.refused['detail']} ({each.refused['code']})", err=True)
        else:
            click.echo(f"{each.ref} recorded")
    return 1 if not done or any(each.refused for each in done) else 0


def _payload(given: dict[str, Any], named: tuple[str, ...]) -> dict[str, Any]:
    """With what `--payload` names; raises UsageError for what names nothing, or what is said already."""
    for each in named:
        name, equals, value = each.partition("=")
        if not name or not equals:
            raise click.UsageError(f"{each[:40]!r}: --payload NAME=VALUE is right, such as count=31")
        if name in given:
            raise click.UsageError(f"{name[:40]!r} is said twice")
        given[name] = _value(value)
    return given


def _value(text: str) -> Any:
    """JSON where the text is some, else the text: no number is `NaN`, and what nests too deep is text."""
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return text


def _no_number(text: str) -> Any:
    raise ValueError(text)
