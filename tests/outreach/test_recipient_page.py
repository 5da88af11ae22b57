"""The recipient's page: it changes nothing until it is confirmed, and what was said there can be taken back."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pocdir.outreach.jobs import record_lapses
from tests.outreach.browsing import event_count, link, logged, send

DAY = dt.timedelta(days=1)


pytestmark = pytest.mark.usefixtures("teams")


def test_the_recipients_page_changes_nothing_until_it_is_confirmed(
    app: Flask, browser: FlaskClient, clock: Any, now: dt.datetime
) -> None:
    path = logged(browser, subject="Sinkhole hits")
    page = link(browser, path)
    clock.move_to(now + dt.timedelta(hours=1))
    before = event_count()
    recipient = app.test_client()
    shown = recipient.get(page)
    assert shown.status_code == 200
    assert shown.headers["Referrer-Policy"] == "no-referrer"
    assert shown.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in shown.headers
    for method in (recipient.head, recipient.options):
        method(page)
    asked = recipient.post(page, data={"action": "received"})
    assert "Yes, record this" in asked.text
    assert event_count() == before
    done = recipient.post(page, data={"action": "received", "confirmed": "yes", "ticket": "#1234"})
    assert done.status_code == 200, done.text
    again = recipient.post(page, data={"action": "received", "confirmed": "yes", "ticket": "#1234"})
    assert again.status_code == 200
    assert event_count() == before + 1
    researcher = browser.get(path).text
    assert "#1234" in researcher
    assert "may be automatic" not in researcher


def test_words_forced_to_run_the_other_way_are_refused_and_those_of_an_arabic_keyboard_are_not(
    app: Flask, browser: FlaskClient
) -> None:
    page, recipient = link(browser, logged(browser)), app.test_client()
    before, asked = event_count(), {"action": "need", "confirmed": "yes"}
    for typed in ({"note": "a\u202egpj.exe"}, {"action": "not_ours", "ask": "\u202dx"}):
        refused = recipient.post(page, data=asked | typed)
        assert refused.status_code == 422
        assert "Control characters are not allowed" in refused.text, refused.text[
            refused.text.index("<main") :
        ]
    assert event_count() == before
    assert recipient.post(page, data=asked | {"note": "\u200fأي جهاز؟\u200e"}).status_code == 200
    assert event_count() == before + 1


def test_an_answer_within_a_minute_may_be_automatic(app: Flask, browser: FlaskClient) -> None:
    path = logged(browser)
    app.test_client().post(link(browser, path), data={"action": "received", "confirmed": "yes"})
    assert "may be automatic" in browser.get(path).text


def test_the_recipient_takes_it_back_within_a_day(
    app: Flask, browser: FlaskClient, clock: Any, now: dt.datetime
) -> None:
    path = logged(browser)
    page = link(browser, path)
    recipient = app.test_client()
    clock.move_to(now + dt.timedelta(hours=1))
    done = recipient.post(page, data={"action": "received", "confirmed": "yes"})
    event = re.search(r'name="event" value="([^"]+)"', done.text)
    assert event
    clock.move_to(now + dt.timedelta(hours=2))
    asked = recipient.post(page, data={"action": "undo", "event": event[1]}).text
    assert "Yes, take it back" in asked
    assert "Yes, record this" not in asked
    undone = recipient.post(page, data={"action": "undo", "event": event[1], "confirmed": "yes"})
    assert undone.status_code == 200, undone.text
    assert "<q>" not in undone.text
    record = browser.get(path).text
    assert "taken back through the link" in record
    assert "<q><bdi>undone" not in record
    assert record_lapses(now + 3 * DAY) == 1
    clock.move_to(now + 3 * DAY)
    once_more = recipient.post(page, data={"action": "received", "confirmed": "yes"})
    assert once_more.status_code == 200
    second = re.search(r'name="event" value="([^"]+)"', once_more.text)
    assert second and second[1] != event[1]
    clock.move_to(now + 5 * DAY)
    late = recipient.post(page, data={"action": "undo", "event": second[1], "confirmed": "yes"})
    assert late.status_code == 409


@pytest.mark.parametrize("wrong", ["x", "AAAA", "A" * 52, "%00", "a" * 5000])
def test_a_forged_link_is_not_one_of_ours(app: Flask, wrong: str) -> None:
    client = app.test_client()
    assert client.get(f"/r/{wrong}").status_code == 404
    assert client.post(f"/r/{wrong}", data={"action": "received", "confirmed": "yes"}).status_code == 404


def test_a_link_dies_with_its_time_and_when_the_report_is_taken_back(
    app: Flask, browser: FlaskClient, clock: Any, now: dt.datetime
) -> None:
    path = logged(browser)
    page = link(browser, path)
    assert send(browser, path + "/withdraw", reason="mistake").status_code == 302
    assert app.test_client().get(page).status_code == 410
    second = link(browser, logged(browser))
    clock.move_to(now + 181 * DAY)
    assert app.test_client().get(second).status_code == 410


@pytest.mark.parametrize("choice", ["passed_on", "not_ours", "need", "done", "answered", "contest"])
def test_every_answer_can_be_given(app: Flask, browser: FlaskClient, choice: str) -> None:
    path = logged(browser)
    page = link(browser, path)
    typed = {"action": choice, "confirmed": "yes", "note": "words", "count": "3"}
    assert app.test_client().post(page, data=typed).status_code == 200
    assert app.test_client().post(page, data={"action": "nonsense"}).status_code == 422
    assert app.test_client().post(page, data=typed | {"note": "a\x00b"}).status_code == 422
    assert "words" in app.test_client().get(page).text


@pytest.mark.parametrize(
    ("choice", "language", "words"),
    [("contest", "ar", "اذكروا ما تعترضون عليه ولماذا"), ("need", "en", "Say what is missing.")],
)
def test_a_question_or_contest_without_words_is_asked_for_them(
    app: Flask, browser: FlaskClient, choice: str, language: str, words: str
) -> None:
    page = link(browser, logged(browser))
    before = event_count()
    recipient = app.test_client()
    assert re.search(r"<textarea[^>]* required>", recipient.post(page, data={"action": choice}).text)
    typed = {"action": choice, "confirmed": "yes", "note": "  "}
    refused = recipient.post(f"{page}?lang={language}", data=typed)
    assert refused.status_code == 422
    assert words in refused.text
    assert event_count() == before


def test_once_answered_the_page_asks_for_nothing_more(app: Flask, browser: FlaskClient) -> None:
    page = link(browser, logged(browser))
    recipient = app.test_client()
    assert "reply asked by the sender for" in recipient.get(page).text
    recipient.post(page, data={"action": "received", "confirmed": "yes"})
    after = recipient.get(page).text
    assert "Acknowledgement: answered" in after
    assert "reply asked by the sender for" not in after


def test_a_second_question_is_not_the_first_one_repeated(app: Flask, browser: FlaskClient) -> None:
    page = link(browser, logged(browser))
    before = event_count()
    for note in ("which port?", "which day?", "which day?"):
        app.test_client().post(page, data={"action": "need", "confirmed": "yes", "note": note})
    assert event_count() == before + 2


def test_the_recipients_page_reads_from_right_to_left_in_arabic(app: Flask, browser: FlaskClient) -> None:
    page = app.test_client().get(link(browser, logged(browser)) + "?lang=ar").text
    assert '<html lang="ar" dir="rtl"' in page
    assert "<time " in page
    assert all('dir="ltr"' in attributes for attributes in re.findall(r"<time ([^>]*)>", page))
