"""The directory over HTTP, for anybody."""

from __future__ import annotations

import pytest

from pocdir.db import transaction
from pocdir.directory.actions import marking
from tests.conftest import Api
from tests.directory import made


@pytest.fixture
def anybody(app):
    return Api(app, None)


@pytest.fixture
def two(app):
    made.imported(
        made.file(
            made.team_json(
                channels=[
                    made.channel(),
                    made.channel("inner@cert.example", audience="members", preference=2),
                ]
            ),
            made.team_json(
                "hoster",
                name="Höster",
                kind="provider",
                country="DE",
                channels=[made.channel("abuse@hoster.example")],
                responsibilities=[made.responsibility("domain", "hoster.example")],
            ),
        )
    )


def slugs(answer):
    assert answer.status_code == 200
    return [team["slug"] for team in answer.json["items"]]


def test_teams_are_listed_oldest_first_in_pages(anybody, two):
    first = anybody.get("/api/v1/teams", limit=1).json
    assert [team["slug"] for team in first["items"]] == ["cert-example"]
    second = anybody.get("/api/v1/teams", limit=1, cursor=first["next"]).json
    assert [team["slug"] for team in second["items"]] == ["hoster"]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "HOSTER"}, ["hoster"]),
        ({"q": "hö"}, ["hoster"]),
        ({"q": "abuse@"}, ["hoster"]),
        ({"q": "cert@cert.example"}, ["cert-example"]),
        ({"q": "%"}, []),
        ({"country": "DEU"}, ["hoster"]),
        ({"kind": "national"}, ["cert-example"]),
        ({"country": "FR"}, []),
    ],
)
def test_teams_are_found_by_name_address_domain_country_and_kind(anybody, two, query, found):
    assert slugs(anybody.get("/api/v1/teams", **query)) == found


def test_a_team_says_who_says_what(anybody, two):
    team = anybody.get("/api/v1/teams/hoster").json
    assert (team["name"], team["kind"], team["country"]) == ("Höster", "provider", "DE")
    assert team["channels"] == [
        {
            "kind": "email",
            "value": "abuse@hoster.example",
            "purpose": "incident",
            "preference": 1,
            "openpgp_fingerprint": None,
            "openpgp_pinned": False,
            "hours": None,
            "audience": "public",
            "state": "unverified",
            "state_since": None,
            "state_evidence": None,
            "reachability": None,
            "origin": "imported",
            "source": "list",
            "as_of": "2026-06-17",
            "confidence": "medium",
            "since": "2026-11-22",
        }
    ]
    assert {fact["field"] for fact in team["facts"]} == {"name", "kind", "country"}
    assert all(fact["in_force"] and fact["source"] == "list" for fact in team["facts"])


def test_the_revision_is_the_etag(anybody, two):
    assert anybody.get("/api/v1/teams/hoster").headers["ETag"] == '"1"'


def test_a_visitor_sees_public_channels_only(anybody, api, two):
    def seen(by):
        return [c["value"] for c in by.get("/api/v1/teams/cert-example/channels").json["items"]]

    assert seen(anybody) == ["cert@cert.example"]
    assert seen(api) == ["cert@cert.example", "inner@cert.example"]
    assert slugs(anybody.get("/api/v1/teams", q="inner@")) == []
    assert slugs(api.get("/api/v1/teams", q="inner@")) == ["cert-example"]
    assert "inner@" not in anybody.get("/api/v1/teams").text


def test_the_history_tells_a_visitor_nothing_of_other_channels(anybody, api, two):
    with transaction() as session:
        marking.mark_address(
            session,
            kind="email",
            value="inner@cert.example",
            state="bouncing",
            evidence="5.1.1",
            now=made.NOW,
            actor="operator",
        )
    told = anybody.get("/api/v1/teams/cert-example/history")
    assert [event["type"] for event in told.json["items"]] == ["contact.changed"]
    assert "inner@" not in told.text
    assert "5.1.1" not in told.text
    changes = [c for event in told.json["items"] for c in event["changes"]]
    assert {"field": "name", "of": [], "before": None, "after": {"value": "CERT Example"}} in changes
    assert "inner@" in api.get("/api/v1/teams/cert-example/history").text


def test_the_history_is_paged(anybody, two):
    page = anybody.get("/api/v1/teams/hoster/history", limit=1).json
    assert len(page["items"]) == 1
    assert page["next"] is None


@pytest.mark.parametrize("path", ["", "/channels", "/history"])
def test_an_unknown_team_is_not_found(anybody, path):
    answer = anybody.get(f"/api/v1/teams/nobody{path}")
    assert (answer.status_code, answer.json["code"]) == (404, "team_unknown")


@pytest.mark.parametrize("query", [{"limit": 0}, {"kind": "x"}, {"country": "Atlantis"}, {"q": "\0"}])
def test_a_wrong_query_is_refused(anybody, query):
    assert anybody.get("/api/v1/teams", **query).status_code == 422


def test_only_stewards_write(anybody, api):
    body = made.team_json()
    assert anybody.post("/api/v1/teams", body).status_code == 401
    assert api.post("/api/v1/teams", body).status_code == 403
    assert api.patch("/api/v1/teams/cert-example", {"name": "Mine"}).status_code == 403
