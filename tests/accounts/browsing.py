"""Pages as somebody with a browser uses them: forms with their token, signing in, an invitation."""

from __future__ import annotations

import datetime as dt
import re
from html import unescape

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pocdir.accounts import queries, sign_in
from pocdir.accounts.models import User
from pocdir.db import db
from tests.accounts import made

NEW = "a new sentence for me"
CHOSEN = {"password": NEW, "again": NEW}


def csrf(page: TestResponse) -> str:
    found = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def post(client: FlaskClient, path: str, _from: str | None = None, **typed: str | list[str]) -> TestResponse:
    """As a browser does it: read the page with the form, send it with its token."""
    token = csrf(client.get(_from or path))
    return client.post(path, data={"csrf_token": token, **typed})


def signs_in(client: FlaskClient, email: str, password: str = made.PASSWORD, **more: str) -> TestResponse:
    return post(client, "/login", email=email, password=password, **more)


def path_of(link: str) -> str:
    return link.removeprefix("http://localhost:8000")


def is_in(client: FlaskClient) -> bool:
    return client.get("/account").status_code == 200


def welcome_path(user: User, now: dt.datetime) -> str:
    return path_of(sign_in.welcome_link(user, now))


def owner(
    app: Flask, now: dt.datetime, workspace: str = "lab", email: str = "anna@example.org"
) -> FlaskClient:
    return made.browser(app, made.person(email, now=now, workspace=workspace, role="owner"), now=now)


def invited_to(client: FlaskClient, email: str = "ben@example.org", role: str = "researcher") -> str:
    page = post(client, "/workspace/invitations", _from="/workspace", email=email, role=role)
    found = re.search(r"http://localhost:8000(/join/[\w-]+)", unescape(page.text))
    assert found, page.text
    return found[1]


def roles_in(workspace: str) -> dict[str, str]:
    db.session.rollback()
    kept = queries.workspace_by_slug(db.session(), workspace)
    return {member.user.email: member.role for member in queries.members(db.session(), kept.id)}
