"""Whom do I tell? As programs ask it: the cases that must come out right, the shape, the refusals, the silence."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from werkzeug.test import TestResponse

from pocdir.accounts.actions import create_token, create_workspace
from pocdir.db import db, transaction
from pocdir.routing.queries import index
from tests.conftest import Api
from tests.directory import made
from tests.site import lookups

PATH = "/api/v1/lookup"
ANSWER = {
    "status",
    "query",
    "registry",
    "contacts",
    "rejected",
    "notes",
    "directory_version",
    "registry_version",
}
CONTACT = {
    "rank",
    "role",
    "team",
    "channel",
    "basis",
    "reasons",
    "try_next_after",
    "without_detail",
    "responsiveness",
}
TEAM = {"slug", "name", "kind", "country"}
CHANNEL = {"kind", "value", "purpose", "state", "openpgp_fingerprint", "openpgp_pinned"}
BASIS = {"key", "value", "origin", "source", "as_of"}
NATIONALS = {
    "UK": "cert-gb",
    "GBR": "cert-gb",
    "EU": "cert-eu",
    "XK": "cert-xk",
    "TW": "cert-tw",
    "HK": "cert-hk",
    "MO": "cert-mo",
    "LI": "ncsc-ch",
    "CH": "ncsc-ch",
    "Autriche": "cert-at",
}


def ask(client: FlaskClient, q: str, **narrowing: Any) -> dict[str, Any]:
    """The answer to one lookup without a token."""
    response = client.get(PATH, query_string={"q": q} | narrowing)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json
    return answer


def slugs(answer: dict[str, Any]) -> list[str]:
    return [contact["team"]["slug"] for contact in answer["contacts"]]


def problem(response: TestResponse, where: str | None = None) -> str:
    """The code of a refusal in its whole shape."""
    assert response.status_code == 422, response.text
    assert response.content_type == "application/problem+json"
    assert set(response.json) == {"type", "title", "status", "detail", "code", "errors"}
    if where:
        assert where in response.json["errors"]
    code: str = response.json["code"]
    return code


@contextmanager
def statements() -> Iterator[list[str]]:
    """Every statement that reaches the database meanwhile."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


@pytest.mark.usefixtures("cases")
def test_the_most_specific_prefix_comes_first_whoever_entered_it(client: FlaskClient) -> None:
    answer = ask(client, "203[.]0.113.70")
    assert slugs(answer)[:4] == ["tenant", "hospital", "isp", "telco"]
    assert answer["query"] == {"input": "203[.]0.113.70", "kind": "ip", "value": "203.0.113.70"}
    assert slugs(ask(client, "203.0.113.10"))[:2] == ["isp", "telco"]


@pytest.mark.usefixtures("cases")
def test_a_bouncing_mailbox_leads_to_the_next_and_says_so(client: FlaskClient, now: dt.datetime) -> None:
    lookups.bounced("tenant@tenant.example", now)
    answer = ask(client, "203.0.113.70")
    assert slugs(answer)[0] == "hospital"
    assert answer["rejected"] == [
        {
            "team": {"slug": "tenant"},
            "basis": {
                "key": "prefix",
                "value": "203.0.113.64/28",
                "origin": "imported",
                "source": "list",
                "as_of": "2026-06-17",
            },
            "reason": "demoted: bounce on 2026-11-02",
        }
    ]


@pytest.mark.usefixtures("cases")
def test_the_country_of_registration_decides_and_the_others_are_shown(client: FlaskClient) -> None:
    american, afghan = ask(client, "38.87.230.17"), ask(client, "180.222.136.9")
    assert american["registry"] == {
        "prefix": "38.87.230.0/23",
        "asn": 174,
        "holder": "Cogent Communications",
        "countries": {"registered": "US", "located": "DE", "asn": None},
        "as_of": "2026-06-17",
    }
    assert slugs(american) == ["cert-us"]
    assert afghan["registry"]["countries"] == {"registered": "AF", "located": "DE", "asn": None}
    assert (afghan["status"], afghan["contacts"]) == ("no_contact", [])
    assert "no national PoC known for AF" in afghan["notes"]


