"""Who answers for a code that a confirmed team answers for: no steward enters another one, or takes it away, alone."""

from __future__ import annotations

import re

import pytest
import time_machine

from pocdir.accounts.actions import create_token
from pocdir.db import db, transaction
from pocdir.directory.proposals.models import Proposal
from pocdir.directory.queries import entries
from pocdir.mail.models import Mail
from tests.accounts import made as people
from tests.conftest import Api
from tests.directory import made
from tests.directory.quarantined import mark
from tests.directory.test_pages import send

NOW = made.NOW
SECOND = {
    "name": "Second CSIRT", "kind": "national", "country": "AT", "evidence": "a call",
    "channels.0.value": "desk@second.example", "responsibilities.0.key": "country",
    "responsibilities.0.value": "AT", "responsibilities.0.role": "national",
}  # fmt: skip


@pytest.fixture
def stewards(app, monkeypatch):
    """Three of them, and a national team that has confirmed its address."""
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    made.imported(made.file(made.team_json()))
    mark()
    with time_machine.travel(NOW, tick=False):
        yield [people.person(f"{name}@example.org", now=NOW, site_role="steward") for name in "abc"]


def answers(slug):
    db.session.rollback()
    return [row.value for row in entries.entry(slug).responsibilities]


def agree(app, person, path, revision="1"):
    assert (
        people.browser(app, person, now=NOW).post(f"{path}/approve", data={"revision": revision}).status_code
        == 302
    )


def test_a_second_team_is_entered_at_once_and_its_code_waits_for_two_more_stewards(app, stewards):
    anna, ben, carl = stewards
    path = send(people.browser(app, anna, now=NOW), "/teams/new", **SECOND).headers["Location"]
    assert re.fullmatch(r"/proposals/[0-9a-f-]{36}", path)
    assert entries.entry("second-csirt").channels[0].value == "desk@second.example"
    told = {mail.to: mail for mail in people.every(Mail)}
    assert sorted(told) == ["cert@cert.example", "desk@second.example"]
    first = told["cert@cert.example"]
    assert "Another team is to answer for AT" in first.subject
    assert "Second CSIRT is to answer for AT beside your team:" in first.body
    agree(app, ben, path)
    assert answers("second-csirt") == []
    agree(app, carl, path)
    assert answers("second-csirt") == ["AT"]


def test_the_team_beside_which_it_comes_calls_it_off(app, stewards, client):
    send(people.browser(app, stewards[0], now=NOW), "/teams/new", **SECOND)
    first = next(mail for mail in people.every(Mail) if mail.to == "cert@cert.example")
    link = re.search(r"/proposed/[\w-]+", first.body)[0]
    client.post(link, data={"confirmed": "yes"})
    db.session.rollback()
    assert people.one(Proposal).state == "cancelled"


def test_by_form_and_by_token_nobody_alone_gives_a_code_away_or_takes_it(app, lab, stewards):
    second = made.team_json(
        "second", name="Second CSIRT", channels=[made.channel("desk@second.example")], responsibilities=[]
    )
    with transaction() as session:
        mine = {"workspace_id": lab.id, "scopes": ["directory.edit"], "actor": f"user:{stewards[0].ref}"}
        _, text = create_token(session, **mine, now=NOW)
    api = Api(app, text)
    whole = second | {"responsibilities": [made.responsibility()]}
    refused = api.post("/api/v1/teams", whole)
    assert (refused.status_code, refused.json["code"]) == (409, "approval_needed")
    assert api.post("/api/v1/teams", second).status_code == 201
    for slug, rows in (("second", [made.responsibility()]), ("cert-example", [])):
        match = {"If-Match": api.get(f"/api/v1/teams/{slug}").headers["ETag"]}
        refused = api.patch(f"/api/v1/teams/{slug}", {"responsibilities": rows}, **match)
        assert (refused.status_code, refused.json["code"]) == (409, "approval_needed"), slug
    taken = send(
        people.browser(app, stewards[0], now=NOW), "/teams/cert-example/edit", evidence="a call",
        **{"responsibilities.0.remove": "true"},
    )  # fmt: skip
    assert taken.headers["Location"].startswith("/proposals/")
    assert (answers("cert-example"), answers("second")) == (["AT"], [])


def test_where_nobody_has_confirmed_one_steward_enters_as_many_as_there_are(app, stewards):
    path = send(
        people.browser(app, stewards[0], now=NOW), "/teams/new", **SECOND | {"responsibilities.0.value": "LI"}
    )
    assert path.headers["Location"] == "/teams/second-csirt"
    assert answers("second-csirt") == ["LI"]
