"""The page of a workspace: who is in it, who joins and leaves, its tokens, and switching between two."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts import actions
from pocdir.accounts.models import ApiToken, Invitation, Membership, User
from pocdir.db import db, transaction
from pocdir.ledger.models import LedgerEvent
from pocdir.web import limits
from tests.accounts import made
from tests.accounts.browsing import (
    CHOSEN,
    NEW,
    invited_to,
    owner,
    post,
    roles_in,
    signs_in,
)


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Iterator[None]:
    limits.init_app(app)
    with time_machine.travel(now, tick=False):
        yield


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
