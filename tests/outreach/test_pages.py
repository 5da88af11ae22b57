"""Outreach in the browser: the researcher's pages, and the recipient's."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import html
import re
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.outreach.jobs import record_lapses
from tests.accounts import made as people
from tests.conftest import Api
from tests.outreach import made
from tests.outreach.browsing import event_count, link, logged, send

DAY = dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def clock(app: Flask, now: dt.datetime) -> Iterator[Any]:
    with time_machine.travel(now, tick=False) as moved:
        made.teams(now)
        yield moved


@pytest.fixture
def browser(app: Flask, now: dt.datetime) -> FlaskClient:
    """A researcher of the lab, signed in."""
    return people.browser(app, people.person(now=now, workspace="lab"), now=now)


def test_a_notification_is_logged_and_its_letter_shown(browser: FlaskClient) -> None:
    path = logged(browser, subject="Sinkhole hits", assets="203.0.113.70:8080")
    page = html.unescape(browser.get(path).text)
    assert "reports@cert.example" in page
    assert "203.0.113.70" in page
    assert "mailto:reports@cert.example" in page
    assert "[TLP:AMBER] [pocdir " in page


@pytest.mark.parametrize(
    ("base_url", "is_said"), [("http://127.0.0.1:8000", True), ("https://pocdir.example.org", False)]
)
def test_beside_a_letter_whose_link_nobody_else_can_open_it_is_said(
    app: Flask, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch, base_url: str, is_said: bool
) -> None:
    path = logged(browser)
    settings = dataclasses.replace(app.extensions["pocdir"], base_url=base_url)
    monkeypatch.setitem(app.extensions, "pocdir", settings)
    assert ("set POCDIR_BASE_URL" in browser.get(path).text) is is_said


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"team": ""}, "team"),
        ({"team": "nobody"}, "team"),
        ({"team": "mute"}, "channel"),
        ({"sent_at": "2030-01-01T00:00"}, "sent_at"),
        ({"assets": "not an address"}, "line 1"),
        ({"channel.kind": "email"}, "channel.value"),
    ],
)
def test_what_is_wrong_stands_in_the_form_and_nothing_is_logged(
    browser: FlaskClient, typed: dict[str, str], field: str
) -> None:
    before = event_count()
    response = send(browser, "/notify", action="log", **({"team": "cert-at"} | typed))
    assert response.status_code == 422
    assert "Nothing was saved yet" in response.text
    assert event_count() == before


def test_the_same_words_sent_again_from_one_page_are_logged_once(browser: FlaskClient) -> None:
    once = re.search(r'name="once" value="([\w-]+)"', browser.get("/notify").text)
    assert once
    typed = {"action": "log", "once": once[1], "team": "cert-at"}
    places = [
        send(browser, "/notify", **typed, subject=subject).location for subject in ("one", "one", "another")
    ]
    assert places[0] == places[1] != places[2]


def test_prefilling_logs_nothing(browser: FlaskClient) -> None:
    before = event_count()
    response = send(browser, "/notify", action="prefill", team="cert-at", assets="203.0.113.70")
    assert response.status_code == 200
    assert "203.0.113.70" in response.text
    assert event_count() == before


def test_without_the_forms_token_nothing_is_done(browser: FlaskClient) -> None:
    before = event_count()
    response = browser.post("/notify", data={"team": "cert-at", "action": "log"})
    assert response.status_code == 422
    assert event_count() == before


def test_an_outsider_sees_nothing_of_it(app: Flask, browser: FlaskClient, now: dt.datetime) -> None:
    path = logged(browser)
    charlie = people.browser(app, people.person("charlie@example.org", now=now, workspace="other"), now=now)
    missing = charlie.get("/notifications/0192f3a4-0000-7000-8000-000000000001")
    assert charlie.get(path).status_code == missing.status_code == 404
    assert charlie.get(path + "/withdraw").status_code == 404
    assert app.test_client().get(path).status_code == 302


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


def test_an_incident_is_opened_planned_and_logged_in_one_go(browser: FlaskClient) -> None:
    opened = send(
        browser, "/incidents/new", title="Sinkhole", assets="203.0.113.70\n192.0.2.9:80\nexample.at"
    )
    assert opened.status_code == 302, opened.text
    path = opened.headers["Location"]
    before = event_count()
    plan = browser.get(path + "/plan").text
    assert "ISP abuse desk" in plan
    assert event_count() == before
    chosen = send(browser, path + "/plan", action="log", choose=["isp"], within="P7D")
    assert chosen.status_code == 302, chosen.text
    page = browser.get(path).text
    assert "ISP abuse desk" in page
    assert "of them 1 has time still to come" in page
    assert browser.get("/incidents").status_code == 200


def test_choosing_nobody_is_refused(browser: FlaskClient) -> None:
    path = send(browser, "/incidents/new", title="Sinkhole", assets="203.0.113.70").headers["Location"]
    assert send(browser, path + "/plan", action="log").status_code == 422
    assert send(browser, path + "/plan", action="log", choose=["mute"]).status_code == 422


def test_where_people_are_at_risk_nobody_is_chosen_for_the_person(browser: FlaskClient) -> None:
    typed = {"title": "Infected phone", "assets": "203.0.113.70", "people_at_risk": "true"}
    path = send(browser, "/incidents/new", **typed).headers["Location"]
    plan = browser.get(path + "/plan").text
    assert re.search(r'name="choose" value="isp">', plan)
    assert not re.search(r'name="choose"[^>]*checked', plan)


def test_a_wrong_asset_is_said_beside_what_was_typed(browser: FlaskClient) -> None:
    path = send(browser, "/incidents/new", title="Sinkhole", assets="203.0.113.70").headers["Location"]
    refused = send(
        browser, path + "/assets", form_at=path, assets="203.0.113.71\nnothing known", control="true"
    )
    assert refused.status_code == 422
    assert "203.0.113.71\nnothing known</textarea>" in refused.text
    assert "Line 2: " in refused.text
    assert "203.0.113.71</code>" not in browser.get(path).text


def test_a_closed_incident_takes_no_more(browser: FlaskClient) -> None:
    path = send(browser, "/incidents/new", title="Sinkhole", assets="203.0.113.70").headers["Location"]
    assert send(browser, path + "/close", form_at=path).status_code == 302
    assert send(browser, path + "/assets", form_at=path, assets="203.0.113.71").status_code == 409
    assert send(browser, path + "/reopen", form_at=path).status_code == 302
    assert send(browser, path + "/assets", form_at=path, assets="203.0.113.71").status_code == 302


def test_still_open_lists_what_was_asked_for_and_not_recorded(
    browser: FlaskClient, clock: Any, now: dt.datetime
) -> None:
    logged(browser, subject="Sinkhole hits")
    assert "Nothing is waiting" in browser.get("/unanswered").text
    clock.move_to(now + 3 * DAY)
    record_lapses(now + 3 * DAY)
    for query in ("", "?team=cert-at", "?sort=-team", "?page=-1", "?page=x"):
        page = browser.get("/unanswered" + query)
        assert page.status_code == 200
        assert "CERT.at" in page.text
    assert "Nothing here with this filter" in browser.get("/unanswered?older_than=P7D").text
    wrong = ("/unanswered?older_than=soon", "/unanswered?due_ago=x", "/unanswered?state=x", "/incidents?state=x",
             "/unanswered?incident=x", "/told?state=x")  # fmt: skip
    for address in wrong:
        page = browser.get(address)
        assert page.status_code == 422
        assert f"The address of this page says {address.split('?')[1]}." in page.text
    assert "There is no team &#39;zz&#39;." in browser.get("/unanswered?team=zz").text


def test_still_open_is_sorted_and_paged_where_it_is_kept(
    browser: FlaskClient, clock: Any, now: dt.datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for team, within in (("cert-at", "P1D"), ("isp", "P2D"), ("cert-at", "P3D")):
        logged(browser, team=team, subject=within, within=within)
        clock.shift(60)
    clock.move_to(now + 4 * DAY)
    record_lapses(now + 4 * DAY)
    monkeypatch.setattr("pocdir.outreach.pages.unanswered.PAGE", 2)

    def listed(query: str) -> list[str]:
        return re.findall(r"· (P\dD)</span>", browser.get("/unanswered" + query).text)

    assert (listed(""), listed("?page=1"), listed("?page=2")) == (["P1D", "P2D"], ["P3D"], [])
    assert (listed("?sort=-due"), listed("?sort=-due&page=1")) == (["P3D", "P2D"], ["P1D"])
    assert (listed("?sort=-sent"), listed("?sort=team&page=1")) == (["P3D", "P2D"], ["P2D"])


def test_a_fact_is_added_and_taken_back(browser: FlaskClient) -> None:
    path = logged(browser)
    added = send(browser, path + "/facts", form_at=path, type="ack.given", **{"payload.ticket": "#77"})
    assert added.status_code == 302, added.text
    page = browser.get(path).text
    assert "#77" in page
    correct = re.search(r'href="(/notifications/[^"]+/correct)"', page)
    assert correct
    assert send(browser, correct[1], why="").status_code == 422
    assert send(browser, correct[1], why="another case").status_code == 302
    assert "taken back" in browser.get(path).text
    wrong = send(browser, path + "/facts", form_at=path, type="expectation.lapsed")
    assert wrong.status_code == 422


SHEET = """contact,date,bounced,answered,subject
reports@cert.example,2026-10-01,,2026-10-03,Botnet
abuse@isp.example,2026-10-01,yes,,Botnet
nobody@nowhere.example,2026-10-01,,,Botnet
reports@cert.example,03/04/2026,,,Botnet
"""


def test_a_spreadsheet_is_shown_first_logged_once_and_counted_once(browser: FlaskClient) -> None:
    before = event_count()
    shown = send(browser, "/notify/spreadsheet", action="preview", text=SHEET)
    assert shown.status_code == 200, shown.text
    assert event_count() == before
    upload = re.search(r'name="upload" value="([^"]+)"', shown.text)
    assert upload
    for known in (0, 2):
        done = send(browser, "/notify/spreadsheet", action="apply", upload=upload[1])
        assert done.status_code == 200, done.text
        assert f"{2 - known} notification" in done.text
    assert event_count() == before + 2 * 2 + 2


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "<html>", "contact,date\n"])
def test_what_is_no_spreadsheet_is_refused_beside_the_box(browser: FlaskClient, text: str) -> None:
    response = send(browser, "/notify/spreadsheet", action="preview", text=text)
    assert response.status_code in (200, 422)
    assert "Log 0" not in response.text
    assert send(browser, "/notify/spreadsheet", action="apply", upload="!!").status_code == 422


def test_a_spreadsheet_too_long_for_one_transaction_goes_to_the_command_line(browser: FlaskClient) -> None:
    rows = "".join(f"reports@cert.example,2026-03-04,{n}\n" for n in range(1_001))
    response = send(browser, "/notify/spreadsheet", action="preview", text="email,date,subject\n" + rows)
    assert response.status_code == 422
    assert "the command line takes more" in response.text


def test_api_and_pages_tell_the_same(api: Api, browser: FlaskClient) -> None:
    ref = logged(browser).rsplit("/", 1)[1]
    assert api.get(f"/api/v1/notifications/{ref}").status_code == 200


def preview(browser: FlaskClient, text: str, **typed: Any) -> tuple[str, str]:
    """The page that shows what would happen, and what it posts back."""
    shown = send(browser, "/notify/spreadsheet", action="preview", text=text, **typed)
    assert shown.status_code == 200, shown.text
    upload = re.search(r'name="upload" value="([^"]+)"', shown.text)
    assert upload
    return html.unescape(shown.text), upload[1]


def test_a_spreadsheet_that_has_grown_adds_what_is_new_in_it(browser: FlaskClient) -> None:
    rows = "contact,date,answered,remarks\nreports@cert.example,2026-10-01,,first\n"
    send(browser, "/notify/spreadsheet", action="apply", upload=preview(browser, rows)[1])
    before = event_count()
    shown, upload = preview(browser, rows.replace(",,first", ",2026-10-03,first"))
    assert "known, will be added to" in shown
    assert "1 answer" in shown
    assert "Add to 1 notification" in shown
    done = send(browser, "/notify/spreadsheet", action="apply", upload=upload)
    assert "1 row known already gained something" in done.text
    assert event_count() == before + 1
    assert "Add to" not in preview(browser, rows.replace(",,first", ",2026-10-03,first"))[0]


def test_rows_that_are_not_logged_stand_apart_before_and_after(browser: FlaskClient) -> None:
    shown, upload = preview(browser, SHEET)
    done = html.unescape(send(browser, "/notify/spreadsheet", action="apply", upload=upload).text)
    for page in (shown, done):
        assert "Rows that need your hand" in page
        assert "nobody@nowhere.example" in page
        assert "say whether the day comes first" in page
    assert "not read" not in shown
    assert "not read: <code>Colour" in preview(browser, SHEET.replace("subject", "Colour"))[0]


def test_an_upload_that_was_cut_off_is_refused_whole(browser: FlaskClient) -> None:
    upload = base64.b64encode(zlib.compress(b"contact,date\n" + b"x" * 1_000_001)).decode()
    for broken in (upload, upload[:400]):
        refused = send(browser, "/notify/spreadsheet", action="apply", upload=broken)
        assert refused.status_code == 422
        assert "bring the file again" in refused.text
