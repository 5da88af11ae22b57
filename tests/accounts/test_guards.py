"""Who asks, by session or by token, and what is answered to whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts import actions, guards, jobs, queries, rules
from pocdir.accounts.models import ApiToken, User, Workspace
from pocdir.core.errors import Forbidden, NotFound
from pocdir.db import db, transaction
from pocdir.ledger.models import LedgerEvent
from pocdir.web import limits
from tests.accounts import made

INCIDENTS = "/api/v1/incidents"


@pytest.fixture(autouse=True)
def _today(now: dt.datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        yield


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def token_of(
    workspace: Workspace, now: dt.datetime, *scopes: str, lasts: dt.timedelta = rules.TOKEN_LASTS
) -> str:
    with transaction() as session:
        return actions.create_token(
            session, workspace_id=workspace.id, scopes=scopes, lasts=lasts, now=now, actor="operator"
        )[1]


def refusal(response: object) -> tuple[int, str]:
    return response.status_code, response.get_json()["code"]  # type: ignore[attr-defined]


def test_a_token_opens_the_api(client: FlaskClient, token: str) -> None:
    assert client.get(INCIDENTS, headers=bearer(token)).status_code == 200


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_scheme_is_read_in_any_case(client: FlaskClient, token: str, scheme: str) -> None:
    assert client.get(INCIDENTS, headers={"Authorization": f"{scheme} {token}"}).status_code == 200


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer ", "Bearer nonsense", "Bearer pocdir_abcdefgh_" + "0" * 32,
        "Basic YTpi", "Bearer " + "x" * 5000, "pocdir_abcdefgh_" + "0" * 32,
    ],
)  # fmt: skip
def test_without_a_token_of_ours_the_api_says_so(client: FlaskClient, header: str | None) -> None:
    response = client.get(INCIDENTS, headers={"Authorization": header} if header is not None else {})
    assert refusal(response) == (401, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == "Bearer"


def test_the_right_prefix_with_a_wrong_secret_is_refused(client: FlaskClient, token: str) -> None:
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    assert refusal(client.get(INCIDENTS, headers=bearer(wrong))) == (401, "unauthenticated")


def test_a_wrong_token_is_refused_even_where_none_is_needed(app: Flask, client: FlaskClient) -> None:
    path = "/api/v1/lookup?q=192.0.2.1"
    assert refusal(client.get(path, headers=bearer("pocdir_x"))) == (401, "unauthenticated")


def test_a_revoked_token_stops_at_once(client: FlaskClient, token: str, now: dt.datetime) -> None:
    with transaction() as session:
        kept = session.scalars(db.select(ApiToken)).one()
        actions.revoke_token(session, ref=kept.ref, now=now, actor="operator")
    assert refusal(client.get(INCIDENTS, headers=bearer(token))) == (401, "unauthenticated")


def test_an_expired_token_is_refused(client: FlaskClient, lab: Workspace, now: dt.datetime) -> None:
    token = token_of(lab, now, lasts=dt.timedelta(days=1))
    with time_machine.travel(now + dt.timedelta(days=1), tick=False):
        assert refusal(client.get(INCIDENTS, headers=bearer(token))) == (401, "unauthenticated")


def test_a_token_with_scopes_does_only_those(client: FlaskClient, lab: Workspace, now: dt.datetime) -> None:
    token = token_of(lab, now, "incident.read")
    assert client.get(INCIDENTS, headers=bearer(token)).status_code == 200
    wrote = client.post(INCIDENTS, json={"title": "x"}, headers=bearer(token))
    assert refusal(wrote) == (403, "scope_missing")


def test_a_token_of_a_team_alone_sees_no_workspace(client: FlaskClient, now: dt.datetime) -> None:
    team_id = made.team(now=now)
    with transaction() as session:
        _, text = actions.create_token(session, workspace_id=None, team_id=team_id, now=now, actor="operator")
    assert refusal(client.get(INCIDENTS, headers=bearer(text))) == (403, "forbidden")


def test_another_workspace_answers_as_if_nothing_were_there(
    client: FlaskClient, token: str, now: dt.datetime
) -> None:
    ref = client.post(INCIDENTS, json={"title": "ours"}, headers=bearer(token)).get_json()["ref"]
    with transaction() as session:
        rivals = actions.create_workspace(session, name="rivals", now=now, actor="operator")
    theirs = bearer(token_of(rivals, now))
    foreign = client.get(f"{INCIDENTS}/{ref}", headers=theirs)
    missing = client.get(f"{INCIDENTS}/{made.unknown_ref(now)}", headers=theirs)
    assert foreign.status_code == missing.status_code == 404
    assert foreign.get_json() == missing.get_json()
    assert client.get(INCIDENTS, headers=theirs).get_json()["items"] == []


def test_the_api_ignores_a_session_that_is_signed_in(app: Flask, now: dt.datetime) -> None:
    client = made.browser(app, made.person(now=now, workspace="lab", role="owner"), now=now)
    assert client.get("/account").status_code == 200
    response = client.get(INCIDENTS)
    assert refusal(response) == (401, "unauthenticated")
    assert "Set-Cookie" not in response.headers


def test_pages_ignore_a_token(client: FlaskClient, token: str) -> None:
    response = client.get("/account", headers=bearer(token))
    assert response.status_code == 302
    assert response.headers["Location"] == "/login?next=/account"


def test_a_page_leads_to_the_sign_in_and_back(client: FlaskClient) -> None:
    assert client.get("/workspace?a=b").headers["Location"] == "/login?next=/workspace?a%3Db"


def test_a_post_leads_to_the_sign_in_without_coming_back_as_a_get(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    assert client.post("/workspace/tokens").headers["Location"] == "/login"


def test_who_may_not_is_told_so(app: Flask, now: dt.datetime) -> None:
    client = made.browser(app, made.person(now=now), now=now)
    assert client.get("/account").status_code == 200
    assert client.get("/workspace").status_code == 403


@pytest.mark.parametrize("days", [7, 8])
def test_a_sign_in_ends_by_itself(app: Flask, now: dt.datetime, days: int) -> None:
    client = made.browser(app, made.person(now=now), now=now)
    with time_machine.travel(now + dt.timedelta(days=days), tick=False):
        assert client.get("/account").status_code == 302


def test_an_account_that_was_switched_off_is_out_at_once(app: Flask, now: dt.datetime) -> None:
    user = made.person(now=now)
    client = made.browser(app, user, now=now)
    with transaction() as session:
        session.get_one(User, user.id).active = False
    assert client.get("/account").status_code == 302


def test_a_forged_session_is_nobody(app: Flask, client: FlaskClient, now: dt.datetime) -> None:
    made.person(now=now)
    client.set_cookie("pocdir", "eyJzaWduX2luIjoxfQ.aaaa.bbbb")
    assert client.get("/account").status_code == 302


def test_the_principal_says_who_and_for_which_workspace(app: Flask, now: dt.datetime) -> None:
    team_id = made.team(now=now)
    user = made.person(now=now, workspace="lab", role="owner", site_role="steward", team_id=team_id)
    cookie = made.browser(app, user, now=now).get_cookie("pocdir")
    assert cookie is not None
    with app.test_request_context("/", headers={"Cookie": f"pocdir={cookie.value}"}):
        principal = guards.identify(now)
    assert principal.actor == f"user:{user.ref}"
    assert (principal.kind, principal.workspace, principal.role) == ("user", "lab", "owner")
    assert principal.site_roles == {"steward"}
    assert principal.team_id == team_id
    assert set(principal.roles) == {"anonymous", "signed_in", "owner", "team_contact", "steward"}
    assert principal.may("incident.write")
    assert not principal.may("incident.write", "other")


def test_reading_is_limited_for_those_far_away(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guards, "READS", limits.Limit("reads", most=2, seconds=60))
    far = {"REMOTE_ADDR": "2001:db8::7"}
    codes = [client.get("/api/v1/lookup?q=192.0.2.1", environ_base=far).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    assert client.get("/api/v1/lookup?q=192.0.2.1").status_code == 200


def test_writing_is_limited_by_token(
    app: Flask, client: FlaskClient, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits.init_app(app)
    monkeypatch.setattr(guards, "WRITES", limits.Limit("writes", most=2, seconds=60))
    answers = [client.post(INCIDENTS, json={"title": "x"}, headers=bearer(token)) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert answers[-1].get_json()["code"] == "too_many"
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert client.get(INCIDENTS, headers=bearer(token)).status_code == 200


def test_when_a_token_was_used_is_written_by_the_worker(
    client: FlaskClient, token: str, now: dt.datetime
) -> None:
    client.get(INCIDENTS, headers=bearer(token))
    assert made.one(ApiToken).last_used_at is None
    assert jobs.save_token_uses(now) == 1
    assert made.one(ApiToken).last_used_at == now
    assert jobs.save_token_uses(now) == 0


def test_a_use_that_could_not_be_written_is_written_later(
    client: FlaskClient, token: str, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.get(INCIDENTS, headers=bearer(token))
    with monkeypatch.context() as patched:
        patched.setattr(actions, "save_uses", lambda *_args, **_more: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            jobs.save_token_uses(now)
    assert jobs.save_token_uses(now) == 1


def test_a_process_takes_back_nothing_that_another_has_seen_later(
    client: FlaskClient, token: str, now: dt.datetime
) -> None:
    later = now + dt.timedelta(hours=1)
    client.get(INCIDENTS, headers=bearer(token))
    token_id = made.one(ApiToken.id)
    with transaction() as session:
        actions.save_uses(session, uses=[(token_id, later)])
    jobs.save_token_uses(now)
    assert made.one(ApiToken).last_used_at == later


TEAM = {"slug": "cert-xx", "name": "CERT XX", "kind": "national", "country": "AT"}


def test_a_token_for_editing_the_directory_does_exactly_this(
    client: FlaskClient, lab: Workspace, now: dt.datetime
) -> None:
    token = token_of(lab, now, "directory.edit")
    entered = client.post("/api/v1/teams", json=TEAM, headers=bearer(token))
    assert entered.status_code == 201
    etag = client.get("/api/v1/teams/cert-xx").headers["ETag"]
    changed = client.patch(
        "/api/v1/teams/cert-xx",
        json={"website": "https://cert.example"},
        headers=bearer(token) | {"If-Match": etag},
    )
    assert changed.status_code == 200
    events = made.every(LedgerEvent)
    assert {event.actor for event in events} == {f"token:{token.split('_')[1]}"}
    assert len(events) >= 2
    assert refusal(client.get(INCIDENTS, headers=bearer(token))) == (403, "scope_missing")


def test_no_other_token_edits_the_directory(
    client: FlaskClient, lab: Workspace, token: str, now: dt.datetime
) -> None:
    assert refusal(client.post("/api/v1/teams", json=TEAM, headers=bearer(token))) == (403, "forbidden")
    narrow = token_of(lab, now, "incident.read")
    assert refusal(client.post("/api/v1/teams", json=TEAM, headers=bearer(narrow))) == (403, "forbidden")
    marking = token_of(lab, now, "directory.mark")
    assert refusal(client.post("/api/v1/teams", json=TEAM, headers=bearer(marking))) == (403, "scope_missing")


def test_a_stewards_token_ends_with_the_persons_role(
    client: FlaskClient, lab: Workspace, now: dt.datetime
) -> None:
    user = made.person(now=now, workspace="lab", role="owner", site_role="steward", password=False)
    with transaction() as session:
        _, text = actions.create_token(
            session, workspace_id=lab.id, scopes=["directory.edit"], now=now, actor=f"user:{user.ref}"
        )
    assert client.post("/api/v1/teams", json=TEAM, headers=bearer(text)).status_code == 201
    with transaction() as session:
        session.get_one(User, user.id).roles.clear()
    assert refusal(client.post("/api/v1/teams", json=TEAM, headers=bearer(text))) == (403, "forbidden")


def test_a_stewards_token_ends_with_the_persons_account(
    client: FlaskClient, lab: Workspace, now: dt.datetime
) -> None:
    user = made.person(now=now, workspace="lab", role="owner", site_role="steward", password=False)
    with transaction() as session:
        _, text = actions.create_token(
            session, workspace_id=lab.id, scopes=["directory.edit"], now=now, actor=f"user:{user.ref}"
        )
        session.get_one(User, user.id).active = False
    assert refusal(client.post("/api/v1/teams", json=TEAM, headers=bearer(text))) == (403, "forbidden")


def test_who_is_no_steward_gives_no_stewards_scope(app: Flask, lab: Workspace, now: dt.datetime) -> None:
    with transaction() as session, pytest.raises(Forbidden, match="only a steward"):
        actions.create_token(
            session,
            workspace_id=lab.id,
            scopes=["directory.edit"],
            grantable=rules.SCOPES,
            now=now,
            actor="user:x",
        )


def test_guessing_links_from_one_address_is_limited(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits.init_app(app)
    monkeypatch.setattr(guards, "GUESSES", limits.Limit("guesses", most=2, seconds=60))
    far = {"REMOTE_ADDR": "2001:db8::7"}
    codes = [client.get(f"/r/{n}", environ_base=far).status_code for n in range(3)]
    assert codes == [404, 404, 429]
    assert client.get("/r/4", environ_base={"REMOTE_ADDR": "2001:db8:0:1::7"}).status_code == 404
    assert client.get("/r/5").status_code == 404


def test_the_operator_acts_for_the_named_workspace_or_the_only_one(app: Flask, lab: Workspace) -> None:
    assert guards.operator_for(None).workspace_id == lab.id
    assert guards.operator_for("lab").actor == "operator"
    with pytest.raises(NotFound):
        guards.operator_for("rivals")


def test_an_action_that_is_not_in_the_matrix_is_a_mistake_in_the_code() -> None:
    with pytest.raises(LookupError):
        guards.guard("incident.delete_everything")


def test_a_token_is_found_by_its_prefix_alone(app: Flask, token: str) -> None:
    row = queries.token_row(token.split("_")[1])
    assert row is not None
    assert row.digest == rules.token_digest(token)
