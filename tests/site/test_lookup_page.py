"""Whom do I tell? As people ask it, without an account and without JavaScript."""

from __future__ import annotations

import datetime as dt
import logging
import re
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from pocdir.core.errors import Invalid
from pocdir.routing.rules import order
from pocdir.routing.rules.indicator import parse
from tests.accounts import made as people
from tests.directory import made

pytestmark = pytest.mark.usefixtures("cases")

AVOIDED = (
    "silent",
    "ignored",
    "overdue",
    "lapsed",
    "exhausted",
    "escalated",
    "censored",
    "alert",
    "victim",
    "attacker",
    "actor",
    "blame",
)


class Texts(HTMLParser):
    """What a person reads of a page, without its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def read(response: TestResponse) -> str:
    return " ".join(" ".join(Texts(response.text).texts).split())


def asked(client: FlaskClient, q: str, **typed: Any) -> TestResponse:
    """The answer page; no form was loaded before and no cookie is there."""
    return client.post("/lookup", data={"q": q} | typed)


def letter_of(response: TestResponse) -> tuple[str, str, str]:
    """To whom, subject and body of the first letter."""
    found = re.search(r'href="(mailto:[^"]+)"', response.text)
    assert found, response.text
    parts = urlsplit(unescape(found[1]))
    fields = parse_qs(parts.query)
    return parts.path, fields["subject"][0], fields["body"][0]


def test_home_is_one_box_that_posts(client: FlaskClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    form = re.search(r"<form[^>]*action=\"/lookup\"[^>]*>", response.text)
    assert form
    assert 'method="post"' in form[0]
    assert "Whom do I tell?" in read(response)
    assert "energy" in response.text


def test_the_answer_says_who_how_and_why(client: FlaskClient) -> None:
    response = asked(client, "AT")
    text = read(response)
    assert response.status_code == 200
    assert "CERT AT" in text
    assert "cert@at.example" in text
    assert "+43 1 5056416 78" in text
    assert "the country asked for" in text
    assert "German" in text
    assert "Europe/Vienna" in text
    assert "How they answered us" not in text


def test_the_question_stands_in_no_address_log_or_shared_cache(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for q in ("203.0.113.70", "not@@an-indicator"):
        response = asked(client, q)
        assert response.request.path == "/lookup"
        assert response.request.query_string == b""
        assert (
            response.headers["Cache-Control"] == "private, no-cache"
        )  # in the reader's own browser, for the way back
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "an-indicator" not in str(response.headers)
    printed = capfd.readouterr()
    logged = caplog.text + printed.out + printed.err
    assert "203.0.113.70" not in logged
    assert "an-indicator" not in logged


def test_of_several_lines_each_that_is_none_says_why(client: FlaskClient) -> None:
    page = unescape(asked(client, "203.0.113.70\n300.1.1.1").text)
    with pytest.raises(Invalid) as refused:
        parse("300.1.1.1")
    assert f"not an indicator: {refused.value.message}" in page


def test_the_address_of_the_answer_leads_back_to_the_box(client: FlaskClient) -> None:
    response = client.get("/lookup?q=203.0.113.70")
    assert (response.status_code, response.headers["Location"]) == (302, "/")


def test_a_minimal_letter_is_ready_to_be_sent(client: FlaskClient) -> None:
    address, subject, body = letter_of(asked(client, "hxxp://münchen[.]de/x"))
    assert address == "muenchen@muenchen.example"
    assert subject.startswith("[TLP:AMBER]")
    assert "münchen" not in subject
    assert body.startswith("TLP:AMBER")
    assert "http://xn--mnchen-3ya.de/x" in body
    assert "A reply is enough" in body


def test_one_that_was_ruled_out_is_named_with_the_reason(client: FlaskClient) -> None:
    text = read(asked(client, "203.0.113.70", exclude_team="tenant"))
    assert "1 ruled out, and why" in text
    assert "excluded by the asker: this team" in text
    assert "hospital@hospital.example" in text


@pytest.mark.parametrize("wrong", ["not an indicator", "01.2.3.4", "203.0.113.70/24", "   "])
def test_a_wrong_indicator_is_refused_beside_the_box_and_kept(client: FlaskClient, wrong: str) -> None:
    response = asked(client, wrong, sector="energy")
    assert response.status_code == 422
    assert 'id="q-error"' in response.text
    assert 'aria-invalid="true"' in response.text
    assert f'value="{wrong.strip()}"' in response.text
    assert re.search(r'<option value="energy" selected', response.text)


@pytest.mark.parametrize(
    ("name", "value"),
    [("exclude_team", "nobody"), ("exclude_country", "ZZ"), ("kind_of_report", "gossip"), ("sector", "%")],
)
def test_what_narrows_is_refused_beside_its_field(client: FlaskClient, name: str, value: str) -> None:
    response = asked(client, "AT", **{name: value})
    assert response.status_code == 422
    assert f'id="f-{name}-error"' in response.text
    assert "CERT AT" not in read(response)


def test_many_lines_are_answered_each(client: FlaskClient) -> None:
    response = asked(client, "AT\r\n\r\n203.0.113.70\r\nnonsense here\r\n10.0.0.1\r\n")
    text = read(response)
    assert response.status_code == 200
    assert "4 answers" in text
    for words in ("CERT AT", "tenant@tenant.example", "not an indicator", "not routable"):
        assert words in text


def test_more_lines_than_a_page_holds_are_refused(client: FlaskClient) -> None:
    response = asked(client, "AT\n" * 1001)
    assert response.status_code == 422
    assert 'id="q-error"' in response.text


def test_where_nobody_is_known_the_page_says_whose_gap_it_is(client: FlaskClient) -> None:
    made.team("coordination", name="Coordination", kind="coordinator", country=None, responsibilities=[])
    text = read(asked(client, "AF"))
    assert "No contact is known for this" in text
    assert "no national PoC known for AF" in text
    assert "Coordination" in text


def test_whoever_is_excluded_is_not_named_as_a_way_out(client: FlaskClient) -> None:
    made.team("coordination", name="Coordination", kind="coordinator", country=None, responsibilities=[])
    assert 'href="/teams/coordination"' in asked(client, "AF").text
    assert 'href="/teams/coordination"' not in asked(client, "AF", exclude_team="coordination").text


def test_private_space_is_said_to_be_nobodys_and_no_gap(client: FlaskClient) -> None:
    assert "Not routable: no contact exists" in read(asked(client, "10.0.0.1"))


def test_hostile_input_comes_back_as_text(client: FlaskClient) -> None:
    for hostile in ('"><script>alert(1)</script>', "{{ 7 * 7 }}", "'; --", "</textarea><b>"):
        response = asked(client, hostile)
        assert response.status_code == 422
        assert "<script>alert" not in response.text
        assert "</textarea><b>" not in response.text


def test_a_page_brings_no_script_or_style_of_its_own(client: FlaskClient) -> None:
    for page in (client.get("/"), asked(client, "AT"), asked(client, "wrong thing"), client.get("/rules")):
        assert not re.search(r"<script(?![^>]*\ssrc=)", page.text)
        assert not re.search(r"\son[a-z]+=|\sstyle=|<style", page.text)


def test_words_on_the_pages_are_neutral(client: FlaskClient) -> None:
    pages = (
        client.get("/"),
        asked(client, "AT"),
        asked(client, "AF"),
        asked(client, "10.0.0.1"),
        client.get("/rules"),
        client.get("/api"),
    )
    for page in pages:
        spoken = re.sub(r"<option.*?</option>", "", page.text)  # the taxonomy's own values
        words = set(re.findall(r"[a-z]+", " ".join(Texts(spoken).texts).lower()))
        assert words.isdisjoint(AVOIDED)


def test_whoever_is_signed_in_may_ask_what_stood_on_a_day(app: Flask, client: FlaskClient) -> None:
    entry = made.team_json(
        "cert-af",
        country="AF",
        channels=[made.channel("cert@af.example")],
        responsibilities=[made.responsibility(value="AF", role="national")],
    )
    made.imported(made.file(entry), source="first", now=made.NOW - dt.timedelta(days=2))
    with time_machine.travel(made.NOW, tick=False):
        browser = people.browser(app, people.person(now=made.NOW, workspace="lab"), now=made.NOW)
        assert "As it stood on" in read(browser.get("/"))
        assert "cert@af.example" in read(asked(browser, "AF"))
        then = read(asked(browser, "AF", as_of=f"{made.NOW - dt.timedelta(days=5):%Y-%m-%d}"))
        assert "cert@af.example" not in then
        assert "the directory as it stood at the end of" in then
        assert asked(browser, "AF", as_of="2099-01-01").status_code == 422
        refused = asked(client, "AF", as_of="2026-06-01")
        assert (refused.status_code, "Sign in to ask" in read(refused)) == (422, True)
    assert "As it stood on" not in read(client.get("/"))


def test_whoever_is_signed_in_sees_the_own_record_and_logs_from_here(app: Flask, now: dt.datetime) -> None:
    browser = people.browser(app, people.person(now=now, workspace="lab"), now=now)
    response = asked(browser, "AT")
    assert "How they answered us" in read(response)
    assert "no record" in read(response)
    form = re.search(r'<form method="post" action="/notify">.*?</form>', response.text, re.S)
    assert form
    assert 'name="team" value="cert-at"' in form[0]
    assert 'name="assets" value="AT"' in form[0]


@pytest.mark.usefixtures("cases")
def test_the_page_says_when_to_try_the_next_one_and_leaves_out_whom_it_is_asked_to(
    client: FlaskClient,
) -> None:
    page = asked(client, "FR", exclude_host=["police", "military"])
    assert "who hosts them is not known here" in read(page)
    assert page.text.count(" checked>") == 2
    assert "Without an answer within 2 d, try the next one." in read(asked(client, "203.0.113.70"))


def test_the_published_order_is_made_from_the_table(client: FlaskClient) -> None:
    text = unescape(read(client.get("/rules")))
    for sentence in (*order.PLACES.values(), *order.WITHIN):
        assert sentence in text
    for kind, each in order.BY_REPORT.items():
        assert kind in text
        assert each.title in text
    assert text.count("(without detail)") == 3
    assert "nothing has come for 7 d" in text


def test_the_api_page_names_every_operation(app: Flask, client: FlaskClient) -> None:
    text = client.get("/api").text
    for path, operations in client.get("/api/v1/openapi.json").json["paths"].items():
        for method in operations:
            if method in ("get", "post", "patch", "put", "delete"):
                assert f"{method.upper()} {path}" in text
