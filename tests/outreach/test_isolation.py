"""What somebody says to have sent moves nothing that another workspace, a team's page or the public sees."""

from __future__ import annotations

import datetime as dt
import random
import re
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.db import transaction
from tests.accounts.made import browser, person
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.policies import work

DAY = dt.timedelta(days=1)
PUBLIC = (
    "/", "/teams", "/teams/cert-at", "/teams/isp", "/coverage", "/rules", "/api/v1/teams", "/api/v1/teams/cert-at",
    "/api/v1/teams/isp/history", "/api/v1/lookup?q=203.0.113.70", "/first/v1/teams", "/ti/teams.json",
    "/directory/dump.json", "/directory/certbund.txt", "/intelmq/lookup?ip=203.0.113.70",
)  # fmt: skip
PAGES = (
    "/unanswered",
    "/incidents",
    "/responsiveness",
    "/responsiveness?by=team",
    "/steps",
    "/teams/isp",
    "/policies",
)
OF_A_WORKSPACE = (
    "notifications", "unanswered", "unanswered?state=undeliverable", "incidents", "latency?by=team",
    "latency/curve", "lookup?q=203.0.113.70", "steps", "workspace/export", "teams/cert-at",
)  # fmt: skip
FACTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ack.given", {}), ("reply.human", {}), ("reply.automatic", {"subclass": "receipt", "ticket": "T-1"}),
    ("delivery.failed", {"status": "5.1.1"}), ("delivery.delivered", {}), ("response.misdirected", {"ask": "them"}),
    ("response.contested", {"note": "no"}), ("outcome.remediation_claimed", {"count": 1}),
    ("outcome.remediation_observed", {"count": 1}), ("outcome.relapsed", {}), ("notification.withdrawn", {}),
)  # fmt: skip


def seen(app: Flask, api: Api, anna: FlaskClient) -> dict[str, bytes]:
    """All that they read, byte for byte but for a form's token."""
    anybody = app.test_client()
    found = {path: anybody.get(path) for path in PUBLIC}
    found |= {f"{path} signed in": anna.get(path) for path in PAGES}
    found |= {path: api.client.get(f"/api/v1/{path}", headers=api.headers) for path in OF_A_WORKSPACE}
    assert {answer.status_code for answer in found.values()} == {200}, {
        p: a.status_code for p, a in found.items()
    }
    return {
        path: re.sub(rb'name="csrf_token" value="[^"]*"', b"", it.get_data()) for path, it in found.items()
    }


@pytest.mark.parametrize(
    ("seed", "workspaces"),
    [(1, 3), *(pytest.param(seed, 12, marks=pytest.mark.long) for seed in range(2, 8))],
)
def test_any_number_of_notifications_on_the_senders_word_is_the_senders_own_affair(
    app: Flask, api: Api, now: dt.datetime, seed: int, workspaces: int
) -> None:
    chance = random.Random(seed)
    with time_machine.travel(now, tick=False):
        made.teams(now - 90 * DAY)
        anna = browser(app, person("anna@lab.example", now=now, workspace="lab"), now=now)
        ours = api.post("/api/v1/notifications", {"team": "isp", "sent_at": (now - 9 * DAY).isoformat()})
        answer = {"type": "ack.given", "occurred_at": (now - 8 * DAY).isoformat()}
        api.post(f"/api/v1/notifications/{ours.json['ref']}/events", answer)
        work(app, now)
        before = seen(app, api, anna)
        for number in range(workspaces):
            with transaction() as session:
                other = create_workspace(session, name=f"other {number}", now=now, actor="operator")
                theirs = Api(app, create_token(session, workspace_id=other.id, now=now, actor="operator")[1])
            incident = theirs.post("/api/v1/incidents", {"title": "Invented"}).json["ref"]
            for _ in range(chance.randrange(3, 9)):
                told = {
                    "team": chance.choice(("isp", "cert-at")), "incident": chance.choice((None, incident)),
                    "sent_at": (now - chance.randrange(1, 80) * DAY).isoformat(), "assets": ["203.0.113.70"],
                }  # fmt: skip
                ref = theirs.post("/api/v1/notifications", told).json["ref"]
                for type_, payload in chance.sample(FACTS, chance.randrange(4)):
                    fact = {"type": type_, "payload": payload}
                    done = theirs.post(f"/api/v1/notifications/{ref}/events", fact)
                    assert done.status_code == (201 if type_ != "outcome.relapsed" else done.status_code)
                assert theirs.get(f"/api/v1/notifications/{ref}").json["sent_level"] == "P0"
        assert work(app, now) > 0
        after = seen(app, api, anna)
    assert {path for path in before if before[path] != after[path]} == set()
