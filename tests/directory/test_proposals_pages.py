"""Proposals in the browser: the team's form, the steward's decision, the link in the notice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pocdir.accounts.models import User
from pocdir.db import transaction
from pocdir.directory.actions import edits
from pocdir.directory.pages import boxes
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import EVERYBODY
from pocdir.web import limits
from tests.accounts.made import browser, person
from tests.conftest import NOW
from tests.directory import made
from tests.directory.proposing import NEW, addresses, contact, leaves, letters, link_in, proposed


@pytest.fixture(autouse=True)
def _today(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    limits.init_app(app)
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def slug(app: Flask) -> str:
    made.imported(made.file(made.team_json()))
    return "cert-example"


@pytest.fixture
def anna(app: Flask) -> User:
    return person("anna@example.org", now=NOW, site_role="steward")


def filled(slug: str, **more: Any) -> dict[str, Any]:
    """The form as it is shown, with what was typed into it."""
    return boxes.typed(entries.entry(slug, audiences=EVERYBODY)) | more


def at(answer: Any) -> str:
    assert answer.status_code == 302, answer.text
    return str(answer.headers["Location"])


def test_every_slip_of_the_form_is_shown_at_once(app: Flask, slug: str, anna: User) -> None:
    staff = browser(app, contact(slug), now=NOW)
    wrong = {"channels.0.value": "no address", "country": "XX", "timezone": "Mars/Base", "evidence": "a call"}
    for path in (f"/teams/{slug}/propose", f"/teams/{slug}/edit"):
        client = staff if path.endswith("propose") else browser(app, anna, now=NOW)
        answer = client.post(path, data=filled(slug, **wrong))
        assert answer.status_code == 422
        for box in ("channels-0-value", "country", "timezone"):
            assert f'id="f-{box}-error"' in answer.text, (path, box)


def test_staff_proposes_by_the_form_and_a_steward_sees_before_and_after(
    app: Flask, slug: str, anna: User
) -> None:
    staff = browser(app, contact(slug), now=NOW)
    page = staff.get(f"/teams/{slug}/propose").text
    assert "Propose a change of CERT Example" in page
    where = at(staff.post(f"/teams/{slug}/propose", data=filled(slug, website="https://new.example/")))
    assert "waits for 1 steward" in staff.get(where).text
    steward = browser(app, anna, now=NOW)
    assert where in steward.get("/proposals").text
    shown = steward.get(where).text
    assert "new.example" in shown and "Proposed by the team itself" in shown
    assert at(steward.post(f"{where}/approve", data={"revision": "1"})) == where
    assert "new.example" in steward.get(f"/teams/{slug}").text
    assert "the team itself, approved by a steward" in steward.get(f"/teams/{slug}").text


def test_a_form_that_changes_nothing_is_shown_again(app: Flask, slug: str) -> None:
    staff = browser(app, contact(slug), now=NOW)
    answer = staff.post(f"/teams/{slug}/propose", data=filled(slug))
    assert answer.status_code == 422
    assert "nothing of it differs" in answer.text.lower()


def test_a_stewards_refusal_needs_a_reason(app: Flask, slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), facts={"website": "https://new.example/"})
    steward = browser(app, anna, now=NOW)
    assert steward.post(f"/proposals/{ref}/refuse", data={"reason": " "}).status_code == 422
    at(steward.post(f"/proposals/{ref}/refuse", data={"reason": "not theirs"}))
    assert "not theirs" in steward.get(f"/proposals/{ref}").text


def test_a_page_that_is_older_than_the_proposal_approves_nothing(app: Flask, slug: str, anna: User) -> None:
    ref = proposed(slug, contact(slug), facts={"website": "https://new.example/"})
    with transaction() as session:
        edits.edit_team(
            session, slug=slug, facts={"website": "https://other.example/"}, now=NOW, actor="user:x"
        )
    steward = browser(app, anna, now=NOW)
    assert "was changed since this was proposed" in steward.get(f"/proposals/{ref}").text
    answer = steward.post(f"/proposals/{ref}/approve", data={"revision": "1"}, follow_redirects=True)
    assert "Nothing was approved" in answer.text
    assert "other.example" in answer.text
    assert steward.post(f"/proposals/{ref}/approve", data={"revision": "1"}).status_code == 412


def test_who_is_left_alone_to_approve_reads_that_the_72_hours_begin(
    app: Flask, slug: str, anna: User
) -> None:
    ben = person("ben@example.org", now=NOW, site_role="steward")
    ref = proposed(slug, contact(slug), channels=[made.channel(NEW)])
    leaves(ben)
    path, steward = f"/proposals/{ref}/approve", browser(app, anna, now=NOW)
    answer = steward.post(path, data={"revision": "1"}, follow_redirects=True)
    assert "the 72 hours begin now" in answer.text and "changed meanwhile" not in answer.text
    assert "You have approved it" in steward.post(path, data={"revision": "2"}, follow_redirects=True).text


def test_a_stewards_own_edit_of_a_claimed_national_address_becomes_a_proposal(
    app: Flask, slug: str, anna: User
) -> None:
    contact(slug)
    steward = browser(app, anna, now=NOW)
    typed = filled(slug, evidence="a call", **{"channels.0.value": NEW})
    where = at(steward.post(f"/teams/{slug}/edit", data=typed))
    assert where.startswith("/proposals/")
    assert "another steward approves it" in steward.get(where).text
    assert addresses(slug) == ["cert@cert.example"]
    typed = filled(slug, evidence="a call", website="https://new.example/")
    assert at(steward.post(f"/teams/{slug}/edit", data=typed)) == f"/teams/{slug}", (
        "anything else stands at once"
    )


def test_a_lead_that_nobody_has_answered_for_a_steward_corrects_alone(
    app: Flask, slug: str, anna: User
) -> None:
    typed = filled(slug, evidence="a call", **{"channels.0.value": NEW})
    assert at(browser(app, anna, now=NOW).post(f"/teams/{slug}/edit", data=typed)) == f"/teams/{slug}"
    assert addresses(slug) == [NEW]


def test_others_see_nothing_of_it(app: Flask, client: FlaskClient, slug: str) -> None:
    ref = proposed(slug, contact(slug), facts={"website": "https://new.example/"})
    other = contact(made.team("cert-other"), "staff@other.example")
    theirs = browser(app, other, now=NOW)
    assert theirs.get(f"/proposals/{ref}").status_code == 404
    assert theirs.post(f"/proposals/{ref}/withdraw").status_code == 404
    assert theirs.get(f"/teams/{slug}/propose").status_code == 404
    assert "new.example" not in theirs.get("/proposals").text
    assert theirs.post(f"/proposals/{ref}/approve", data={"revision": "1"}).status_code == 403
    assert client.get(f"/proposals/{ref}").headers["Location"].startswith("/login")
    assert "new.example" not in client.get(f"/teams/{slug}").text
    assert "new.example" not in client.get(f"/api/v1/teams/{slug}/history").text


def test_whoever_reads_the_mailbox_is_asked_once_more_and_calls_it_off(
    client: FlaskClient, slug: str, anna: User
) -> None:
    ref = proposed(slug, contact(slug), channels=[made.channel(NEW)])
    path = f"/proposed/{link_in(letters()[0])}"
    assert NEW in client.get(path).text
    asked = client.post(path)
    assert "Yes, call it off" in asked.text
    assert "called off" in client.post(path, data={"confirmed": "yes"}).text
    assert "called off" in client.get(path).text
    assert client.post(path, data={"confirmed": "yes"}).status_code == 409
    assert client.get(f"/proposed/{ref}").status_code == 404


def test_the_page_of_the_notice_comes_in_arabic(client: FlaskClient, slug: str, anna: User) -> None:
    proposed(slug, contact(slug), channels=[made.channel(NEW)])
    page = client.get(f"/proposed/{link_in(letters()[0])}?lang=ar").text
    assert '<html lang="ar" dir="rtl">' in page
    assert "ينتظر قيّماً واحداً" in page
