"""Flask-Security made to fit: its store, its hooks, its cookies."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from pathlib import Path

import flask_security
import pytest
from flask import Flask, session
from flask.testing import FlaskClient
from flask_login import current_user

from pocdir.accounts import guards, security
from pocdir.accounts.models import User, WebAuthn
from pocdir.app import create_app
from pocdir.config import Settings
from pocdir.db import db, transaction
from tests.accounts import made


@pytest.fixture
def store(app: Flask) -> security.Datastore:
    kept: security.Datastore = app.extensions["security"].datastore
    return kept


def test_what_flask_security_changed_is_committed_in_one_transaction(
    store: security.Datastore, now: dt.datetime
) -> None:
    made.person(now=now)
    user = store.find_user(email="anna@example.org")
    user.username = "anna"
    user.mf_recovery_codes = ["one", "two"]
    store.put(user)
    store.commit()
    kept = made.one(User)
    assert (kept.username, kept.mf_recovery_codes) == ("anna", ["one", "two"])


def test_what_flask_security_made_and_deleted_is_committed_too(
    app: Flask, store: security.Datastore, now: dt.datetime
) -> None:
    made.person(now=now)
    with db.session.no_autoflush:
        user = store.find_user(email="anna@example.org")
        key = WebAuthn(
            user_id=user.id,
            credential_id=b"1",
            public_key=b"2",
            name="key",
            sign_count=0,
            usage="secondary",
            device_type="single_device",
            backup_state=False,
            lastuse_datetime=now,
        )
        store.put(key)
        store.commit()
        credential = store.find_webauthn(b"1")
        assert credential.user_id == user.id
        store.delete(credential)
        store.commit()
        assert store.find_webauthn(b"1") is None


def test_nothing_changed_is_no_transaction(store: security.Datastore, now: dt.datetime) -> None:
    made.person(now=now)
    user = store.find_user(email="anna@example.org")
    store.commit()
    assert "email" in user.__dict__, "a transaction would have made the row be read again"


def test_the_store_never_commits_inside_a_transaction_of_ours(
    store: security.Datastore, now: dt.datetime
) -> None:
    made.person(now=now)
    with pytest.raises(RuntimeError, match="commit at the edge"), transaction() as written:
        written.scalars(db.select(User)).one().username = "anna"
        store.commit()
    assert made.one(User).username is None


def test_nothing_of_accounts_runs_before_or_after_every_request(app: Flask) -> None:
    hooks = [*app.before_request_funcs[None], *app.after_request_funcs[None]]
    modules = {getattr(hook, "__module__", "") for hook in hooks}
    assert not {
        module
        for module in modules
        if module.startswith(("flask_principal", "flask_login", "flask_security"))
    }


def test_the_stock_pages_and_commands_are_not_there(app: Flask) -> None:
    assert "security" not in app.blueprints
    assert not {"users", "roles"} & set(app.cli.commands)


def test_current_user_is_the_person_whose_sign_in_lasts(app: Flask, now: dt.datetime) -> None:
    user = made.person(now=now)
    cookie = made.browser(app, user, now=dt.datetime.now(dt.UTC)).get_cookie("pocdir")
    assert cookie is not None
    with app.test_request_context("/", headers={"Cookie": f"pocdir={cookie.value}"}):
        assert current_user.email == "anna@example.org"


def test_the_authentication_token_of_flask_security_opens_nothing(app: Flask, now: dt.datetime) -> None:
    made.person(now=now)
    with app.test_request_context("/"):
        stock = db.session.scalars(db.select(User)).one().get_auth_token()
    with app.test_request_context("/", headers={"Authentication-Token": stock}):
        assert not current_user.is_authenticated
        assert guards.current_principal() is guards.ANONYMOUS


def test_the_session_stays_closed_where_machines_ask(app: Flask, now: dt.datetime) -> None:
    cookie = made.browser(app, made.person(now=now), now=now).get_cookie("pocdir")
    assert cookie is not None
    headers = {"Cookie": f"pocdir={cookie.value}"}
    with app.test_request_context("/account", headers=headers):
        assert session
    with app.test_request_context("/api/v1/incidents", headers=headers):
        assert not session


def test_a_password_is_hashed_with_argon2_and_no_second_secret(app: Flask) -> None:
    hashed = flask_security.hash_password(made.PASSWORD)
    assert hashed.startswith("$argon2id$")
    assert app.extensions["security"].pwd_context.verify(made.PASSWORD, hashed)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, database_url=f"sqlite:///{tmp_path / 'pocdir.db'}", secret_key="k" * 43)


def test_behind_https_the_cookie_is_bound_to_the_host(settings: Settings) -> None:
    app = create_app(dataclasses.replace(settings, base_url="https://pocdir.example.org"))
    assert app.config["SESSION_COOKIE_NAME"] == "__Host-pocdir"
    assert app.config["SESSION_COOKIE_SECURE"]
    assert app.config["SESSION_COOKIE_PATH"] == "/"
    assert not app.config["SESSION_COOKIE_DOMAIN"]


def test_without_https_the_cookie_works_on_loopback(settings: Settings) -> None:
    app = create_app(settings)
    assert app.config["SESSION_COOKIE_NAME"] == "pocdir"
    assert not app.config["SESSION_COOKIE_SECURE"]


SENT_FROM = [
    ({}, True),
    ({"Origin": "null"}, True),  # our own forms, under our no-referrer policy
    ({"Origin": "http://localhost:8000", "Sec-Fetch-Site": "same-origin"}, True),
    ({"Origin": "http://LOCALHOST"}, True),  # the host that was asked
    ({"Origin": "https://evil.example"}, False),
    ({"Origin": "evil"}, False),
    ({"Origin": "null", "Sec-Fetch-Site": "cross-site"}, False),
]


@pytest.mark.parametrize(("headers", "is_taken"), SENT_FROM)
def test_a_form_of_another_site_is_refused_with_a_valid_token_too(
    client: FlaskClient, headers: dict[str, str], is_taken: bool
) -> None:
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/login").text)
    assert token
    typed = {"csrf_token": token[1], "email": "nobody@example.org", "password": "nothing at all"}
    answer = client.post("/login", data=typed, headers=headers)
    assert (answer.status_code != 403) is is_taken, answer.text
    assert ("cross_site" in answer.text) is not is_taken


@pytest.mark.parametrize("path", ["/r/nothing", "/api/v1/lookup"])
def test_where_no_session_counts_it_is_not_asked_where_a_request_came_from(
    client: FlaskClient, path: str
) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    answer = client.post(path, json={"q": ["192.0.2.1"]}, headers=headers)
    assert "cross_site" not in answer.text