@pytest.mark.usefixtures("cases")
@pytest.mark.parametrize(("written", "slug"), NATIONALS.items())
def test_a_country_is_understood_however_it_is_written(client: FlaskClient, written: str, slug: str) -> None:
    assert slugs(ask(client, written)) == [slug]


@pytest.mark.usefixtures("cases")
def test_several_teams_of_a_code_are_ranked(client: FlaskClient) -> None:
    contacts = ask(client, "FR")["contacts"]
    assert [(c["rank"], c["team"]["slug"], c["role"]) for c in contacts] == [
        (1, "fr-first", "to"),
        (2, "fr-second", "cc"),
        (3, "fr-copy", "cc"),
    ]


@pytest.mark.usefixtures("cases")
def test_a_sector_team_comes_first_in_its_country_only(client: FlaskClient) -> None:
    assert slugs(ask(client, "AT", sector="energy")) == ["energy-cert", "cert-at"]
    assert slugs(ask(client, "AT")) == ["cert-at"]
    assert slugs(ask(client, "DE", sector="energy")) == ["cert-de"]
    names = "the directory knows these sectors alone: energy"
    told = [ask(client, "DE", sector=sector)["notes"] for sector in ("fishery", "energy")]
    assert [names in notes for notes in told] == [True, False]


@pytest.mark.usefixtures("cases")
@pytest.mark.parametrize("written", ["2001:db8:1234::1", "2001:0DB8:1234:0:0::0001", "[2001:db8:1234::1]"])
def test_an_ipv6_address_in_any_spelling(client: FlaskClient, written: str) -> None:
    assert slugs(ask(client, written)) == ["v6-site", "v6-isp"]


@pytest.mark.usefixtures("cases")
def test_a_mapped_address_is_the_ipv4_address(client: FlaskClient) -> None:
    assert slugs(ask(client, "::ffff:203.0.113.70"))[:2] == ["tenant", "hospital"]


@pytest.mark.usefixtures("cases")
@pytest.mark.parametrize(
    "written", ["münchen.de", "xn--mnchen-3ya.de", "MÜNCHEN.DE.", "hxxp://münchen[.]de/x"]
)
def test_a_name_in_any_spelling(client: FlaskClient, written: str) -> None:
    assert slugs(ask(client, written)) == ["muenchen", "cert-de"]


@pytest.mark.usefixtures("cases")
def test_a_name_climbs_to_its_public_suffix_and_then_to_its_country(client: FlaskClient) -> None:
    answer = ask(client, "www.a.b.example.co.uk")
    assert slugs(answer) == ["example-uk", "cert-gb"]
    assert "by TLD only" in answer["contacts"][1]["reasons"]
    assert slugs(ask(client, "other.co.uk")) == ["cert-gb"]
    assert slugs(ask(client, "evil-example.org")) == []


@pytest.mark.usefixtures("cases")
def test_an_as_number_in_two_countries_says_that_it_depends(client: FlaskClient) -> None:
    contacts = ask(client, "AS64500")["contacts"]
    assert [c["team"]["slug"] for c in contacts] == ["as-holder", "cert-at", "cert-de"]
    assert all("depends on the prefix" in c["reasons"] for c in contacts[1:])
    assert slugs(ask(client, "198.51.100.200")) == ["as-holder", "cert-de"]


@pytest.mark.usefixtures("cases")
@pytest.mark.parametrize("written", ["10.0.0.1", "192.0.2.1", "fe80::1", "AS64496"])
def test_private_and_reserved_space_is_an_answer(client: FlaskClient, written: str) -> None:
    answer = ask(client, written)
    assert (answer["status"], answer["contacts"]) == ("not_routable", [])


@pytest.mark.usefixtures("cases")
def test_every_key_is_always_there(client: FlaskClient) -> None:
    for q in ("203.0.113.70", "AT", "AF", "10.0.0.1", "www.example.com", "as-holder"):
        answer = ask(client, q, exclude_team="cert-at")
        assert set(answer) == ANSWER
        assert set(answer["query"]) == {"input", "kind", "value"}
        for contact in answer["contacts"]:
            assert set(contact) == CONTACT
            assert set(contact["team"]) == TEAM
            assert set(contact["channel"]) == CHANNEL
            assert set(contact["basis"]) == BASIS
            assert contact["responsiveness"] is None
        for out in answer["rejected"]:
            assert set(out) == {"team", "basis", "reason"}
            assert (set(out["team"]), set(out["basis"])) == ({"slug"}, BASIS)


