"""Signing in and out, one-time links, the own account, the workspace."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from html import unescape

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pocdir.accounts import actions, jobs, queries, sign_in
from pocdir.accounts.models import ApiToken, Invitation, Membership, SignIn, User
from pocdir.db import db, transaction
from pocdir.ledger.models import LedgerEvent
from pocdir.web import limits
from tests.accounts import made

NEW = "a new sentence for me"
CHOSEN = {"password": NEW, "again": NEW}


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Iterator[None]:
    limits.init_app(app)
    with time_machine.travel(now, tick=False):
        yield


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


def welcome_path(user: User, now: dt.datetime) -> str:
    return path_of(sign_in.welcome_link(user, now))


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


def test_a_colleague_joins_by_the_link_with_a_new_account(
    app: Flask, client: FlaskClient, now: dt.datetime
) -> None:
    path = invited_to(owner(app, now))
    assert made.every(User.email) == ["anna@example.org"], "no account before the link is used"
    assert post(client, path, **CHOSEN).status_code == 302
    assert roles_in("lab") == {"anna@example.org": "owner", "ben@example.org": "researcher"}
    assert client.get("/workspace").status_code == 200
    assert app.test_client().get(path).status_code == 410


def test_a_colleague_joins_with_the_account_that_is_signed_in(app: Flask, now: dt.datetime) -> None:
    path = invited_to(owner(app, now), "whatever@example.org", "owner")
    bens = made.browser(app, made.person("ben@example.org", now=now, workspace="rivals"), now=now)
    assert post(bens, path).status_code == 302
    assert roles_in("lab")["ben@example.org"] == "owner"


def test_an_invitation_to_a_taken_address_needs_its_account(
    app: Flask, client: FlaskClient, now: dt.datetime
) -> None:
    path = invited_to(owner(app, now))
    made.person("ben@example.org", now=now)
    assert post(client, path, **CHOSEN).status_code == 409
    assert "ben@example.org" not in roles_in("lab")
    assert signs_in(app.test_client(), "ben@example.org", NEW).status_code == 401


def test_an_invitation_ends_after_seven_days(app: Flask, client: FlaskClient, now: dt.datetime) -> None:
    path = invited_to(owner(app, now))
    with time_machine.travel(now + dt.timedelta(days=7), tick=False):
        assert client.get(path).status_code == 410


def test_a_researcher_cannot_invite_nor_make_tokens(app: Flask, now: dt.datetime) -> None:
    client = made.browser(app, made.person(now=now, workspace="lab"), now=now)
    for path in ("/workspace/invitations", "/workspace/tokens"):
        assert post(client, path, _from="/workspace", email="ben@example.org").status_code == 403
    assert not made.every(Invitation)


def test_inviting_asks_for_a_sign_in_of_today(app: Flask, now: dt.datetime) -> None:
    client = owner(app, now)
    with time_machine.travel(now + dt.timedelta(hours=2), tick=False):
        asked = post(client, "/workspace/invitations", _from="/workspace", email="ben@example.org")
    assert asked.headers["Location"] == "/login?next=/workspace"


def test_an_owner_removes_a_member_who_is_out_at_once(app: Flask, now: dt.datetime) -> None:
    client = owner(app, now)
    ben = made.person("ben@example.org", now=now, workspace="lab")
    bens = made.browser(app, ben, now=now)
    assert bens.get("/workspace").status_code == 200
    assert post(client, f"/workspace/members/{ben.ref}/remove", _from="/workspace").status_code == 302
    assert bens.get("/workspace").status_code == 403


def test_an_invitation_can_be_withdrawn(app: Flask, client: FlaskClient, now: dt.datetime) -> None:
    annas = owner(app, now)
    path = invited_to(annas)
    ref = made.one(Invitation.ref)
    assert post(annas, f"/workspace/invitations/{ref}/withdraw", _from="/workspace").status_code == 302
    assert client.get(path).status_code == 410


def test_a_member_is_made_an_owner_and_back(app: Flask, now: dt.datetime) -> None:
    client = owner(app, now)
    ben = made.person("ben@example.org", now=now, workspace="lab")
    for role in ("owner", "researcher"):
        changed = post(client, f"/workspace/members/{ben.ref}/role", _from="/workspace", role=role)
        assert changed.status_code == 302
        assert roles_in("lab")["ben@example.org"] == role
    post(client, f"/workspace/members/{ben.ref}/role", _from="/workspace", role="king")
    assert roles_in("lab")["ben@example.org"] == "researcher"


def test_the_last_owner_cannot_step_down(app: Flask, now: dt.datetime) -> None:
    client = owner(app, now)
    anna = made.one(User)
    refused = post(client, f"/workspace/members/{anna.ref}/role", _from="/workspace", role="researcher")
    assert refused.status_code == 409


def test_the_last_owner_stays(app: Flask, now: dt.datetime) -> None:
    client = owner(app, now)
    anna = made.one(User)
    assert post(client, f"/workspace/members/{anna.ref}/remove", _from="/workspace").status_code == 409


def test_a_member_of_another_workspace_cannot_be_removed(app: Flask, now: dt.datetime) -> None:
    client = owner(app, now)
    ben = made.person("ben@example.org", now=now, workspace="rivals")
    foreign = post(client, f"/workspace/members/{ben.ref}/remove", _from="/workspace")
    assert foreign.status_code == 404
    assert roles_in("rivals") == {"ben@example.org": "researcher"}


def test_an_owner_renames_the_workspace_and_both_names_stand_in_the_record(
    app: Flask, now: dt.datetime
) -> None:
    annas = owner(app, now)
    page = annas.get("/workspace").text
    assert post(annas, "/workspace/name", _from="/workspace", name="Sinkhole Lab").status_code == 302
    assert "<h1>Sinkhole Lab</h1>" in annas.get("/workspace").text != page
    assert post(annas, "/workspace/name", _from="/workspace", name="Sinkhole Lab").status_code == 302
    assert post(annas, "/workspace/name", _from="/workspace", name=" ").status_code == 422
    (renamed,) = [it for it in made.every(LedgerEvent) if it.type == "workspace.renamed"]
    assert renamed.actor.startswith("user:")
    bens = made.browser(app, made.person("b@example.org", now=now, workspace="lab"), now=now)
    assert post(bens, "/workspace/name", _from="/workspace", name="Ours").status_code == 403


def test_a_token_is_shown_once_and_works(app: Flask, client: FlaskClient, now: dt.datetime) -> None:
    annas = owner(app, now)
    page = post(annas, "/workspace/tokens", _from="/workspace", name="sinkhole", scopes=["incident.read"])
    found = re.search(r"pocdir_[a-z2-7]{8}_[0-9a-f]{32}", page.text)
    assert found
    assert client.get("/api/v1/incidents", headers={"Authorization": f"Bearer {found[0]}"}).status_code == 200
    assert found[0] not in annas.get("/workspace").text
    assert "no-store" in page.headers["Cache-Control"]


def test_a_scope_that_does_not_exist_is_refused(app: Flask, now: dt.datetime) -> None:
    refused = post(owner(app, now), "/workspace/tokens", _from="/workspace", scopes=["operate.read"])
    assert refused.status_code == 422
    assert not made.every(ApiToken)


def test_only_a_steward_gives_a_token_a_stewards_scope(
    app: Flask, client: FlaskClient, now: dt.datetime
) -> None:
    annas = owner(app, now)
    assert "directory.edit" not in annas.get("/workspace").text
    refused = post(annas, "/workspace/tokens", _from="/workspace", scopes=["directory.edit"])
    assert refused.status_code == 403
    assert "Only a steward, or the operator, may give" in refused.text
    assert not made.every(ApiToken)
    with transaction() as session:
        anna = session.scalars(db.select(User)).one()
        actions.set_site_role(session, user=anna, role="steward", actor="operator")
    assert "directory.edit" in annas.get("/workspace").text
    page = post(annas, "/workspace/tokens", _from="/workspace", scopes=["directory.edit"])
    found = re.search(r"pocdir_[a-z2-7]{8}_[0-9a-f]{32}", page.text)
    assert found
    headers = {"Authorization": f"Bearer {found[0]}"}
    asked = {"slug": "cert-xx", "name": "CERT XX", "kind": "national", "country": "AT"}
    assert client.post("/api/v1/teams", json=asked, headers=headers).status_code == 201


def test_a_token_of_another_workspace_cannot_be_revoked(app: Flask, now: dt.datetime) -> None:
    client = owner(app, now)
    with transaction() as session:
        rivals = actions.create_workspace(session, name="rivals", now=now, actor="operator")
        kept, _ = actions.create_token(session, workspace_id=rivals.id, now=now, actor="operator")
        ref = kept.ref
    foreign = post(client, f"/workspace/tokens/{ref}/revoke", _from="/workspace")
    assert foreign.status_code == 404
    assert made.one(ApiToken).revoked_at is None


def test_a_person_of_two_workspaces_switches_between_them(app: Flask, now: dt.datetime) -> None:
    anna = made.person(now=now, workspace="lab")
    with transaction() as session:
        second = actions.create_workspace(session, name="Second", now=now, actor="operator")
        session.add(
            Membership(
                user_id=anna.id,
                workspace_id=second.id,
                role="owner",
                created_at=now + dt.timedelta(seconds=1),
            )
        )
    client = made.browser(app, anna, now=now)
    assert "<h1>lab</h1>" in client.get("/workspace").text
    assert post(client, "/workspace/current", _from="/account", workspace="second").status_code == 302
    assert "<h1>Second</h1>" in client.get("/workspace").text


def test_nobody_switches_to_a_workspace_of_others(app: Flask, now: dt.datetime) -> None:
    client = owner(app, now)
    made.person("ben@example.org", now=now, workspace="rivals")
    foreign = post(client, "/workspace/current", _from="/account", workspace="rivals")
    missing = post(client, "/workspace/current", _from="/account", workspace="nowhere")
    assert foreign.status_code == missing.status_code == 404
    assert "<h1>lab</h1>" in client.get("/workspace").text


def test_what_has_ended_is_forgotten(app: Flask, now: dt.datetime) -> None:
    invited_to(owner(app, now))
    assert jobs.forget_what_ended(now) == 0
    assert jobs.forget_what_ended(now + dt.timedelta(days=8)) >= 2
    assert not made.every(SignIn)
    assert not made.every(Invitation)
