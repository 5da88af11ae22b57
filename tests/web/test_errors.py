"""What is told when the database cannot be asked, and which requests are the same."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import create_engine

from pocdir.accounts.guards import SIGN_IN
from pocdir.core.errors import Invalid
from pocdir.db import db, transaction
from pocdir.web.idempotency import forget_old_keys, row_key
from tests.conftest import Api

AWAY = "sqlite:////proc/nowhere/pocdir.db"


@pytest.fixture
def away(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database that is not there any more."""
    engine = create_engine(AWAY)
    db.session.remove()
    monkeypatch.setitem(db._app_engines[app], None, engine)
    yield
    db.session.remove()
    engine.dispose()


@pytest.mark.parametrize("path", ["/account", "/teams", "/"])
def test_a_page_says_that_the_database_does_not_answer(
    app: Flask, client: FlaskClient, away: None, path: str
) -> None:
    with client.session_transaction() as session:
        session["_user_id"], session[SIGN_IN] = "somebody", "0198c1a2-7c7e-7f00-8a51-0123456789ab"
    response = client.get(path)
    assert response.status_code == 503
    assert response.headers["Retry-After"]
    assert "database_unreachable" in response.text
    assert "<title>" in response.text


def test_a_program_is_told_that_the_database_does_not_answer(client: FlaskClient, away: None) -> None:
    headers = {"Authorization": "Bearer pocdir_abcdefgh_" + "0" * 32}
    response = client.get("/api/v1/incidents", headers=headers)
    assert (response.status_code, response.get_json()["code"]) == (503, "database_unreachable")


@pytest.mark.parametrize("path", ["/", "/teams", "/api/v1/lookup", "/no-such-page"])
def test_a_query_of_another_encoding_is_one_of_characters_nobody_knows(
    client: FlaskClient, path: str
) -> None:
    in_latin_1 = client.get(path, environ_overrides={"QUERY_STRING": "q=Z\xfcrich"})
    assert in_latin_1.status_code < 500
    assert in_latin_1.status_code == client.get(f"{path}?q=Z%FCrich").status_code


def test_what_stands_in_a_query_unquoted_is_what_was_meant(client: FlaskClient) -> None:
    meant = client.get("/teams?q=Z%C3%BCrich")
    plain = client.get("/teams", environ_overrides={"QUERY_STRING": "q=Z\xc3\xbcrich"})
    assert 'value="Zürich"' in meant.text
    assert 'value="Zürich"' in plain.text


@pytest.mark.parametrize("path", ["/", "/teams", "/api/v1/lookup", "/static/site.css"])
def test_a_host_that_is_no_name_is_refused(client: FlaskClient, path: str) -> None:
    assert client.get(path, headers={"Host": "a" * 64}).status_code == 400


def test_a_key_is_of_one_request_with_its_query(api: Api) -> None:
    key = {"Idempotency-Key": "a"}
    first = api.post("/api/v1/incidents", {"title": "one"}, **key)
    assert first.status_code == 201
    assert api.post("/api/v1/incidents", {"title": "one"}, **key).get_json()["ref"] == first.get_json()["ref"]
    other = api.post("/api/v1/incidents?x=1", {"title": "one"}, **key)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_mismatch")


@pytest.mark.parametrize("path", ["/teams//cert-at", "/teams//", "/api/v1//lookup"])
def test_a_path_with_two_slashes_is_not_there_rather_than_elsewhere(client: FlaskClient, path: str) -> None:
    answer = client.get(path, headers={"Host": "evil.example"})
    assert answer.status_code == 404
    assert "evil.example" not in answer.text + str(answer.headers)


def test_an_empty_path_is_the_first_page_rather_than_a_redirect_to_any_host(app: Flask) -> None:
    answer = app.test_client().get("http://evil.example")
    assert answer.status_code == 200


def test_keys_of_single_rows_differ_where_the_keys_or_the_requests_do(app: Flask, now: dt.datetime) -> None:
    """However late: a long one is not cut. What was forgotten here may stand in the ledger still."""

    def begins(key: str | None, body: str = "") -> str:
        headers = {} if key is None else {"Idempotency-Key": key}
        with app.test_request_context(headers=headers, data=body), transaction() as session:
            return row_key(session, scope="test", now=now)

    keys = ("k", "k" * 36, "k" * 37, "k" * 199 + "a", "k" * 199 + "b")
    found = [begins(key) for key in keys]
    assert len(set(found)) == 5
    assert max(map(len, found)) == 36
    assert [begins(key) for key in keys] == found
    assert begins(None) == ""
    with pytest.raises(Invalid, match="another request"):
        begins("k", "other")
    with transaction() as session:
        assert forget_old_keys(session, now=now + dt.timedelta(days=31)) == 5
    assert begins("k", "other") not in found
    for key in ("", "k" * 201, "\u00fc"):
        with pytest.raises(Invalid, match="1 to 200"):
            begins(key)


@pytest.mark.parametrize(
    ("wrong", "said", "right"),
    [
        ("kind=witch", "kind=witch", "One of these is right: national"),
        ("knid=national", "knid=national", "these are right: q, country, kind"),
        ("country=Austria", "country=Austria", "A country code is right, such as AT."),
    ],
)
def test_a_page_says_once_what_its_address_cannot_mean_and_leads_back_without_it(
    client: FlaskClient, wrong: str, said: str, right: str
) -> None:
    answer = client.get(f"/teams?q=cert&{wrong}&lang=en")
    assert answer.status_code == 422
    assert answer.text.count(f"The address of this page says {said}.") == answer.text.count(right) == 1
    assert '<a class="button" href="/teams?q=cert&amp;lang=en">Show the page without that</a>' in answer.text
    assert client.get("/teams?q=cert&lang=en").status_code == 200


def test_a_refusal_of_the_address_is_told_a_program_by_name(api: Api) -> None:
    refused = api.get("/api/v1/teams", knid="national").get_json()
    assert (refused["code"], list(refused["errors"])) == ("invalid", ["knid"])


@pytest.mark.parametrize(
    "path", ["/teams/%00", "/teams/%00/keys/%00.asc", "/api/v1/teams/a%00b", "/api/v1/policies/%1F"]
)
def test_a_control_character_in_a_path_is_a_page_that_is_not_there(api: Api, path: str) -> None:
    assert api.get(path).status_code == 404