def test_an_empty_service_answers_with_nulls(client: FlaskClient) -> None:
    answer = ask(client, "193.0.6.139")
    assert (answer["status"], answer["registry"], answer["registry_version"]) == ("no_contact", None, None)
    assert answer["directory_version"] == "0"


@pytest.mark.usefixtures("cases")
def test_whoever_is_excluded_is_named_and_not_contacted(client: FlaskClient) -> None:
    answer = ask(client, "AT", exclude_team="cert-at")
    assert [(out["team"]["slug"], out["reason"]) for out in answer["rejected"]] == [
        ("cert-at", "excluded by the asker: this team")
    ]
    answer = ask(client, "AS64500", exclude_country=["AUT", "DE"])
    assert answer["contacts"] == []
    assert {out["team"]["slug"] for out in answer["rejected"]} == {"as-holder", "cert-at", "cert-de"}


@pytest.mark.usefixtures("cases")
def test_the_kind_of_report_changes_the_order(client: FlaskClient) -> None:
    leak = "information-content-security/data-leak"
    assert slugs(ask(client, "198.51.100.1")) == ["as-holder", "cert-at"]
    assert slugs(ask(client, "198.51.100.1", kind_of_report=leak)) == ["cert-at", "as-holder"]


@pytest.mark.usefixtures("cases")
def test_many_are_answered_in_the_order_asked_and_as_singly(client: FlaskClient) -> None:
    asked = ["AT", "203.0.113.70", "AT", "10.0.0.1", "hxxp://münchen[.]de/x", "AF"]
    response = client.post(PATH, json={"q": asked, "sector": "energy", "exclude_country": "US"})
    assert response.status_code == 200
    assert response.json["next"] is None
    singly = [ask(client, q, sector="energy", exclude_country="US") for q in asked]
    assert response.json["items"] == singly


def test_a_thousand_at_once_and_no_more(client: FlaskClient) -> None:
    assert len(client.post(PATH, json={"q": ["AT"] * 1000}).json["items"]) == 1000
    problem(client.post(PATH, json={"q": ["AT"] * 1001}), "q")


@pytest.mark.usefixtures("cases")
def test_no_statement_reaches_the_database_for_whoever_is_anonymous(client: FlaskClient) -> None:
    index()  # what a process reads once
    with statements() as seen:
        for q in ("203.0.113.70", "AT", "münchen.de", "AS64500", "isp", "nonsense"):
            client.get(PATH, query_string={"q": q})
        client.post(PATH, json={"q": ["AT", "203.0.113.70"]})
    assert seen == []


@pytest.mark.usefixtures("cases")
def test_a_change_of_the_directory_is_seen_by_the_next_lookup(client: FlaskClient) -> None:
    before = ask(client, "AF")
    made.team("cert-af", country="AF", responsibilities=[made.responsibility(value="AF", role="national")])
    after = ask(client, "AF")
    assert (before["status"], after["status"]) == ("no_contact", "ok")
    assert before["directory_version"] != after["directory_version"]


def test_a_lookup_is_answered_as_the_directory_stood_on_a_day(client: FlaskClient, api: Api) -> None:
    day = dt.timedelta(days=1)
    row = made.responsibility(value="AF", role="national")
    for slug, rank, days in (("first", 2, 9), ("second", 1, 2)):
        entry = made.team_json(
            slug,
            name=slug.title(),
            country="AF",
            channels=[made.channel(f"{slug}@{slug}.example")],
            responsibilities=[row | {"rank": rank}],
        )
        made.imported(made.file(entry), source=slug, now=made.NOW - days * day)
    with time_machine.travel(made.NOW, tick=False):
        then = api.get(PATH, q="AF", as_of=f"{made.NOW - 5 * day:%Y-%m-%d}").json
        now = api.get(PATH, q="AF", as_of=f"{made.NOW:%Y-%m-%d}").json
        assert (slugs(then), slugs(now)) == (["first"], ["second", "first"])
        assert f"the directory as it stood at the end of {made.NOW - 5 * day:%Y-%m-%d}" in then["notes"]
        assert then["directory_version"] == f"{made.NOW - 5 * day:%Y-%m-%d}T23:59:59.999999Z"
        many = api.post(PATH, {"q": ["AF"], "as_of": f"{made.NOW - 5 * day:%Y-%m-%d}"}).json
        assert many["items"] == [then]
        for wrong in ("2099-01-01", "yesterday", "2026-11-01T00:00:00Z"):
            assert problem(api.get(PATH, q="AF", as_of=wrong), "as_of") == "as_of_invalid"
    assert client.get(PATH, query_string={"q": "AF", "as_of": "2026-11-01"}).status_code == 401


