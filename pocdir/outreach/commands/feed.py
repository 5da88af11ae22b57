"""`pocdir feed`: a member's own link to the list of what is still open."""

from __future__ import annotations

import click

from pocdir import running
from pocdir.accounts.guards import operator_for
from pocdir.accounts.queries import user_by_email
from pocdir.accounts.rules import address_key
from pocdir.core.errors import NotFound
from pocdir.db import db
from pocdir.outreach.queries.feed import feed_of
from pocdir.web.terminal import app_context, emit, json_option, workspace_option


@click.command()
@click.argument("email")
@workspace_option
@json_option
def feed(email: str, workspace: str | None, as_json: bool) -> None:
    """Print a member's own link to the Atom feed of what is still open; a new password of theirs ends it.

    \b
    Example:  pocdir feed anna@example.org --workspace lab
    """
    with app_context():
        who, member = operator_for(workspace), user_by_email(db.session(), address_key(email))
        token = feed_of(member.ref, who.workspace_id or 0, secret=running.secret()) if member else None
        if token is None:
            raise NotFound("member_unknown", "no member of this workspace has this address", where="email")
        link = f"{running.settings().external_url}/feed/{token}"
    if as_json:
        emit({"email": email, "workspace": who.workspace, "link": link})
    else:
        click.echo(link)
