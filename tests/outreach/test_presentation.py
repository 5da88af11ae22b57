"""What is said of a notification: no word of it contradicts another."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts.models import Workspace
from pocdir.db import db
from pocdir.outreach.jobs import record_lapses
from pocdir.web.i18n import spelt, time_ago
from tests.accounts import made as people
from tests.conftest import Api
from tests.latency.made import DAY, HOUR, event, told
from tests.outreach import made


@pytest.fixture(autouse=True)
def _today(app: Flask, now: dt.datetime) -> Iterator[None]:
    with time_machine.travel(now, tick=False):
        made.teams(now - 400 * DAY)
        yield


@pytest.fixture
def browser(app: Flask, lab: Workspace, now: dt.datetime) -> FlaskClient:
    return people.browser(app, people.person(now=now, workspace="lab"), now=now)


def words(client: FlaskClient, path: str) -> str:
    db.session.remove()
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", client.get(path).text)).split())


@pytest.mark.parametrize(
    ("type_", "by", "said"),
    [
        ("ack.given", ("recipient", "A2"), "arrived: the recipient confirmed it"),
        ("ack.given", ("sender", "S"), "arrived, as the answer shows"),
        ("reply.automatic", ("recipient", "S"), "arrived: ticket mail came"),
        ("delivery.delivered", ("remote_mta", "S"), "delivered"),
        ("delivery.failed", ("remote_mta", "S"), "could not be delivered"),
    ],
)
def test_whether_it_arrived_follows_from_all_that_is_known(
    browser: FlaskClient, lab: Workspace, now: dt.datetime, type_: str, by: tuple[str, str], said: str
) -> None:
    ref = told(lab, at=now - DAY)
    assert "Did it arrive arrival not known P0" in words(browser, f"/notifications/{ref}")
    more = {"subclass": "receipt"} if type_ == "reply.automatic" else {}
    event(lab, ref, type_, at=now - DAY + HOUR, by=by, **more)
    assert f"Did it arrive {said} P" in words(browser, f"/notifications/{ref}")


def test_who_answered_is_not_said_to_have_left_all_without_answer(
    browser: FlaskClient, lab: Workspace, now: dt.datetime
) -> None:
    ref = told(lab, at=now - 9 * DAY)
    record_lapses(now)
    assert "no answer recorded here by 2026-11-15 12:00 UTC" in words(browser, f"/notifications/{ref}")
    event(lab, ref, "expectation.set", at=now - 8 * DAY, of="sample", within="P1D")
    event(lab, ref, "ack.given", at=now - 8 * DAY)
    record_lapses(now)
    page = words(browser, f"/notifications/{ref}")
    assert "asked for by 2026-11-15 12:00 UTC , not recorded here" in page
    assert "no answer recorded here by" not in page.split("What happened")[0]


def test_each_time_on_a_page_says_its_zone(browser: FlaskClient, lab: Workspace, now: dt.datetime) -> None:
    ref = told(lab, at=now - 9 * DAY)
    record_lapses(now)
    db.session.remove()
    for path in (f"/notifications/{ref}", "/unanswered", "/responsiveness", "/incidents"):
        page = browser.get(path).text
        for attributes, shown in re.findall(r"<time ([^>]*)>([^<]*)</time>", page):
            moment = re.search(r'datetime="\d{4}-\d\d-\d\dT[\d:]{8}Z"', attributes)
            assert moment is None or "UTC" in shown or "UTC" in attributes
        outside = re.sub(r"<time .*?</time>|<pre.*?</pre>|<svg.*?</svg>", "", page, flags=re.S)
        outside = re.sub(r"<[^>]+>", " ", outside)
        assert not re.search(r"\b\d\d:\d\d\b(?! UTC)", outside)


def test_why_a_subject_says_so_little_stands_beside_it(
    browser: FlaskClient, lab: Workspace, now: dt.datetime
) -> None:
    for tlp, told_why in (("TLP:AMBER", True), ("TLP:RED", True), ("TLP:GREEN", False)):
        page = words(browser, f"/notifications/{told(lab, at=now, subject='Sinkhole', tlp=tlp)}")
        assert ("Label and reference only, on purpose" in page) is told_why


def test_the_record_tells_an_answer_through_the_link_from_any_other(
    app: Flask, api: Api, lab: Workspace, now: dt.datetime
) -> None:
    ref = told(lab, at=now - DAY)
    event(lab, ref, "ack.given", at=now - HOUR, by=("recipient", "A3"))
    db.session.remove()
    page = urlsplit(api.get(f"/api/v1/notifications/{ref}").get_json()["recipient_page"]).path
    app.test_client().post(page, data={"action": "received", "confirmed": "yes"})
    items = api.get(f"/api/v1/notifications/{ref}/events").get_json()["items"]
    given = [each for each in items if each["type"] == "ack.given"]
    assert [(each["assurance"], each["actor"], each["payload"].get("via")) for each in given] == [
        ("A3", "user:a", None),
        ("A2", "recipient", "page"),
    ]


def test_what_was_logged_comes_before_what_was_asked_for_at_the_same_moment(
    browser: FlaskClient, lab: Workspace, now: dt.datetime
) -> None:
    for _ in range(4):  # by their references alone they would come in any order
        page = words(browser, f"/notifications/{told(lab, at=now - DAY)}").partition("What happened")[2]
        assert page.index("Logged as sent") < page.index("Reply asked for")


@pytest.mark.parametrize(
    ("days", "said"), [(0.5, "12 hours ago"), (10, "10 days ago"), (45, "45 days ago"), (70, "2 months ago")]
)
def test_how_long_ago_is_told_in_days_as_durations_are(app: Flask, days: float, said: str) -> None:
    with app.test_request_context("/"):
        assert time_ago(-dt.timedelta(days=days)) == said


@pytest.mark.parametrize(
    ("duration", "said"),
    [
        ("P2D", "2 days"),
        ("PT36H", "1 day, 12 hours"),
        ("PT24H", "1 day"),
        ("PT90M", "1 hour, 30 minutes"),
        ("PT20S", "20 seconds"),
    ],
)
def test_what_is_asked_for_is_told_in_words_that_say_the_same(app: Flask, duration: str, said: str) -> None:
    with app.test_request_context("/"):
        assert spelt(duration) == said
        assert spelt("when you can") == "when you can"


def test_a_large_case_is_shown_in_pages_and_nothing_twice(api: Api, browser: FlaskClient) -> None:
    incident = api.post("/api/v1/incidents", {"title": "Sinkhole hits"}).get_json()["ref"]
    sent = {"team": "cert-at", "incident": incident}
    names = {api.post("/api/v1/notifications", sent).get_json()["ref"] for _ in range(52)}
    pages = [browser.get(f"/incidents/{incident}?told={n}").text for n in (0, 1, 7)]
    found = [
        set(re.findall(r"/notifications/([0-9a-f-]{36})", each.partition("What happened")[0]))
        for each in pages
    ]
    assert (len(found[0]), len(found[1])) == (50, 2)
    assert found[0] | found[1] == names
    assert found[2] == found[1], "beyond the last page is the last one"
    steps = [
        browser.get(f"/incidents/{incident}?happened={n}").text.count("Logged as sent") for n in range(3)
    ]
    assert sum(steps) == 52
