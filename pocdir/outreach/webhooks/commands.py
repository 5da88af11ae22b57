"""`pocdir webhook`: make one, list them, try one, take one away."""

from __future__ import annotations

import click

from pocdir import running
from pocdir.accounts.guards import operator_for
from pocdir.core import clock
from pocdir.core.times import isoformat
from pocdir.db import transaction
from pocdir.outreach.webhooks import actions, queries
from pocdir.outreach.webhooks.presentation import message, shown
from pocdir.outreach.webhooks.schemas import DeliveryAnswer, WebhookAnswer
from pocdir.web.terminal import app_context, emit, json_option, table, workspace_option


@click.group()
def webhook() -> None:
    """Webhooks: have another program told of new events."""


@webhook.command("add")
@click.argument("url")
@click.option("--type", "types", metavar="TYPE", multiple=True, help="Only these events; repeat for more.")
@workspace_option
@json_option
def add(url: str, types: tuple[str, ...], workspace: str | None, as_json: bool) -> None:
    """Make one and print its secret, which is shown once.

    \b
    Example:  pocdir webhook add https://hooks.example.org/pocdir --type expectation.lapsed
    """
    with app_context():
        who = operator_for(workspace)
        with transaction() as session:
            made = actions.subscribe(
                session,
                workspace_id=who.workspace_id or 0,
                url=url,
                types=types,
                mode=running.settings().webhooks,
                now=clock.now(),
                actor=who.actor,
            )
            said = shown(made, secret=True)
    if as_json:
        emit(WebhookAnswer().dump(said))
    else:
        click.echo(
            f"{said['secret']}\nShown once: its receiver checks signatures with it. The webhook is {said['ref']}."
        )


@webhook.command("list")
@workspace_option
@json_option
def list_webhooks(workspace: str | None, as_json: bool) -> None:
    """List the webhooks of a workspace, also those that are switched off.

    \b
    Example:  pocdir webhook list --workspace lab
    """
    with app_context():
        found = [shown(each) for each in queries.webhooks(operator_for(workspace).workspace_id)]
    if as_json:
        for each in found:
            emit(WebhookAnswer().dump(each))
    else:
        columns = ("ref", "url", "enabled", "disabled_because", "types")
        table(columns, [[each[name] for name in columns[:-1]] + [" ".join(each["types"])] for each in found])


@webhook.command("deliveries")
@click.argument("ref")
@workspace_option
@json_option
def deliveries(ref: str, workspace: str | None, as_json: bool) -> None:
    """List its newest messages and what became of them.

    \b
    Example:  pocdir webhook deliveries 019ab3f0-0000-7000-8000-000000000000
    """
    with app_context():
        kept = queries.webhook(ref, workspace_id=operator_for(workspace).workspace_id)
        found = [message(each) for each in queries.deliveries(kept)]
    if as_json:
        for each in found:
            emit(DeliveryAnswer().dump(each))
    else:
        columns = ("id", "type", "state", "attempts", "error", "created")
        table(columns, [[each[n] for n in columns[:-1]] + [isoformat(each["created_at"])] for each in found])


@webhook.command("change")
@click.argument("act", type=click.Choice(("enable", "disable", "secret", "test", "retry", "remove")))
@click.argument("ref")
@workspace_option
def change(act: str, ref: str, workspace: str | None) -> None:
    """Switch one on or off, renew its secret, send a test, send again what was given up, or remove it.

    \b
    Example:  pocdir webhook change test 019ab3f0-0000-7000-8000-000000000000
    """
    now = clock.now()
    with app_context():
        who = operator_for(workspace)
        with transaction() as session:
            kept = queries.webhook(ref, workspace_id=who.workspace_id, session=session)
            said = "done"
            if act == "enable":
                actions.enable(session, kept, actor=who.actor)
            elif act == "disable":
                actions.disable(session, kept, because="person", now=now, actor=who.actor)
            elif act == "secret":
                actions.renew_secret(session, kept, actor=who.actor)
                said = str(shown(kept, secret=True)["secret"])
            elif act == "test":
                said = f"queued msg_{actions.send_test(session, kept, now=now)}"
            elif act == "retry":
                said = f"queued {actions.retry(session, kept, now=now)}"
            else:
                actions.remove(session, kept, actor=who.actor)
    click.echo(said)
