"""What may be kept, and by whom."""

from __future__ import annotations

import datetime as dt
import io

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pocdir.web.files import sent
from tests.accounts import made


@pytest.fixture
def owner(app: Flask, now: dt.datetime, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    monkeypatch.setitem(app.config, "WTF_CSRF_ENABLED", False)
    return made.browser(app, made.person(now=now, workspace="lab", role="owner"), now=now)


@pytest.mark.parametrize(("path", "status"), [("/lookup", 200), ("/incidents/new", 422)])
def test_a_page_that_answers_a_form_stays_in_the_readers_own_browser(
    owner: FlaskClient, path: str, status: int
) -> None:
    answer = owner.post(path, data={"q": "AT"})
    assert answer.status_code == status
    assert answer.headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("path", ["/", "/account", "/nothing-here"])
def test_every_other_page_is_kept_nowhere(owner: FlaskClient, path: str) -> None:
    assert owner.get(path).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/login", "/account/password", "/workspace/tokens", "/api/v1/lookup"])
def test_passwords_what_is_shown_once_and_answers_to_programs_are_kept_nowhere(
    owner: FlaskClient, path: str
) -> None:
    assert owner.post(path, data={"name": "x"}).headers["Cache-Control"] == "no-store"


def test_who_signs_out_leaves_nothing_to_go_back_to(owner: FlaskClient) -> None:
    assert owner.post("/logout").headers["Clear-Site-Data"] == '"cache"'


def test_a_file_sent_by_any_door_is_kept_nowhere(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        for method in rule.methods & {"GET", "POST"}:
            with app.test_request_context(method=method) as context:
                context.request.url_rule = rule
                answer = app.process_response(sent(io.BytesIO(b"ip\n"), "parcel.csv", "text/csv", 3))
            kept = "public, max-age=3600" if rule.endpoint == "static" else "no-store"
            assert (rule.endpoint, answer.headers["Cache-Control"]) == (rule.endpoint, kept)
