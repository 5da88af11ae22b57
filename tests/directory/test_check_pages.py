"""The page of a letter about a team's own entry: shown, asked twice, recorded once."""

from __future__ import annotations

import datetime as dt
import re
from contextlib import contextmanager

import pytest
import time_machine
from sqlalchemy import select

from pocdir.db import db, transaction
from pocdir.directory.checks import actions, jobs
from pocdir.directory.checks import queries as checks
from pocdir.directory.checks.letters import link_token, post
from pocdir.directory.checks.models import Check
from pocdir.directory.merging.actions import merge
from pocdir.directory.models import Address
from pocdir.directory.office import office
from pocdir.directory.queries import entries
from pocdir.ledger.queries import events_of_team
from pocdir.mail.models import Mail
from tests.accounts import made as people
from tests.directory import made
from tests.directory.checking import asked, send, switched

NOW, DAY = made.NOW, dt.timedelta(days=1)


@pytest.fixture
def link(app):
    """A letter that asks to confirm was sent a day ago."""
    made.imported(made.file(made.team_json(languages=["en"])))
    path = f"/r/entry/{link_token(asked())}"
    with time_machine.travel(NOW + DAY, tick=False):
        yield path


@pytest.fixture
def test_link(app):
    """A reachability test was sent a day ago."""
    made.imported(made.file(made.team_json()))
    path = f"/r/entry/{link_token(asked('ping'))}"
    with time_machine.travel(NOW + DAY, tick=False):
        yield path


def confirmed_at():
    db.session.rollback()
    return entries.entry("cert-example").team.confirmed_at


def revision() -> int:
    return entries.entry("cert-example").team.revision


def test_opening_it_shows_the_entry_and_changes_nothing(client, link):
    page = client.get(link)
    assert page.status_code == 200
    assert "cert@cert.example" in page.text
    assert "Confirm without change" in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert confirmed_at() is None


def test_a_choice_is_asked_once_more(client, link):
    page = client.post(link, data={"action": "confirm"})
    assert page.status_code == 200
    assert f'name="revision" value="{revision()}"' in page.text
    assert confirmed_at() is None


def test_the_second_page_confirms(client, link):
    typed = {"action": "confirm", "confirmed": "yes", "revision": revision()}
    assert "confirmed it today" in client.post(link, data=typed).text
    assert confirmed_at() == NOW + DAY
    assert client.post(link, data=typed).status_code == 200  # once more is the same
    assert [it.type for it in events_of_team("cert-example")].count("contact.confirmed") == 1
    assert "You have answered this letter" in client.get(link).text
    assert "2026-11-23" in client.get("/teams/cert-example").text


def test_an_entry_that_changed_meanwhile_is_shown_again(client, link):
    typed = {"action": "confirm", "confirmed": "yes", "revision": revision() + 1}
    page = client.post(link, data=typed)
    assert page.status_code == 409
    assert "changed since you read it" in page.text
    assert confirmed_at() is None


def test_within_a_minute_of_sending_it_is_a_machine(client, link):
    typed = {"action": "confirm", "confirmed": "yes", "revision": revision()}
    with time_machine.travel(NOW + dt.timedelta(seconds=30), tick=False):
        page = client.post(link, data=typed)
    assert page.status_code == 409
    assert "press again in a minute" in page.text
    assert confirmed_at() is None


def test_a_test_is_answered_with_who_has_it(client, test_link):
    shown = client.get(test_link).text
    assert "A test, and nothing else" in shown
    assert 'value="5"' in client.post(test_link, data={"action": "reached"}).text
    page = client.post(test_link, data={"action": "reached", "confirmed": "yes", "level": "4"})
    assert "reachable today" in page.text
    db.session.rollback()
    assert db.session.scalars(select(Address.reachability)).one() == 4
    assert confirmed_at() is None


def test_a_level_that_is_none_is_refused(client, test_link):
    page = client.post(test_link, data={"action": "reached", "confirmed": "yes", "level": "9"})
    assert page.status_code == 422


def test_a_letter_that_asks_for_a_confirmation_is_not_answered_as_a_test(client, link):
    page = client.post(link, data={"action": "reached", "confirmed": "yes", "level": "5"})
    assert page.status_code == 422
    db.session.rollback()
    assert db.session.scalars(select(Address.reachability)).one() is None


@pytest.mark.parametrize("kind", ["ping", "confirmation"])
def test_a_link_lives_on_when_its_entry_becomes_part_of_another(client, app, kind):
    made.imported(
        made.file(made.team_json(kind="academic"), made.team_json("whole", channels=[], kind="academic"))
    )
    path = f"/r/entry/{link_token(asked(kind))}"
    with time_machine.travel(NOW + DAY, tick=False):
        with transaction() as session:
            merge(
                session, slug="cert-example", into="whole", reason="one", office=office(), now=NOW + DAY,
                actor="operator",
            )  # fmt: skip
        jobs.keep_true(NOW + DAY)
        assert client.get(path).status_code == 200
        said = {"action": "reached", "level": "4"} if kind == "ping" else {"action": "confirm"}
        said["revision"] = str(entries.entry("whole").team.revision)
        assert client.post(path, data=said | {"confirmed": "yes"}).status_code == 200
    db.session.rollback()
    assert db.session.scalars(select(Address.state)).one() == "verified"
    assert (confirmed_at() is None) == (kind == "ping")
    assert not checks.under_way()


