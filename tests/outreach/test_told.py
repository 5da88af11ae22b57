"""What was told to a team, read and answered by the people who answer for it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts.queries import team_id_of
from pocdir.db import db, transaction
from pocdir.ledger import queries as ledger
from tests.accounts import made as people
from tests.outreach import made
from tests.outreach.browsing import logged, send


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Iterator[Any]:
    with time_machine.travel(now, tick=False) as moved:
        made.teams(now)
        yield moved


@pytest.fixture
def browser(app: Flask, now: dt.datetime) -> FlaskClient:
    """A researcher of the lab, signed in."""
    return people.browser(app, people.person(now=now, workspace="lab"), now=now)


def contact_of(app: Flask, slug: str, now: dt.datetime, **more: Any) -> FlaskClient:
    with transaction() as session:
        team = team_id_of(session, slug)
    return people.browser(app, people.person(f"desk@{slug}.example", now=now, team_id=team, **more), now=now)


@pytest.fixture
def desk(app: Flask, now: dt.datetime) -> FlaskClient:
    """Somebody who answers for CERT.at, signed in, in no workspace."""
    return contact_of(app, "cert-at", now)


def told(path: str) -> str:
    return path.replace("/notifications/", "/told/")


def events(path: str) -> list[Any]:
    """What the team has said, in the order it was recorded."""
    db.session.rollback()
    found = ledger.events_of_notification(path.rsplit("/", 1)[1])
    return sorted((it for it in found if it.claimed_by == "recipient"), key=lambda it: it.recorded_at)


def links(page: str) -> set[str]:
    return {each for each in re.findall(r'(?:href|action)="(/[^"#]*)"', page) if "/static/" not in each}


def test_the_list_holds_what_was_told_to_the_team_and_nothing_else(
    browser: FlaskClient, desk: FlaskClient
) -> None:
    path = logged(browser, subject="Sinkhole hits", assets="203.0.113.70:8080")
    foreign = logged(browser, team="isp", subject="Not theirs")
    page = desk.get("/told").text
    assert "Sinkhole hits" in page
    assert told(path) in page
    assert "lab" in page
    assert "No answer of yours yet (1)" in page
    assert "Not theirs" not in page
    assert desk.get(told(foreign)).status_code == 404
    assert send(desk, told(foreign), form_at=told(path), action="received").status_code == 404
    later = logged(browser, kind="follow_up", parent=path.rsplit("/", 1)[1])
    follow_up = desk.get(told(later)).text
    assert "It follows" in follow_up and f'href="{told(path)}"' in follow_up
    empty = desk.get("/told?state=answered").text
    assert "everything as CSV" in empty and ">CSV<" not in empty


def test_an_answer_is_asked_once_more_and_recorded_as_the_word_of_a_contact(
    browser: FlaskClient, desk: FlaskClient
) -> None:
    path = logged(browser, subject="Sinkhole hits")
    asked = send(desk, told(path), action="received")
    assert "lab will see that a person has it" in asked.text
    assert events(path) == []
    typed = {"action": "received", "confirmed": "yes", "ticket": "T-77"}
    for _ in range(2):  # pressed twice is said once
        assert send(desk, told(path), **typed).location == told(path)
    (said,) = events(path)
    assert (said.type, said.claimed_by, said.assurance) == ("ack.given", "recipient", "A5")
    assert said.actor.startswith("user:")
    assert "may_be_automatic" not in said.payload
    page = desk.get(told(path)).text
    assert "What your team has said" in page
    assert "T-77" in page
    assert "Answered (1)" in desk.get("/told").text
    assert "Sinkhole hits" in desk.get("/told?state=answered").text
    assert "Sinkhole hits" not in desk.get("/told").text


def test_what_was_said_is_taken_back_and_may_be_said_again(
    browser: FlaskClient, desk: FlaskClient, clock: Any, now: dt.datetime
) -> None:
    path = logged(browser)
    typed = {"action": "received", "confirmed": "yes"}
    send(desk, told(path), **typed)
    clock.move_to(now + dt.timedelta(minutes=1))
    (take_back,) = (each for each in links(desk.get(told(path)).text) if each.endswith("/correct"))
    assert told(path) in links(desk.get(take_back).text)
    assert send(desk, take_back, why="the wrong report").status_code == 302
    assert "What your team has said" not in desk.get(told(path)).text
    clock.move_to(now + dt.timedelta(minutes=2))
    send(desk, told(path), **typed)
    assert [it.type for it in events(path)] == ["ack.given", "event.corrected", "ack.given"]


def test_a_number_that_is_none_is_asked_for_again(browser: FlaskClient, desk: FlaskClient) -> None:
    path = logged(browser)
    refused = send(desk, told(path), action="passed_on", confirmed="yes", count="many")
    assert refused.status_code == 422
    assert "A whole number is needed" in refused.text
    assert send(desk, told(path), action="nonsense").status_code == 422


def test_no_link_or_button_of_a_contacts_pages_is_refused(browser: FlaskClient, desk: FlaskClient) -> None:
    incident = send(browser, "/incidents/new", title="Sender's own title", tlp="TLP:AMBER").location
    path = logged(browser, incident=incident.rsplit("/", 1)[1])
    assert desk.get(path).location == told(path)
    assert desk.get("/unanswered").location == "/told"
    send(desk, told(path), action="received", confirmed="yes")
    seen = ["/", "/account", "/told", "/told?state=answered", told(path), "/teams/cert-at"]
    for page in seen:
        text = desk.get(page).text
        assert "Sender's own title" not in text and "Sender&#39;s own title" not in text
        for link in sorted(links(text)):
            if not link.startswith(("/logout", "/lookup")):
                assert desk.get(link.replace("&amp;", "&")).status_code in (200, 301, 302, 405), (page, link)


def test_the_own_team_stands_in_the_menu_and_on_the_account(desk: FlaskClient) -> None:
    for page in ("/", "/account", "/told"):
        assert {"/told", "/teams/cert-at"} <= links(desk.get(page).text)
    assert "You answer for" in desk.get("/account").text
    home = links(desk.get("/").text)
    assert not {"/incidents/new", "/notify/spreadsheet", "/unanswered"} & home


def test_home_says_what_waits_for_the_teams_word(browser: FlaskClient, desk: FlaskClient) -> None:
    assert "without a word of yours" not in desk.get("/").text
    logged(browser)
    assert "without a word of yours" in desk.get("/").text


def test_a_contact_does_not_read_what_the_sender_noted(browser: FlaskClient, desk: FlaskClient) -> None:
    path = logged(browser)
    noted = {"type": "ack.given", "payload.note": "told by Eve"}
    assert send(browser, f"{path}/facts", form_at=path, **noted).status_code == 302
    assert "told by Eve" in browser.get(path).text
    page = desk.get(told(path)).text
    assert "told by Eve" not in page
    assert "/correct" not in page


def test_the_sender_is_led_to_the_senders_page_and_answers_nothing_for_the_team(
    app: Flask, now: dt.datetime
) -> None:
    both = contact_of(app, "cert-at", now, workspace="lab")
    path = logged(both)
    assert both.get(told(path)).location == path
    refused = send(both, told(path), form_at="/account", action="received", confirmed="yes")
    assert refused.status_code == 403
    assert events(path) == []


def test_what_the_sender_took_back_asks_for_nothing(browser: FlaskClient, desk: FlaskClient) -> None:
    path = logged(browser, subject="By mistake")
    send(browser, f"{path}/withdraw", reason="mistake")
    page = desk.get(told(path)).text
    assert "The sender has taken this report back" in page
    assert 'name="action"' not in page
    assert "By mistake" in desk.get("/told?state=withdrawn").text
    gone = send(desk, told(path), form_at="/account", action="received", confirmed="yes")
    assert gone.status_code == 410


def test_who_answers_for_no_team_is_told_how_to(browser: FlaskClient) -> None:
    assert "You answer for no team here" in browser.get("/told").text


def test_a_long_list_comes_in_pages(browser: FlaskClient, desk: FlaskClient) -> None:
    for number in range(51):
        logged(browser, subject=f"Report {number:02}")
    first, second = desk.get("/told").text, desk.get("/told?page=1").text
    assert "Report 50" in first and "Report 00" not in first
    assert "Report 00" in second
    assert desk.get("/told?page=99999999999").status_code == 200
