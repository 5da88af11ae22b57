"""Every route against the one authorization matrix: who may, who may not, and what outsiders are told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from pocdir.accounts import actions, guards, queries, rules
from pocdir.core.refs import new_ref
from pocdir.db import changes, transaction
from pocdir.web import limits
from pocdir.web.errors import MACHINE_PATHS
from tests.accounts import made
from tests.outreach.made import teams

REFUSALS = {"unauthenticated", "forbidden", "scope_missing"}
Ask = Callable[[str, str], TestResponse]


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    limits.init_app(app)
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    with time_machine.travel(now, tick=False):
        yield


def routes(app: Flask) -> list[tuple[Rule, str, str]]:
    """(rule, method, action) of every view that a guard stands on."""
    return [
        (rule, method, app.view_functions[rule.endpoint].guarded_action)  # type: ignore[attr-defined]
        for rule in app.url_map.iter_rules()
        if rule.endpoint not in rules.UNGUARDED
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


def path(app: Flask, rule: Rule, value: str) -> str:
    values = dict.fromkeys(rule.arguments, 1 if "int:" in rule.rule else value)
    with app.test_request_context():
        built = app.url_map.bind("localhost").build(rule.endpoint, values)
    return built.removeprefix("http://localhost")


def by_machine(rule: Rule) -> bool:
    return rule.rule.startswith(MACHINE_PATHS)


def test_every_route_is_in_the_matrix(app: Flask) -> None:
    unlisted = []
    for rule in app.url_map.iter_rules():
        action = getattr(app.view_functions[rule.endpoint], "guarded_action", None)
        if action not in rules.MATRIX and rule.endpoint not in rules.UNGUARDED:
            unlisted.append(f"{rule.rule} ({rule.endpoint}): {action}")
    assert not unlisted


def test_reading_writes_nothing(app: Flask, now: dt.datetime) -> None:
    anna = made.person(now=now, workspace="lab", role="owner", site_role="steward", password=False)
    browser = made.browser(app, anna, now=now)
    with transaction() as session:
        lab = queries.workspace_by_slug(session, "lab")
        _, text = actions.create_token(session, workspace_id=lab.id, now=now, actor="operator")
    before = changes()
    for rule, method, action in routes(app):
        if method == "GET" and action not in guards.BY_LINK:  # whose openings are counted against guessing
            headers = {"Authorization": f"Bearer {text}"} if by_machine(rule) else {}
            browser.get(path(app, rule, new_ref(now)), headers=headers)
            assert changes() == before, rule.rule


def browser_of(app: Flask, role: str, now: dt.datetime) -> tuple[FlaskClient, tuple[str, ...]]:
    """A browser of somebody who has this role and no other."""
    if role == "anonymous":
        return app.test_client(), ("anonymous",)
    team_id = made.team(now=now) if role == "team_contact" else None
    in_workspace = role in rules.WORKSPACE_ROLES
    user = made.person(
        f"{role.replace('_', '-')}@example.org",
        now=now,
        workspace="lab" if in_workspace else None,
        role=role if in_workspace else "researcher",
        site_role=role if role in rules.SITE_ROLES else None,
        team_id=team_id,
        password=False,
    )
    return made.browser(app, user, now=now), tuple({"anonymous", "signed_in", role})


@pytest.mark.parametrize("role", rules.ROLES)
def test_every_page_answers_every_role_as_the_matrix_says(app: Flask, now: dt.datetime, role: str) -> None:
    client, roles = browser_of(app, role, now)
    ref = new_ref(now)
    for rule, method, action in routes(app):
        if by_machine(rule) or rule.endpoint == "accounts.logout":
            continue
        response = client.open(path(app, rule, ref), method=method)
        told = f"{role}: {method} {rule.rule} -> {response.status}"
        if rules.may_at_all(roles, action):
            assert response.status_code not in (401, 403), told
            assert not response.headers.get("Location", "").startswith("/login"), told
            assert response.status_code < 500, told
        elif role == "anonymous":
            assert (response.status_code, response.headers["Location"][:6]) == (302, "/login"), told
        else:
            assert response.status_code == 403, told


def token_of(now: dt.datetime, *, workspace: bool, team: bool, scopes: tuple[str, ...] = ()) -> str:
    with transaction() as session:
        kept = actions.create_workspace(session, name="lab", now=now, actor="operator") if workspace else None
    team_id = made.team(now=now) if team else None
    with transaction() as session:
        return actions.create_token(
            session,
            workspace_id=kept.id if kept else None,
            team_id=team_id,
            scopes=scopes,
            now=now,
            actor="operator",
        )[1]


STEWARDS = ("directory.edit",)
KINDS = {
    "no token": (False, False, None),
    "of a workspace": (True, False, ()),
    "of a team": (False, True, ()),
    "of both": (True, True, ()),
    "for one scope": (True, True, ("latency.read",)),
    "for a steward's scope": (True, False, STEWARDS),
    "for the operator's scope": (True, False, ("person.erase",)),
    "for a steward's and another": (True, True, (*STEWARDS, "incident.read")),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_address_for_machines_answers_every_token_as_the_matrix_says(
    app: Flask, now: dt.datetime, kind: str
) -> None:
    workspace, team, scopes = KINDS[kind]
    roles = {"anonymous"} | ({"owner"} if workspace else set()) | ({"team_contact"} if team else set())
    roles |= {"steward"} if set(scopes or ()) & set(rules.STEWARD_SCOPES) else set()
    roles |= {"admin"} if set(scopes or ()) & set(rules.OPERATOR_SCOPES) else set()
    headers = {}
    if scopes is not None:
        token = token_of(now, workspace=workspace, team=team, scopes=scopes)
        headers = {"Authorization": f"Bearer {token}"}
    client, ref = app.test_client(), new_ref(now)
    for rule, method, action in routes(app):
        if not by_machine(rule):
            continue
        response = client.open(path(app, rule, ref), method=method, headers=headers)
        told = f"{kind}: {method} {rule.rule} -> {response.status} {response.text[:200]}"
        code = (response.get_json(silent=True) or {}).get("code") if response.status_code >= 400 else None
        if not rules.may_at_all(roles, action):
            assert code == ("unauthenticated" if scopes is None else "forbidden"), told
        elif scopes and action not in scopes and not rules.may_at_all(["anonymous"], action):
            assert code == "scope_missing", told
        else:
            assert code not in REFUSALS, told
            assert response.status_code < 500, told


@pytest.fixture
def foreign(app: Flask, now: dt.datetime) -> dict[str, str]:
    """Rows of the workspace `rivals`, by what they are: references that exist and are not ours."""
    teams(now)
    ben = made.person("ben@example.org", now=now, workspace="rivals", role="owner", password=False)
    made.browser(app, ben, now=now)
    with transaction() as session:
        rivals = queries.workspace_by_slug(session, "rivals")
        token, text = actions.create_token(session, workspace_id=rivals.id, now=now, actor="operator")
        token_ref = token.ref
        invitation = actions.invite(
            session,
            workspace_id=rivals.id,
            email="cy@example.org",
            role="researcher",
            now=now,
            actor="operator",
        )
        invitation_ref = invitation.ref
    client, headers = app.test_client(), {"Authorization": f"Bearer {text}"}
    incident = client.post("/api/v1/incidents", json={"title": "theirs"}, headers=headers).get_json()
    asked = {"team": "cert-at", "incident": incident["ref"]}
    notification = client.post("/api/v1/notifications", json=asked, headers=headers).get_json()
    return {
        "incident": incident["ref"],
        "notification": notification["ref"],
        "token": token_ref,
        "invitation": invitation_ref,
        "member": ben.ref,
    }


def test_what_belongs_to_others_answers_like_what_does_not_exist(
    app: Flask, now: dt.datetime, foreign: dict[str, str]
) -> None:
    anna = made.person(now=now, workspace="lab", role="owner", password=False)
    browser = made.browser(app, anna, now=now)
    with transaction() as session:
        lab = queries.workspace_by_slug(session, "lab")
        _, text = actions.create_token(session, workspace_id=lab.id, now=now, actor="operator")
    missing = new_ref(now)
    for rule, method, action in routes(app):
        if not rule.arguments or rules.may_at_all(["anonymous"], action):
            continue
        headers = {"Authorization": f"Bearer {text}"} if by_machine(rule) else {}
        for what, ref in foreign.items():
            theirs, none = (
                browser.open(path(app, rule, one), method=method, headers=headers) for one in (ref, missing)
            )
            told = f"{method} {rule.rule} with {what}: {theirs.status}"
            assert theirs.status_code == none.status_code, told
            assert theirs.status_code >= 400, told
            assert theirs.text.replace(ref, missing) == none.text, told
