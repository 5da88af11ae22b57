"""What a notification of each kind asks for by itself, what it may follow, and in which language it is written."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
import time_machine
from flask import Flask

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.ledger.queries import event_count
from pocdir.ledger.rules.vocabulary import NOTIFICATION_KINDS
from pocdir.outreach.rules.expectations import ASKED_BY_KIND
from tests.conftest import Api
from tests.outreach import made

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _world(app: Flask, now: dt.datetime) -> Any:
    with time_machine.travel(now, tick=False) as clock:
        made.teams(now)
        yield clock


def posted(api: Api, **more: Any) -> Any:
    return api.post("/api/v1/notifications", {"team": "cert-at", **more})


def logged(api: Api, **more: Any) -> dict[str, Any]:
    response = posted(api, **more)
    assert response.status_code == 201, response.text
    return dict(response.get_json())


def test_each_kind_asks_for_its_own_when_nothing_else_is_said(api: Api, now: dt.datetime) -> None:
    expected = {
        "report": ("acknowledgement", 2 * DAY), "follow_up": ("answer", 2 * DAY), "sample_request": ("sample", DAY),
        "referral": ("acknowledgement", 2 * DAY), "ping": ("acknowledgement", 2 * DAY),
    }  # fmt: skip
    assert set(ASKED_BY_KIND) == set(expected) == set(NOTIFICATION_KINDS)
    for kind, (of, within) in expected.items():
        asked = [(it["of"], it["due_at"]) for it in logged(api, kind=kind)["expect"]]
        assert asked == [(of, isoformat(now + within))]
        assert logged(api, kind=kind, answer_asked=False)["expect"] == []
        chosen = logged(api, kind=kind, expect=[{"of": "remediation", "within": "P9D"}])
        assert [it["of"] for it in chosen["expect"]] == ["remediation"]


def test_a_follow_up_follows_the_workspaces_own_word_to_the_same_team(
    api: Api, app: Flask, now: dt.datetime
) -> None:
    first = logged(api)["ref"]
    elsewhere = logged(api, team="isp")["ref"]
    with transaction() as session:
        other = create_workspace(session, name="other", now=now, actor="operator")
        token = create_token(session, workspace_id=other.id, now=now, actor="operator")[1]
    foreign = logged(Api(app, token))["ref"]
    assert logged(api, kind="follow_up", parent=first)["parent"] == first
    assert logged(api, kind="referral", team="isp", parent=first)["parent"] == first
    db.session.rollback()
    before = event_count()
    unknown = "0192f0c1-7c3a-7d8e-9f01-23456789abcd"
    for kind, parent in (
        ("follow_up", elsewhere), ("follow_up", foreign), ("referral", foreign), ("follow_up", unknown)
    ):  # fmt: skip
        refused = posted(api, kind=kind, parent=parent)
        assert (refused.status_code, refused.get_json()["code"]) == (422, "parent_invalid")
        assert list(refused.get_json()["errors"]) == ["parent"]
    db.session.rollback()
    assert event_count() == before
