"""Signing in and out, one-time links, the own account."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pocdir.accounts import jobs, sign_in
from pocdir.accounts.models import Invitation, SignIn, User
from pocdir.db import db, transaction
from pocdir.web import limits
from tests.accounts import made
from tests.accounts.browsing import (
    CHOSEN,
    NEW,
    csrf,
    invited_to,
    is_in,
    owner,
    path_of,
    post,
    signs_in,
    welcome_path,
)


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Iterator[None]:
    limits.init_app(app)
    with time_machine.travel(now, tick=False):
        yield


def test_who_knows_the_password_is_in(client: FlaskClient, now: dt.datetime) -> None:
    made.person(now=now)
    response = signs_in(client, "Anna@Example.org")
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    assert is_in(client)


def test_after_signing_in_one_is_back_where_one_wanted_to_go(client: FlaskClient, now: dt.datetime) -> None:
    made.person(now=now)
    asked = client.get("/account").headers["Location"]
    assert 'name="next" value="/account"' in client.get(asked).text
    assert signs_in(client, "anna@example.org", next="/account").headers["Location"] == "/account"


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_signing_in_leads_nowhere_else(client: FlaskClient, now: dt.datetime, target: str) -> None:
    made.person(now=now)
    assert 'name="next"' not in client.get("/login", query_string={"next": target}).text
    assert signs_in(client, "anna@example.org", next=target).headers["Location"] == "/"


def said(response: TestResponse) -> tuple[int, list[str]]:
    return response.status_code, re.findall(r"<p>([^<]+)</p></div>", response.text)


def test_an_unknown_address_a_wrong_password_and_an_unused_account_are_answered_alike(
    client: FlaskClient, now: dt.datetime
) -> None:
    made.person("anna@example.org", now=now)
    made.person("new@example.org", now=now, password=False)
    off = made.person("off@example.org", now=now)
    with transaction() as session:
        session.get_one(User, off.id).active = False
    answers = [
        said(signs_in(client, "anna@example.org", "a wrong password")),
        said(signs_in(client, "nobody@example.org")),
        said(signs_in(client, "new@example.org")),
        said(signs_in(client, "off@example.org")),
    ]
    assert answers[0][0] == 401
    assert answers[0][1], "the page says what was refused"
    assert all(answer == answers[0] for answer in answers)
    assert not is_in(client)


def test_nobody_costs_as_much_as_somebody(app: Flask) -> None:
    hashing = app.extensions["security"].pwd_context
    assert hashing.identify(sign_in.NOBODY) == "argon2"
    assert not hashing.needs_update(sign_in.NOBODY), "other costs than a new hash would show who is unknown"
    assert hashing.hash("x").split("$")[:4] == sign_in.NOBODY.split("$")[:4]


@pytest.mark.parametrize(
    "typed", [{}, {"email": "anna@example.org"}, {"password": "x"}, {"email": "a\0b", "password": "x"}]
)
def test_an_incomplete_form_is_shown_again(client: FlaskClient, typed: dict[str, str]) -> None:
    assert post(client, "/login", **typed).status_code == 422


def test_guessing_is_slowed_down_by_account(
    client: FlaskClient, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.person(now=now)
    monkeypatch.setattr(sign_in, "BY_ACCOUNT", limits.Limit("account", most=2, seconds=60))
    for _ in range(2):
        assert signs_in(client, "anna@example.org", "wrong").status_code == 401
    stopped = signs_in(client, "ANNA@example.org")
    assert stopped.status_code == 429
    assert int(stopped.headers["Retry-After"]) <= 60
    assert not is_in(client)


def test_guessing_is_slowed_down_by_address(
    client: FlaskClient, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "BY_ADDRESS", limits.Limit("address", most=2, seconds=60))
    codes = [signs_in(client, f"{name}@example.org").status_code for name in "abc"]
    assert codes == [401, 401, 429]


def test_a_form_without_its_token_is_refused(client: FlaskClient, now: dt.datetime) -> None:
    made.person(now=now)
    response = client.post("/login", data={"email": "anna@example.org", "password": made.PASSWORD})
    assert response.status_code == 422
    assert not is_in(client)


def test_signing_in_starts_a_new_session(client: FlaskClient, now: dt.datetime) -> None:
    made.person(now=now)
    client.get("/login")
    before = client.get_cookie("pocdir")
    with client.session_transaction() as session:
        session["planted"] = "by somebody else"
    signs_in(client, "anna@example.org")
    after = client.get_cookie("pocdir")
    assert before is not None
    assert after is not None
    assert before.value != after.value
    with client.session_transaction() as session:
        assert "planted" not in session


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(client: FlaskClient, now: dt.datetime) -> None:
    made.person(now=now)
    cookie = signs_in(client, "anna@example.org").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Domain" not in cookie


def test_signing_out_ends_the_session_for_good(client: FlaskClient, now: dt.datetime) -> None:
    made.person(now=now)
    signs_in(client, "anna@example.org")
    stolen = client.get_cookie("pocdir")
    assert stolen is not None
    assert post(client, "/logout", _from="/account").status_code == 302
    assert not is_in(client)
    client.set_cookie("pocdir", stolen.value)
    assert not is_in(client)


def test_signing_out_by_a_link_is_not_possible(client: FlaskClient) -> None:
    assert client.get("/logout").status_code == 405


# One-time links


def test_a_welcome_link_lets_its_person_choose_a_password_once(client: FlaskClient, now: dt.datetime) -> None:
    path = welcome_path(made.person(now=now, password=False), now)
    assert "anna@example.org" in client.get(path).text
    assert client.get(path).status_code == 200, "reading it changes nothing"
    assert post(client, path, **CHOSEN).status_code == 302
    assert is_in(client)
    assert client.get(path).status_code == 410
    assert client.post(path, data={"csrf_token": csrf(client.get("/account")), **CHOSEN}).status_code == 410


def test_the_new_password_is_the_one_that_signs_in(app: Flask, client: FlaskClient, now: dt.datetime) -> None:
    path = welcome_path(made.person(now=now), now)
    post(client, path, **CHOSEN)
    another = app.test_client()
    assert signs_in(another, "anna@example.org").status_code == 401
    assert signs_in(another, "anna@example.org", NEW).status_code == 302


def test_a_welcome_link_ends_after_seven_days(client: FlaskClient, now: dt.datetime) -> None:
    path = welcome_path(made.person(now=now, password=False), now)
    with time_machine.travel(now + dt.timedelta(days=7), tick=False):
        assert client.get(path).status_code == 410


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: t[:20], lambda t: "x"]
)
def test_a_forged_link_is_answered_like_a_used_one(
    client: FlaskClient, now: dt.datetime, change: object
) -> None:
    assert callable(change)
    path = welcome_path(made.person(now=now, password=False), now)
    folder, token = path.rsplit("/", 1)
    assert client.get(f"{folder}/{change(token)}").status_code == 410


def test_a_link_of_another_purpose_opens_nothing(client: FlaskClient, now: dt.datetime) -> None:
    token = welcome_path(made.person(now=now, password=False), now).rsplit("/", 1)[1]
    assert client.get(f"/join/{token}").status_code == 410


def test_a_new_password_ends_older_links(client: FlaskClient, now: dt.datetime) -> None:
    user = made.person(now=now, password=False)
    first, second = welcome_path(user, now), welcome_path(user, now + dt.timedelta(seconds=1))
    post(client, second, **CHOSEN)
    assert client.get(first).status_code == 410


@pytest.mark.parametrize(
    "typed",
    [
        {"password": "short", "again": "short"},
        {"password": NEW, "again": NEW + "!"},
        {"password": NEW},
        {"password": "anna@example.org", "again": "anna@example.org"},
        {"password": "x" * 2000, "again": "x" * 2000},
    ],
)
def test_a_weak_or_mistyped_password_is_refused_and_the_link_stays(
    client: FlaskClient, now: dt.datetime, typed: dict[str, str]
) -> None:
    path = welcome_path(made.person(now=now, password=False), now)
    refused = post(client, path, **typed)
    assert refused.status_code == 422
    assert 'class="err"' in refused.text
    assert client.get(path).status_code == 200


def test_the_first_admin_gets_a_link_until_the_password_is_set(
    app: Flask, client: FlaskClient, now: dt.datetime
) -> None:
    link = sign_in.first_admin_link(now)
    assert link is not None
    assert sign_in.first_admin_link(now) == link, "asking again makes no second account"
    post(client, path_of(link), **CHOSEN)
    assert sign_in.first_admin_link(now) is None
    assert is_in(client)
    assert client.get("/workspace").status_code == 200


# The own account


def test_a_new_password_ends_every_other_session(app: Flask, client: FlaskClient, now: dt.datetime) -> None:
    user = made.person(now=now)
    other = made.browser(app, user, now=now)
    signs_in(client, "anna@example.org")
    changed = post(client, "/account/password", _from="/account", present=made.PASSWORD, **CHOSEN)
    assert changed.status_code == 302
    assert is_in(client)
    assert not is_in(other)


def test_the_present_password_is_asked_for(app: Flask, now: dt.datetime) -> None:
    client = made.browser(app, made.person(now=now), now=now)
    refused = post(client, "/account/password", _from="/account", present="wrong", **CHOSEN)
    assert refused.status_code == 422
    assert "f-present-error" in refused.text


def test_a_session_elsewhere_can_be_ended(app: Flask, now: dt.datetime) -> None:
    user = made.person(now=now)
    here, there = made.browser(app, user, now=now), made.browser(app, user, now=now)
    ref = db.session.scalars(db.select(SignIn.ref).order_by(SignIn.id.desc())).first()
    assert post(here, f"/account/sign-ins/{ref}/end", _from="/account").status_code == 302
    assert is_in(here)
    assert not is_in(there)


def test_ben_cannot_end_annas_session(app: Flask, now: dt.datetime) -> None:
    annas = made.browser(app, made.person(now=now), now=now)
    ref = made.one(SignIn.ref)
    bens = made.browser(app, made.person("ben@example.org", now=now), now=now)
    foreign = post(bens, f"/account/sign-ins/{ref}/end", _from="/account")
    missing = post(bens, f"/account/sign-ins/{made.unknown_ref(now)}/end", _from="/account")
    assert foreign.status_code == missing.status_code == 404
    assert is_in(annas)


# The workspace


def test_what_has_ended_is_forgotten(app: Flask, now: dt.datetime) -> None:
    invited_to(owner(app, now))
    assert jobs.forget_what_ended(now) == 0
    assert jobs.forget_what_ended(now + dt.timedelta(days=8)) >= 2
    assert not made.every(SignIn)
    assert not made.every(Invitation)
