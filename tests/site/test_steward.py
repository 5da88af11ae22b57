"""The steward's desk: what needs a person, the most harmful first, each one click from its place."""

from __future__ import annotations

import datetime as dt

import pytest
import time_machine

from pocdir.db import transaction
from pocdir.directory.actions.marking import mark_address
from pocdir.site.queries.steward import desk
from tests.accounts import made as people
from tests.directory import made
from tests.directory.checking import asked, days
from tests.directory.quarantined import base, poisoned

NOW, DAY = made.NOW, dt.timedelta(days=1)


@pytest.fixture
def steward(app):
    user = people.person("steward@example.org", now=NOW, site_role="steward")
    with time_machine.travel(NOW, tick=False):
        yield people.browser(app, user, now=NOW)


def bounce(value: str = "cert@cert.example") -> None:
    with transaction() as session:
        mark_address(
            session, kind="email", value=value, state="bouncing", evidence="5.1.1", now=NOW, actor="service",
            claimed_by="service",
        )  # fmt: skip


def test_an_empty_desk_says_so(steward):
    page = steward.get("/steward")
    assert page.status_code == 200
    assert "Nothing needs you now" in page.text


def test_a_wrong_national_address_comes_before_a_held_import(steward):
    base()
    poisoned()
    bounce("o@other.example")
    kinds = [it.kind for it in desk(NOW + DAY)]
    assert kinds[0] == "bouncing_national"
    assert "quarantine" in kinds
    page = steward.get("/steward").text
    assert page.index("Mail to a national team bounces") < page.index("An import would change")
    assert 'href="/teams/' in page
    assert 'href="/directory/quarantine/' in page
    assert "what stood before stays in force" in page


def test_each_thing_leads_to_a_page_that_is_there(steward):
    base()
    poisoned()
    bounce("o@other.example")
    for item in desk(NOW + DAY):
        assert steward.get(item.where).status_code == 200


def test_what_applies_by_itself_is_said_with_its_day(app):
    made.imported(made.file(made.team_json()))
    asked()
    days(1, 30)
    user = people.person("steward@example.org", now=NOW, site_role="steward")
    with time_machine.travel(NOW + 30 * DAY, tick=False):
        page = people.browser(app, user, now=NOW + 30 * DAY).get("/steward").text
    assert "A national team has not confirmed its entry" in page
    assert "2027-01-03" in page
    assert "the address counts as unresponsive" in page


def test_it_is_for_stewards_alone(app, client):
    researcher = people.person("anna@example.org", now=NOW, workspace="lab")
    assert client.get("/steward").status_code == 302
    with time_machine.travel(NOW, tick=False):
        assert people.browser(app, researcher, now=NOW).get("/steward").status_code == 403


def test_a_lead_with_reports_waits_and_leaves_when_they_stop(app, api):
    made.imported(made.file(made.team_json("lead", confidence="low")))
    with time_machine.travel(NOW, tick=False):
        said = api.post("/api/v1/notifications", {"team": "lead", "subject": "s", "expect": []})
        assert said.status_code == 201, said.text
    assert [(it.kind, it.slug) for it in desk(NOW + DAY)] == [("lead_with_traffic", "lead")]
    assert desk(NOW + 31 * DAY) == []
