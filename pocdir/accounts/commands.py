"""People and tokens from the command line; passwords are never asked for, one-time links are printed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click
from sqlalchemy.orm import Session

from pocdir.accounts import actions, queries, rules, sign_in
from pocdir.accounts.models import ApiToken, User, Workspace
from pocdir.core import clock
from pocdir.core.errors import NotFound
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.web.terminal import app_context, emit, json_option, table


@click.group()
def user() -> None:
    """People: create an account, print a new one-time link, erase somebody."""


@user.command("create")
@click.argument("email")
@click.option("--role", type=click.Choice(("researcher", *rules.SITE_ROLES)), default="researcher")
@click.option("--workspace", metavar="W", help="Made when it is new, the user then its owner.")
@click.option("--team", metavar="SLUG", help="The user answers for this team.")
@json_option
def create_user(email: str, role: str, workspace: str | None, team: str | None, as_json: bool) -> None:
    """Create an account and print its one-time link.

    \b
    Example: pocdir user create anna@example.org --workspace lab
    """
    now = clock.now()
    with app_context(), transaction() as session:
        made = actions.create_user(session, email=email, now=now, actor=rules.OPERATOR)
        if role in rules.SITE_ROLES:
            actions.set_site_role(session, user=made, role=role, actor=rules.OPERATOR)
        kept = _join_workspace(session, made, workspace, now) if workspace is not None else None
        if team is not None:
            team_id = queries.team_id_of(session, team)
            actions.add_team_contact(session, user=made, team_id=team_id, now=now, actor=rules.OPERATOR)
        shown = {
            "email": made.email,
            "workspace": kept.slug if kept else None,
            "link": sign_in.welcome_link(made, now),
        }
    _print_link(shown, as_json)


@user.command("link")
@click.argument("email")
@json_option
def link(email: str, as_json: bool) -> None:
    """Print a new one-time link to choose a password; the present password works until it is used.

    \b
    Example: pocdir user link anna@example.org
    """
    with app_context():
        session = db.session()
        kept = queries.user_by_email(session, rules.address_key(email))
        if kept is None:
            raise NotFound("user_unknown", f"there is no account {email!r}", where="email")
        memberships = queries.workspaces_of(session, kept.id)
        shown = {
            "email": kept.email,
            "workspace": memberships[0].workspace.slug if memberships else None,
            "link": sign_in.welcome_link(kept, clock.now()),
        }
    _print_link(shown, as_json)


@click.group()
def token() -> None:
    """API tokens: create, list, revoke."""


@token.command("create")
@click.option("--workspace", metavar="W", help="It acts for an owner of it.")
@click.option("--team", metavar="SLUG", help="It answers for this team.")
@click.option("--scope", "scopes", metavar="S", multiple=True, type=click.Choice(rules.ALL_SCOPES))
@click.option("--name", default="", help="What it is for.")
@json_option
def create_token(
    workspace: str | None, team: str | None, scopes: tuple[str, ...], name: str, as_json: bool
) -> None:
    """Create a token of a workspace, of a team, or of both; it is shown once.

    Without --scope it may do all that an owner of the workspace (a contact of the team) may. With both it lists
    the workspace's notifications, and answers those to the team.

    A steward's scope (directory.edit, directory.import, directory.mark) has to be named.

    \b
    Example: pocdir token create --workspace lab --scope incident.read
    """
    if workspace is None and team is None:
        raise click.UsageError("name its --workspace or its --team")
    now = clock.now()
    with app_context(), transaction() as session:
        kept = queries.workspace_by_slug(session, workspace) if workspace is not None else None
        made, text = actions.create_token(
            session,
            workspace_id=kept.id if kept else None,
            team_id=queries.team_id_of(session, team) if team is not None else None,
            scopes=scopes,
            name=name,
            now=now,
            actor=rules.OPERATOR,
        )
        shown = {
            "token": text,
            "id": made.ref,
            "workspace": kept.slug if kept else None,
            "team": team,
            "scopes": made.scopes,
            "expires_at": isoformat(made.expires_at),
        }
    if as_json:
        emit(shown)
    else:
        click.echo(f"{text}\nShown once. It works until {shown['expires_at']}; its id is {shown['id']}.")


@token.command("list")
@click.option("--workspace", metavar="W")
@click.option("--team", metavar="SLUG", help="Those that answer for this team.")
@json_option
def list_tokens(workspace: str | None, team: str | None, as_json: bool) -> None:
    """List the tokens of a workspace or of a team, also those that no longer count.

    \b
    Example: pocdir token list --workspace lab
    """
    if workspace is None and team is None:
        raise click.UsageError("name a --workspace or a --team")
    with app_context():
        session = db.session()
        kept = queries.api_tokens(
            session,
            queries.workspace_by_slug(session, workspace).id if workspace is not None else None,
            queries.team_id_of(session, team) if team is not None else None,
        )
        teams = queries.team_slugs(session, {one.team_id for one in kept if one.team_id})
        shown = [_token(one, one.workspace.slug if one.workspace else None, teams) for one in kept]
    if as_json:
        for row in shown:
            emit(row)
    else:
        columns = ("id", "prefix", "name", "expires_at", "last_used_at", "revoked_at")
        table(columns, [[row[column] for column in columns] for row in shown])


@token.command("revoke")
@click.argument("token_id", metavar="ID")
@json_option
def revoke_token(token_id: str, as_json: bool) -> None:
    """Revoke a token; it stops working at once.

    \b
    Example: pocdir token revoke 0198c1a2-7c7e-7f00-8a51-0123456789ab
    """
    with app_context(), transaction() as session:
        kept = actions.revoke_token(session, ref=token_id, now=clock.now(), actor=rules.OPERATOR)
        slug = kept.workspace.slug if kept.workspace else None
        teams = queries.team_slugs(session, {kept.team_id} if kept.team_id else set())
        shown = _token(kept, slug, teams)
    if as_json:
        emit(shown)
    else:
        click.echo(f"Revoked {shown['prefix']}.")


def _join_workspace(session: Session, member: User, name: str, now: dt.datetime) -> Workspace:
    slug = rules.workspace_slug(name)
    kept = queries.find_workspace(session, slug)
    role = "researcher" if kept and queries.owners(session, kept.id) else "owner"
    kept = kept or actions.create_workspace(session, name=name, now=now, actor=rules.OPERATOR)
    actions.add_member(session, user=member, workspace=kept, role=role, now=now, actor=rules.OPERATOR)
    return kept


def _print_link(shown: dict[str, Any], as_json: bool) -> None:
    if as_json:
        emit(shown)
    else:
        click.echo(f"{shown['link']}\nWorks once, for seven days: hand it to {shown['email']} only.")


def _token(kept: ApiToken, workspace: str | None, teams: dict[int, str]) -> dict[str, Any]:
    return {
        "id": kept.ref,
        "prefix": kept.prefix,
        "name": kept.name,
        "workspace": workspace,
        "team": teams.get(kept.team_id) if kept.team_id else None,
        "scopes": kept.scopes,
        "created_at": isoformat(kept.created_at),
        "expires_at": isoformat(kept.expires_at),
        "last_used_at": isoformat(kept.last_used_at) if kept.last_used_at else None,
        "revoked_at": isoformat(kept.revoked_at) if kept.revoked_at else None,
    }
