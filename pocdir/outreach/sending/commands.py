"""`pocdir sending`: which workspaces may send from here, and a letter once more."""

from __future__ import annotations

import click

from pocdir.accounts.guards import operator_for
from pocdir.accounts.queries import workspace_by_slug
from pocdir.accounts.rules import OPERATOR
from pocdir.core import clock
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.outreach.sending import actions, queries
from pocdir.outreach.sending.telling import try_again
from pocdir.web.terminal import WORDS, app_context, emit, json_option, table, workspace_option


@click.group()
def sending() -> None:
    """Which workspaces may send from here.

    \b
    Example:  pocdir sending allow lab
    """


@sending.command("list")
@json_option
def list_(as_json: bool) -> int:
    """Every workspace, and whether it may send.

    \b
    Example:  pocdir sending list
    """
    with app_context():
        found = queries.workspaces()
        db.session.remove()
    said = [
        {
            "workspace": row.slug, "name": row.name, "allowed": bool(row.allowed),
            "decided_at": row.decided_at and isoformat(row.decided_at), "note": row.note,
        }
        for row in found
    ]  # fmt: skip
    if as_json:
        for each in said:
            emit(each)
    else:
        table(
            ("workspace", "may send", "decided", "note"),
            [
                (it["workspace"], "yes" if it["allowed"] else "no", it["decided_at"] or "", it["note"] or "")
                for it in said
            ],
        )
    return 0 if said else 1


@sending.command()
@click.argument("workspace")
@click.option("--note", type=WORDS, help="Why; it stands in the record.")
@json_option
def allow(workspace: str, note: str | None, as_json: bool) -> None:
    """Let a workspace send from here: somebody has looked at what it does.

    \b
    Example:  pocdir sending allow lab --note "first campaign read"
    """
    _decide(workspace, True, note, as_json)


@sending.command()
@click.argument("workspace")
@click.option("--note", type=WORDS, help="Why; it stands in the record.")
@json_option
def stop(workspace: str, note: str | None, as_json: bool) -> None:
    """Let a workspace send no more; what waits in the outbox goes out unless it is withdrawn.

    \b
    Example:  pocdir sending stop lab
    """
    _decide(workspace, False, note, as_json)


@sending.command()
@click.argument("ref")
@click.option("--plain-text", is_flag=True, help="It may go in plain text where no key is pinned.")
@click.option("--despite-rules", is_flag=True, help="Also where it does not meet the team's rules.")
@click.option("--despite-opt-out", is_flag=True, help="Also to a team that does not take such.")
@click.option("--people-at-risk", is_flag=True, help="You know that people may be at risk.")
@workspace_option
@json_option
def again(ref: str, workspace: str | None, as_json: bool, **given: bool) -> int:
    """Make a notification's letter anew that was not sent, with the key as it is now.

    \b
    Example:  pocdir sending again 019ab3...
    """
    with app_context(), transaction() as session:
        queued = try_again(session, operator_for(workspace), ref, given, now=clock.now())
    if as_json:
        emit({"notification": ref, "queued": queued})
    else:
        click.echo("queued" if queued else "not sent: a problem with the OpenPGP key")
    return 0 if queued else 1


def _decide(slug: str, allowed: bool, note: str | None, as_json: bool) -> None:
    with app_context(), transaction() as session:
        workspace = workspace_by_slug(session, slug)
        changed = actions.allow(
            session, workspace, allowed=allowed, now=clock.now(), actor=OPERATOR, note=note
        )
    if as_json:
        emit({"workspace": slug, "allowed": allowed, "changed": changed})
    else:
        click.echo(f"{slug} {'may send' if allowed else 'sends no more'}{'' if changed else ' (as before)'}")
