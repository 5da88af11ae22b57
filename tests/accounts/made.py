"""People as the tests need them: accounts with every role, and browsers in which they are signed in."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts import actions, queries
from pocdir.accounts.guards import SIGN_IN
from pocdir.accounts.models import User, Workspace
from pocdir.core.refs import new_ref
from pocdir.db import db, transaction
from pocdir.directory.models import Team

# argon2 of PASSWORD: hashing it anew for every test would be the slowest part of the run.
PASSWORD = "correct horse battery"
HASH = "$argon2id$v=19$m=65536,t=3,p=4$KPTWSAQM1gZUVANW4Ez5MQ$iWSvlJo7jdfOFeCY2VSXhR60yqmWfLrcK4tE9QXiaS8"


def person(
    email: str = "anna@example.org",
    *,
    now: dt.datetime,
    workspace: str | None = None,
    role: str = "researcher",
    site_role: str | None = None,
    team_id: int | None = None,
    password: bool = True,
) -> User:
    """An account; a workspace is made when it is new."""
    with transaction() as session:
        user = actions.create_user(session, email=email, now=now, actor="operator")
        if password:
            actions.set_password(session, user=user, password_hash=HASH, now=now, actor="operator")
        if workspace:
            kept: Workspace = queries.find_workspace(session, workspace) or actions.create_workspace(
                session, name=workspace, now=now, actor="operator"
            )
            actions.add_member(session, user=user, workspace=kept, role=role, now=now, actor="operator")
        if site_role:
            actions.set_site_role(session, user=user, role=site_role, actor="operator")
        if team_id:
            actions.add_team_contact(session, user=user, team_id=team_id, now=now, actor="operator")
    return user


def team(slug: str = "cert-at", *, now: dt.datetime) -> int:
    """A team's row; returns its id."""
    with transaction() as session:
        made = Team(
            slug=slug,
            name=slug,
            kind="national",
            country="AT",
            folded_name=slug,
            created_at=now,
            updated_at=now,
        )
        session.add(made)
        session.flush()
        return made.id


def browser(app: Flask, user: User, *, now: dt.datetime) -> FlaskClient:
    """A browser in which this person is signed in, without the form."""
    with transaction() as session:
        kept = session.get_one(User, user.id)
        sign_in = actions.start_sign_in(session, user=kept, browser="tests", now=now)
        uniquifier, ref = kept.fs_uniquifier, sign_in.ref
    client = app.test_client()
    with client.session_transaction() as session_of_browser:
        session_of_browser["_user_id"] = uniquifier
        session_of_browser[SIGN_IN] = ref
    return client


def every(what: Any) -> list[Any]:
    """The rows (or values of a column) as they stand now."""
    db.session.rollback()
    db.session.expire_all()
    return list(db.session.scalars(db.select(what)).all())


def one(what: Any) -> Any:
    """The only one of them."""
    (found,) = every(what)
    return found


def unknown_ref(now: dt.datetime) -> str:
    """A reference that nothing has."""
    return new_ref(now)