@pytest.mark.usefixtures("cases")
def test_nothing_of_a_lookup_stands_in_a_log_or_a_cache(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for q in ("203.0.113.70", "victim.example", "not@@an-indicator"):
        for response in (client.get(PATH, query_string={"q": q}), client.post(PATH, json={"q": [q]})):
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert "Set-Cookie" not in response.headers
    printed = capfd.readouterr()
    logged = caplog.text + printed.out + printed.err
    assert not any(word in logged for word in ("203.0.113.70", "victim.example", "an-indicator"))


@pytest.mark.usefixtures("cases")
def test_a_workspace_sees_how_teams_answered_it_and_nobody_else_does(
    app: Flask, api: Api, now: dt.datetime
) -> None:
    with time_machine.travel(now, tick=False):
        for days, answers in ((9, True), (8, True), (7, False)):
            sent = now - dt.timedelta(days=days)
            logged = api.post("/api/v1/notifications", {"team": "cert-at", "sent_at": sent.isoformat()})
            if answers:
                path = f"/api/v1/notifications/{logged.json['ref']}/events"
                at = (sent + dt.timedelta(hours=6)).isoformat()
                assert api.post(path, {"type": "ack.given", "occurred_at": at}).status_code == 201
        with transaction() as session:
            other = create_workspace(session, name="other", now=now, actor="operator")
            theirs = create_token(session, workspace_id=other.id, now=now, actor="operator")[1]
            narrow = create_token(
                session, workspace_id=other.id, scopes=["notification.log"], now=now, actor="operator"
            )[1]
        (own,) = api.get(PATH, q="AT").json["contacts"]
        many = api.post(PATH, {"q": ["AT", "DE"]}).json["items"]
        (foreign,) = Api(app, theirs).get(PATH, q="AT").json["contacts"]
        (scoped,) = Api(app, narrow).get(PATH, q="AT").json["contacts"]
        (nobody,) = Api(app, None).get(PATH, q="AT").json["contacts"]
    assert {name: own["responsiveness"][name] for name in ("n", "acknowledged", "median_seconds")} == {
        "n": 3,
        "acknowledged": 2,
        "median_seconds": 6 * 3600,
    }
    low, high = own["responsiveness"]["band"]
    assert low is not None
    assert high is None or low <= high
    empty = {"n": 0, "acknowledged": 0, "median_seconds": None, "band": [None, None]}
    assert foreign["responsiveness"] == empty
    assert [item["contacts"][0]["responsiveness"]["n"] for item in many] == [3, 0]
    assert scoped["responsiveness"] is None
    assert nobody["responsiveness"] is None


def test_a_token_that_is_none_is_not_taken_for_anonymous(app: Flask) -> None:
    assert Api(app, "pocdir_nonsense").get(PATH, q="AT").status_code == 401


def test_the_document_describes_both_ways(client: FlaskClient) -> None:
    document = client.get("/api/v1/openapi.json").json
    operations = document["paths"][PATH]
    names = [parameter["name"] for parameter in operations["get"]["parameters"]]
    narrowing = ["sector", "kind_of_report", "exclude_team", "exclude_country", "exclude_host"]
    narrowing += ["as_of", "purpose"]
    assert names == ["q", *narrowing]
    answer = operations["get"]["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    described = document["components"]["schemas"][answer.rpartition("/")[2]]
    assert set(described["properties"]) == ANSWER == set(described["required"])
    assert "422" in operations["get"]["responses"]
    assert "requestBody" in operations["post"]
    assert json.dumps(document)
