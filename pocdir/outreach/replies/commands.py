"""The mails that came in on a notification, on the command line."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from pocdir.accounts.guards import operator_for
from pocdir.core import clock
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.outreach.queries import notifications
from pocdir.outreach.replies import actions, presentation, queries, schemas
from pocdir.web.terminal import app_context, emit, json_option, plain, table, workspace_option

_COLUMNS = ("notification", "team", "mails", "since")


@click.command()
@click.argument("ref", required=False)
@click.option("--raw", metavar="MAIL", help="The bytes of this one on standard output.")
@click.option("--answer", metavar="MAIL", help="Say that this one is the recipient's answer.")
@click.option("--seen", metavar="MAIL", help="Say that this one was read and is no answer.")
@workspace_option
@json_option
def mail(
    ref: str | None,
    raw: str | None,
    answer: str | None,
    seen: str | None,
    workspace: str | None,
    as_json: bool,
) -> None:
    """What came in by mail on a notification, oldest first, as text; or do something with one of them.

    Without REF: the notifications on which mail waits for a person.

    \b
    Example:  pocdir notification mail 019ab3...
    """
    with app_context():
        who = operator_for(workspace)
        if ref is None:
            found_waiting = [schemas.WaitingMail().dump(it) for it in queries.waiting(who.workspace_id)]
            db.session.remove()
            _say_waiting(found_waiting, as_json)
            return
        presentation.require_member(ref, who)
        if raw is not None:
            sys.stdout.buffer.write(presentation.raw_file(raw, ref).get_data())
            return
        with transaction() as session:
            found = notifications.members_notification_to_change(ref, who, session)
            now = clock.now()
            if answer is not None:
                actions.take_as_answer(session, mail=answer, notification=found, now=now, actor=who.actor)
            if seen is not None:
                actions.see(session, mail=seen, notification=found, now=now, actor=who.actor)
        mails = presentation.mails(ref)
        db.session.remove()
    for each in mails:
        if as_json:
            emit(schemas.MailAnswer().dump(each))
            continue
        proven = "proven" if each["proven"] else "not proven"
        said = ", ".join(
            filter(None, (each["mail_class"], proven, each["result"] or "not read yet", each["reason"]))
        )
        click.echo(
            f"{each['ref']}  {isoformat(each['received_at'])}  {plain(each['sender'] or '')}  ({plain(said)})"
        )
        click.echo(f"Subject: {plain(each['subject'] or '')}\n")
        click.echo("\n".join(f"  {plain(line)}" for line in (each["text"] or "(erased)").split("\n")) + "\n")


def _say_waiting(found: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        for each in found:
            emit(each)
        return
    table(_COLUMNS, [tuple(each[name] for name in _COLUMNS) for each in found])
