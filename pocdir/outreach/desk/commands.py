"""What was told to a team, from the command line."""

from __future__ import annotations

import csv
import json
import sys

import click

from pocdir.accounts.queries import team_id_of
from pocdir.db import db
from pocdir.outreach.desk import presentation, queries, rules, schemas
from pocdir.web.terminal import app_context, emit, json_option, table

_item = schemas.ToldAnswer()
COLUMNS = ("ref", "sent_at", "sender", "kind", "tlp", "response")


@click.command()
@click.option("--team", required=True, help="The team (slug).")
@click.option("--state", type=click.Choice(schemas.STATES), help="One of the lists; else all of it.")
@click.option("--csv", "as_csv", is_flag=True, help="A row for each asset, in IntelMQ's names.")
@json_option
def told(team: str, state: str | None, as_csv: bool, as_json: bool) -> int:
    """What was told to a team, whoever told it, oldest recorded first; exit 1 when there is nothing.

    \b
    Example:  pocdir told --team cert-at --state open --json
    """
    with app_context():
        found = presentation.in_parts(queries.all_told(team_id_of(db.session(), team), state=state))
        if as_csv:
            items = list(found)
            csv.writer(sys.stdout).writerows([rules.COLUMNS, *rules.rows(items)])
            return 0 if items else 1
        shown = [json.loads(_item.dumps(each)) for each in found]
        if as_json:
            for each in shown:
                emit(each)
        elif shown:
            table(COLUMNS, ([each[name] for name in COLUMNS] for each in shown))
        return 0 if shown else 1
