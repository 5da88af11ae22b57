"""People and tokens from the command line."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
import time_machine
from flask import Flask

from pocdir import cli
from pocdir.accounts import rules, sign_in
from pocdir.accounts.models import ApiToken, Membership, TeamContact, User, Workspace
from tests.accounts import made


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Any:
    with time_machine.travel(now, tick=False):
        yield


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[Any], str]:
    """Exit code, the JSON objects of standard output, standard error."""
    code = cli.run([*words, "--json"])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines() if line.startswith("{")], err


def test_a_user_is_made_with_a_workspace_and_a_link(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    code, (made_user,), _ = run(capsys, "user", "create", "Anna@example.org", "--workspace", "My Lab")
    assert code == 0
    assert list(made_user) == ["email", "workspace", "link"]
    assert (made_user["email"], made_user["workspace"]) == ("anna@example.org", "my-lab")
    response = app.test_client().get(made_user["link"])
    assert response.status_code == 200
    assert made.one(Membership).role == "owner"
    assert made.one(User).password is None


def test_a_second_user_of_a_workspace_is_a_researcher(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "user", "create", "anna@example.org", "--workspace", "lab")
    run(capsys, "user", "create", "ben@example.org", "--workspace", "lab")
    assert [member.role for member in made.every(Membership)] == ["owner", "researcher"]
    assert len(made.every(Workspace)) == 1


@pytest.mark.parametrize("role", rules.SITE_ROLES)
def test_a_role_for_the_whole_service_is_given(
    app: Flask, capsys: pytest.CaptureFixture[str], role: str
) -> None:
    code, (made_user,), _ = run(capsys, "user", "create", "anna@example.org", "--role", role)
    assert (code, made_user["workspace"]) == (0, None)
    assert [kept.name for kept in made.one(User).roles] == [role]


def test_a_contact_of_a_team_is_made(
    app: Flask, capsys: pytest.CaptureFixture[str], now: dt.datetime
) -> None:
    team_id = made.team(now=now)
    assert run(capsys, "user", "create", "duty@cert.example", "--team", "cert-at")[0] == 0
    assert made.one(TeamContact).team_id == team_id


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("user", "create", "no address"), 1),
        (("user", "create", "anna@example.org", "--role", "king"), 2),
        (("user", "create", "anna@example.org", "--workspace", "---"), 1),
        (("user", "create", "anna@example.org", "--workspace", ""), 1),
        (("user", "create", "anna@example.org", "--team", "nobody"), 1),
        (("user", "create", "anna@example.org", "--team", ""), 1),
        (("user", "create"), 2),
        (("user", "link", "nobody@example.org"), 1),
        (("token", "create"), 2),
        (("token", "create", "--workspace", "nowhere"), 1),
        (("token", "create", "--workspace", "nowhere", "--scope", "operate.read"), 2),
        (("token", "create", "--team", "nobody"), 1),
        (("token", "list"), 2),
        (("token", "list", "--workspace", "nowhere"), 1),
        (("token", "revoke", "nothing"), 1),
    ],
)
def test_what_is_wrong_is_one_line_and_leaves_nothing(
    app: Flask, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int
) -> None:
    got, shown, err = run(capsys, *words)
    assert (got, shown) == (code, [])
    assert len([line for line in err.splitlines() if line.startswith("pocdir: ")]) == 1
    assert not made.every(User)
    assert not made.every(Workspace)


def test_an_account_is_made_once(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "user", "create", "anna@example.org")
    code, shown, err = run(capsys, "user", "create", "ANNA@example.org", "--workspace", "lab")
    assert (code, shown) == (1, [])
    assert "already" in err
    assert not made.every(Workspace)


def test_a_new_link_is_printed_for_an_account(
    app: Flask, capsys: pytest.CaptureFixture[str], now: dt.datetime
) -> None:
    user = made.person(now=now, workspace="lab")
    code, (shown,), _ = run(capsys, "user", "link", "Anna@Example.org")
    assert code == 0
    assert shown == {"email": user.email, "workspace": "lab", "link": sign_in.welcome_link(user, now)}


def test_a_token_is_made_and_opens_the_api(
    app: Flask, capsys: pytest.CaptureFixture[str], now: dt.datetime
) -> None:
    made.person(now=now, workspace="lab")
    code, (shown,), _ = run(capsys, "token", "create", "--workspace", "lab")
    assert code == 0
    assert list(shown) == ["token", "id", "workspace", "team", "scopes", "expires_at"]
    assert (shown["workspace"], shown["scopes"]) == ("lab", [])
    assert shown["expires_at"] == "2027-11-22T12:00:00Z"
    headers = {"Authorization": f"Bearer {shown['token']}"}
    assert app.test_client().get("/api/v1/incidents", headers=headers).status_code == 200


def test_a_token_of_a_team_needs_no_workspace(
    app: Flask, capsys: pytest.CaptureFixture[str], now: dt.datetime
) -> None:
    made.team(now=now)
    code, (shown,), _ = run(capsys, "token", "create", "--team", "cert-at")
    assert (code, shown["workspace"], shown["team"]) == (0, None, "cert-at")
    headers = {"Authorization": f"Bearer {shown['token']}"}
    client = app.test_client()
    assert client.get("/api/v1/notifications", headers=headers).json == {"items": [], "next": None}
    assert client.get("/api/v1/incidents", headers=headers).status_code == 403
    _, (listed,), _ = run(capsys, "token", "list", "--team", "cert-at")
    assert (listed["id"], listed["workspace"], listed["team"]) == (shown["id"], None, "cert-at")


def test_a_token_gets_the_scopes_that_were_named(
    app: Flask, capsys: pytest.CaptureFixture[str], now: dt.datetime
) -> None:
    made.person(now=now, workspace="lab")
    words = ("--scope", "notification.log", "--scope", "incident.read")
    _, (shown,), _ = run(capsys, "token", "create", "--workspace", "lab", *words)
    assert shown["scopes"] == ["incident.read", "notification.log"]


@pytest.mark.parametrize("name", ["x" * 101, "a\x1b[31m"])
def test_a_token_has_a_name_that_can_be_shown(
    app: Flask, capsys: pytest.CaptureFixture[str], now: dt.datetime, name: str
) -> None:
    made.person(now=now, workspace="lab")
    code, shown, err = run(capsys, "token", "create", "--workspace", "lab", "--name", name)
    assert (code, shown) == (1, [])
    assert "at most 100 printable" in err


def test_a_refusal_is_one_line_of_a_length_that_can_be_read(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "user", "link", "\x1b[31m\n" + "x" * 10_000)
    (line,) = err.splitlines()
    assert code == 1
    assert len(line) < 1100
    assert line.isprintable()


def test_a_token_may_answer_for_a_team_too(
    app: Flask, capsys: pytest.CaptureFixture[str], now: dt.datetime
) -> None:
    made.person(now=now, workspace="lab")
    team_id = made.team(now=now)
    assert run(capsys, "token", "create", "--workspace", "lab", "--team", "cert-at")[0] == 0
    assert made.one(ApiToken).team_id == team_id


def test_tokens_are_listed_without_their_secret_and_revoked(
    app: Flask, capsys: pytest.CaptureFixture[str], now: dt.datetime
) -> None:
    made.person(now=now, workspace="lab")
    _, (first,), _ = run(capsys, "token", "create", "--workspace", "lab", "--name", "sinkhole")
    _, (listed,), _ = run(capsys, "token", "list", "--workspace", "lab")
    assert (listed["id"], listed["name"], listed["revoked_at"]) == (first["id"], "sinkhole", None)
    assert first["token"] not in json.dumps(listed)
    code, (revoked,), _ = run(capsys, "token", "revoke", first["id"])
    assert code == 0
    assert list(revoked) == list(listed)
    assert revoked["revoked_at"] == "2026-11-22T12:00:00Z"
    headers = {"Authorization": f"Bearer {first['token']}"}
    assert app.test_client().get("/api/v1/incidents", headers=headers).status_code == 401


def test_people_read_a_sentence(app: Flask, capsys: pytest.CaptureFixture[str], now: dt.datetime) -> None:
    assert cli.run(["user", "create", "anna@example.org", "--workspace", "lab"]) == 0
    assert "Works once, for seven days" in capsys.readouterr().out
    assert cli.run(["token", "create", "--workspace", "lab"]) == 0
    assert "Shown once." in capsys.readouterr().out
    assert cli.run(["token", "list", "--workspace", "lab"]) == 0
    names, row = capsys.readouterr().out.splitlines()
    assert names.split("\t") == ["id", "prefix", "name", "expires_at", "last_used_at", "revoked_at"]
    assert row.count("\t") == 5


@pytest.mark.parametrize(
    "command", ["user create", "user link", "token create", "token list", "token revoke"]
)
def test_every_command_shows_an_example(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert cli.run([*command.split(), "--help"]) == 0
    assert "Example" in capsys.readouterr().out
