"""`pocdir notification`: what was logged, what is recorded of it, and its letter."""

from __future__ import annotations

import click

from pocdir.accounts.guards import operator_for
from pocdir.core.times import isoformat
from pocdir.db import db
from pocdir.incidents import queries as incident_queries
from pocdir.ledger.queries import events_of_notification
from pocdir.outreach import schemas
from pocdir.outreach.presentation.letter import letter_of
from pocdir.outreach.presentation.notification import (
    contest_words,
    listed_notifications,
    shown_notification,
)
from pocdir.outreach.presentation.timeline import shown_event
from pocdir.outreach.queries import snapshots
from pocdir.outreach.replies.commands import mail
from pocdir.outreach.rules.letter import CONTENTS
from pocdir.web.terminal import app_context, emit, json_option, plain, table, workspace_option

MOST_LISTED = 100_000


@click.group()
def notification() -> None:
    """What was logged: list it, see what is recorded of one, print its letter.

    \b
    Example:  pocdir notification letter 019ab3...
    """


@notification.command("list")
@click.option("--incident", metavar="REF", help="Only of this incident.")
@workspace_option
@json_option
def list_(incident: str | None, workspace: str | None, as_json: bool) -> int:
    """The workspace's notifications, oldest recorded first.

    \b
    Example:  pocdir notification list --incident 019ab3...
    """
    with app_context():
        who = operator_for(workspace)
        if incident is not None:
            incident_queries.incident(incident, workspace_id=who.workspace_id)
        found = snapshots.notifications(who, limit=MOST_LISTED, incident=incident)
        shown = listed_notifications(found)
        db.session.remove()
    if as_json:
        for each in shown:
            emit(schemas.NotificationAnswer().dump(each))
    else:
        rows = [
            (
                it["ref"],
                it["kind"],
                it["team"],
                isoformat(it["sent_at"]),
                it["sent_level"],
                it["state"]["response"],
                contest_words(it["contested"]),
            )
            for it in shown
        ]
        table(("reference", "kind", "team", "sent", "level", "response", "contested"), rows)
    return 0 if shown else 1


@notification.command()
@click.argument("ref")
@workspace_option
@json_option
def show(ref: str, workspace: str | None, as_json: bool) -> None:
    """One notification as it stands, and everything recorded about it.

    \b
    Example:  pocdir notification show 019ab3...
    """
    with app_context():
        one = shown_notification(snapshots.snapshot(ref, operator_for(workspace)))
        events = [shown_event(each) for each in events_of_notification(ref)]
        db.session.remove()
    if as_json:
        said = [schemas.EventAnswer().dump(each) for each in events]
        emit(schemas.NotificationAnswer().dump(one) | {"events": said})
        return
    state = ", ".join(f"{axis} {word}" for axis, word in one["state"].items())
    click.echo(f"{one['kind']} to {one['team']} ({one['channel']['value']}), {one['sent_level']}: {state}")
    for each in one["contested"]:
        at, words = isoformat(each["occurred_at"]), plain(contest_words([each]))
        click.echo(f"the team contests this ({at}): {words}")
    rows = [
        (isoformat(it["occurred_at"]), it["type"], it["claimed_by"], plain(it["payload"].get("note") or ""))
        for it in sorted(events, key=lambda it: (it["occurred_at"], it["id"]))
    ]
    table(("when", "what", "whose word", "note"), rows)


@notification.command()
@click.argument("ref")
@click.option("--content", type=click.Choice(CONTENTS), help="How much it says; default: all.")
@workspace_option
@json_option
def letter(ref: str, content: str | None, workspace: str | None, as_json: bool) -> None:
    """The letter to copy into a mail program; the recipient's link is its last line.

    \b
    Example:  pocdir notification letter 019ab3...
    """
    with app_context():
        said = letter_of(snapshots.snapshot(ref, operator_for(workspace)), content=content)
        db.session.remove()
    if as_json:
        emit(schemas.LetterAnswer().dump(said))
    else:
        click.echo(f"To: {said['to']}\nSubject: {said['subject']}\n\n{said['body']}")


notification.add_command(mail)