def test_a_team_declines_tests_and_takes_it_back(client, test_link):
    client.post(test_link, data={"action": "no_tests", "confirmed": "yes"})
    db.session.rollback()
    assert entries.entry("cert-example").team.profile["opt_outs"] == ["test/test"]
    assert "Test us again" in client.get(test_link).text
    client.post(test_link, data={"action": "tests", "confirmed": "yes"})
    db.session.rollback()
    assert "opt_outs" not in entries.entry("cert-example").team.profile


def test_a_choice_that_is_none_is_refused(client, link):
    assert client.post(link, data={"action": "delete"}).status_code == 422


@pytest.mark.parametrize("path", ["/r/entry/x", "/r/entry/" + "A" * 51])
def test_a_link_that_we_did_not_make_is_unknown(client, path):
    assert client.get(path).status_code == 404
    assert client.post(path, data={"action": "confirm", "confirmed": "yes"}).status_code == 404


def test_a_link_comes_to_its_end(client, link):
    with time_machine.travel(NOW + 181 * DAY, tick=False):
        assert client.get(link).status_code == 410


def test_a_recipients_link_is_no_entry_link(client, link):
    assert client.get(link.replace("/r/entry/", "/r/")).status_code == 404


def test_a_steward_records_what_a_team_said_by_phone(app, client):
    made.imported(made.file(made.team_json()))
    user = people.person("steward@example.org", now=NOW, site_role="steward")
    with time_machine.travel(NOW, tick=False):
        steward = people.browser(app, user, now=NOW)
        token = re.search(r'name="csrf_token" value="([^"]+)"', steward.get("/teams/cert-example").text)[1]
        typed = {
            "kind": "email",
            "value": "cert@cert.example",
            "via": "phone",
            "evidence": "their duty officer",
        }
        done = steward.post("/teams/cert-example/confirm", data=typed | {"csrf_token": token})
        assert done.status_code == 302
        assert client.post("/teams/cert-example/confirm", data=typed).status_code in (302, 422)
    assert confirmed_at() == NOW
    event = events_of_team("cert-example", types=["contact.confirmed"])[0]
    assert (event.claimed_by, event.payload["via"]) == ("steward", "phone")


def test_what_came_of_our_letters_is_for_the_team_and_stewards(app, client, test_link):
    team_id = db.session.scalars(select(Check.team_id)).one()
    steward = people.person("steward@example.org", now=NOW, site_role="steward")
    staff = people.person("staff@cert.example", now=NOW, team_id=team_id)
    for user in (steward, staff):
        page = people.browser(app, user, now=NOW).get("/teams/cert-example").text
        assert "Our letters to the team" in page
    assert "Our letters to the team" not in client.get("/teams/cert-example").text


def test_the_letter_is_in_the_teams_language(app):
    made.imported(made.file(made.team_json(languages=["ar"])))
    with transaction() as session:
        check = actions.ask(session, slug="cert-example", kind="confirmation", post=post(), now=NOW)
        assert check
    send(NOW)
    mail = db.session.scalars(select(Mail)).one()
    assert mail.language == "ar"
    assert "Is all of this right" not in mail.body


def test_a_code_whose_team_answered_of_late_is_counted_on_the_public_page(client, link):
    def counted() -> str:
        page = client.get("/coverage?status=answered").text
        return re.search(r"answered within 180 days</dt><dd><span class=\"figure\">(\d+)", page)[1]

    assert counted() == "0"
    client.post(link, data={"action": "confirm", "confirmed": "yes", "revision": revision()})
    assert counted() == "1"
    with time_machine.travel(NOW + 182 * DAY, tick=False):
        assert counted() == "0"


def test_a_steward_reads_when_the_next_letter_goes_and_asks_one_team_now(app, client):
    made.imported(made.file(made.team_json()))
    with time_machine.travel(NOW, tick=False):
        steward = people.browser(app, people.person(now=NOW, site_role="steward"), now=NOW)
        assert "switched off here" in steward.get("/teams/cert-example").text
        assert "Asking the team" not in client.get("/teams/cert-example").text
        with contextmanager(switched)(app, confirmations=True):
            page = steward.get("/teams/cert-example").text
            assert "The next letter goes" in page
            data = {"csrf_token": re.search(r'name="csrf_token" value="([^"]+)"', page)[1]}
            assert steward.post("/teams/cert-example/ask", data=data).status_code == 302
            assert "being asked" in steward.get("/teams/cert-example").text
            assert steward.post("/teams/cert-example/ask", data=data).status_code == 409
    assert [mail.kind for mail in people.every(Mail)] == ["confirmation"]
