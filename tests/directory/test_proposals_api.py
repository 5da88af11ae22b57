"""Proposals by API: a team's token proposes for it alone, and stewards agree by their own."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from flask import Flask

from pocdir.accounts.actions import create_token
from pocdir.accounts.models import User
from pocdir.db import transaction
from pocdir.directory.queries import entries
from tests.accounts.made import person
from tests.conftest import NOW, Api
from tests.directory import made
from tests.directory.proposing import (
    NEW,
    contact,
    proposed,
)


@pytest.fixture
def anna(app: Flask) -> User:
    return person("anna@example.org", now=NOW, site_role="steward")


@pytest.fixture
def ben(app: Flask) -> User:
    return person("ben@example.org", now=NOW, site_role="steward")


@pytest.fixture
def slug(app: Flask) -> str:
    """A national team with one address."""
    made.imported(made.file(made.team_json()))
    return "cert-example"


def token_of(app: Flask, slug: str) -> Api:
    with transaction() as session:
        text = create_token(
            session, workspace_id=None, team_id=entries.team_by_slug(slug).id, now=NOW, actor="operator"
        )[1]
    return Api(app, text)


def token_for(app: Flask, steward: User, *scopes: str) -> Api:
    with transaction() as session:
        lab = directory_lab(session)
        text = create_token(session, workspace_id=lab, scopes=scopes, now=NOW, actor=f"user:{steward.ref}")[1]
    return Api(app, text)


def directory_lab(session: Any) -> int:
    from pocdir.accounts import actions as accounts
    from pocdir.accounts import queries as people

    kept = people.find_workspace(session, "desk")
    return (kept or accounts.create_workspace(session, name="desk", now=NOW, actor="operator")).id


def test_a_team_proposes_by_its_token_and_two_stewards_agree_by_theirs(
    app: Flask, slug: str, anna: User, ben: User
) -> None:
    with time_machine.travel(NOW, tick=False):
        ours = token_of(app, slug)
        body = {"channels": [made.channel(NEW)], "note": "we have moved"}
        told = ours.post(f"/api/v1/teams/{slug}/proposals", body)
        assert told.status_code == 201, told.text
        assert told.json["missing"] == 2 and told.json["by"] == "team"
        where = told.headers["Location"]
        assert ours.get(where).json["changes"] == told.json["changes"]
        assert ours.get("/api/v1/proposals").json["items"][0]["ref"] == told.json["ref"]
        assert ours.post(f"{where}/approvals", {}).status_code == 403
        for steward, missing in ((anna, 1), (ben, 0)):
            one = token_for(app, steward, "proposal.read", "proposal.decide")
            assert one.post(f"{where}/approvals", {}).json["code"] == "revision_needed"
            answer = one.post(f"{where}/approvals", {}, **{"If-Match": '"1"'})
            assert (answer.status_code, answer.json["missing"]) == (200, missing), answer.text
            second = token_for(app, steward, "proposal.decide")
            if missing:
                assert second.post(f"{where}/approvals", {"revision": 1}).json["missing"] == 1, "one person"
        assert ours.get(where).json["state"] == "applied"
        assert token_for(app, anna, "proposal.decide").post(
            f"{where}/refusals", {"reason": "late"}
        ).json["code"] == "proposal_settled"  # fmt: skip


def test_a_team_touches_no_other_team(app: Flask, slug: str, anna: User) -> None:
    other = made.team("cert-other")
    ref = proposed(slug, contact(slug), facts={"website": "https://new.example/"})
    with time_machine.travel(NOW, tick=False):
        theirs = token_of(app, other)
        missing = theirs.post("/api/v1/teams/nobody/proposals", {"website": "https://x.example/"})
        answer = theirs.post(f"/api/v1/teams/{slug}/proposals", {"website": "https://x.example/"})
        assert (answer.status_code, answer.json["code"]) == (404, "team_unknown")
        assert answer.json["detail"] == missing.json["detail"]
        for path, method in (
            (f"/api/v1/proposals/{ref}", "get"),
            (f"/api/v1/proposals/{ref}/withdrawals", "post"),
        ):
            told = getattr(theirs, method)(path)
            assert (told.status_code, told.json["code"]) == (404, "proposal_unknown")
        assert theirs.get("/api/v1/proposals").json["items"] == []
        assert theirs.get(f"/api/v1/teams/{slug}/proposals").status_code == 404
        assert Api(app, None).get("/api/v1/proposals").status_code == 401


def test_an_operators_token_does_not_agree_in_a_stewards_place(app: Flask, slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), facts={"website": "https://new.example/"})
    with time_machine.travel(NOW, tick=False):
        with transaction() as session:
            text = create_token(
                session,
                workspace_id=directory_lab(session),
                scopes=["proposal.decide"],
                now=NOW,
                actor="operator",
            )[1]
        answer = Api(app, text).post(f"/api/v1/proposals/{ref}/approvals", {"revision": 1})
        assert (answer.status_code, answer.json["code"]) == (403, "approval_personal")
