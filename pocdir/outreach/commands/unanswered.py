"""`pocdir unanswered`: what waits for an answer, from the command line."""

from __future__ import annotations

import datetime as dt

import click

from pocdir.accounts.guards import operator_for
from pocdir.accounts.queries import team_id_of
from pocdir.core import clock
from pocdir.core.times import isoformat
from pocdir.db import db
from pocdir.outreach import schemas
from pocdir.outreach.presentation.notification import contest_words, listed_notifications
from pocdir.outreach.queries import snapshots
from pocdir.web.terminal import (
    DURATION,
    MOMENT,
    app_context,
    emit,
    json_option,
    table,
    workspace_option,
)


@click.command()
@click.option("--older-than", type=DURATION, help="Sent at least so long ago: P14D.")
@click.option("--team", help="Only to this team (slug).")
@click.option("--incident", metavar="REF", help="Only of this incident.")
@click.option("--due-before", type=MOMENT, help="Asked for by then: 2026-11-22T12:00:00Z.")
@click.option("--step", type=click.Choice(tuple(snapshots.STEPS)), help="How its next step stands.")
@click.option(
    "--sort", type=click.Choice(snapshots.ORDERS), metavar="BY",
    help="team, sent, incident, due or step; with - before it the last first. Else oldest recorded first.",
)  # fmt: skip
@click.option("--state", type=click.Choice(schemas.STATES), default="unrecorded", show_default=True)
@workspace_option
@json_option
def unanswered(
    older_than: dt.timedelta | None,
    team: str | None,
    incident: str | None,
    due_before: dt.datetime | None,
    step: str | None,
    sort: str | None,
    state: str,
    workspace: str | None,
    as_json: bool,
) -> int:
    """Notifications whose answer was asked for by a time, and no answer is recorded here.

    \b
    Example:  pocdir unanswered --older-than P14D
              pocdir unanswered --step due --sort step
    """
    with app_context():
        if team is not None:
            team_id_of(db.session(), team)
        now = clock.now()
        found = snapshots.waiting(
            operator_for(workspace),
            now=now,
            state=state,
            limit=100_000,
            older_than=older_than,
            team=team,
            incident=incident,
            due_before=due_before,
            step=step,
            sort=sort,
        )
        shown = listed_notifications(found)
        db.session.remove()
    if as_json:
        for each in shown:
            emit(schemas.NotificationAnswer().dump(each))
    else:
        table(
            ("reference", "team", "channel", "sent", "days", "level", "subject", "contested"),
            [
                (
                    each["ref"],
                    each["team"],
                    each["channel"]["value"],
                    isoformat(each["sent_at"]),
                    (now - each["sent_at"]).days,
                    each["sent_level"],
                    each["subject"],
                    contest_words(each["contested"]),
                )
                for each in shown
            ],
        )
    return 0 if shown else 1
