"""A notification on its page: logged, its letter, its facts; an incident planned, and what is still open."""

from __future__ import annotations

import dataclasses
import datetime as dt
import html
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pocdir.outreach.jobs import record_lapses
from tests.accounts import made as people
from tests.conftest import Api
from tests.outreach.browsing import event_count, logged, send

DAY = dt.timedelta(days=1)
pytestmark = pytest.mark.usefixtures("teams")


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


def test_api_and_pages_tell_the_same(api: Api, browser: FlaskClient) -> None:
    ref = logged(browser).rsplit("/", 1)[1]
    assert api.get(f"/api/v1/notifications/{ref}").status_code == 200
