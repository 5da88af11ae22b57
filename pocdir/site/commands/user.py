"""`pocdir user erase`: what stands of a person in all rooms."""

from __future__ import annotations

import click

from pocdir import running
from pocdir.accounts.commands import user
from pocdir.accounts.rules import OPERATOR
from pocdir.core import clock
from pocdir.db import forget_deleted, transaction
from pocdir.site.actions.erasure import erase_person
from pocdir.site.queries.erasure import found, whom
from pocdir.web.terminal import app_context, emit, json_option


@user.command("erase")
@click.argument("email")
@click.option("--reason", type=click.Choice(("request", "order")), default="request", show_default=True)
@click.option("--dry-run", is_flag=True, help="Show how much would go; nothing is erased.")
@json_option
def erase(email: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Erase a person, with an account or without: sessions, memberships, mails from the address or naming it, letters
    to it, sealed values that name it.

    What they did stays in the record under a reference that leads nowhere; figures stay, and what the directory lists
    as a team's contact. An event says so.

    \b
    Example: pocdir user erase anna@example.org --dry-run
    """
    with app_context(), transaction() as session:
        address, kept = whom(session, email, ours=running.settings().mail_from)
        ref = kept.ref if kept else None
        taken = found(session, email=address, user=kept).required()
        if not dry_run:
            taken = erase_person(
                session, email=address, user=kept, reason=reason, now=clock.now(), actor=OPERATOR
            )
    if not dry_run:
        with app_context():
            forget_deleted()
    shown = {
        "person": ref, "rows": taken.rows, "letters": taken.mails, "told": taken.told, "values": len(taken.values),
        "teams": taken.teams,
    }  # fmt: skip
    if as_json:
        emit(shown | {"erased": not dry_run})
        return
    said = "{rows} rows of the account, {letters} letters and mails, {values} values of the record".format(
        **shown
    )
    rest = f"; the record names {ref} alone" if ref else ""
    click.echo(f"{said} {'would be' if dry_run else 'were'} erased{rest}.")
    if taken.teams:
        click.echo(
            f"The directory has the address as a contact of {', '.join(taken.teams)}, or had it: that stays."
        )
