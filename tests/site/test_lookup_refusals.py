"""What a lookup refuses, and what it says would be right."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.site.test_lookup_api import PATH, problem


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " ",
        "not an indicator",
        "01.2.3.4",
        "203.0.113.70/24",
        "fe80::1%eth0",
        "AS99999999999",
        "\0",
        "a" * 5000,
    ],
)
def test_a_wrong_indicator_is_refused_with_what_would_be_right(client: FlaskClient, wrong: str) -> None:
    assert problem(client.get(PATH, query_string={"q": wrong}), "q") == "indicator_invalid"
    many = client.post(PATH, json={"q": ["AT", "DE", "CH", wrong]})
    assert problem(many, "q.3") == "indicator_invalid"
    assert set(many.json["errors"]) == {"q.3"}


@pytest.mark.parametrize(
    ("query", "code", "where"),
    [
        ("", "indicator_invalid", "q"),
        ("q=AT&q=DE", "invalid", "q"),
        ("q=AT&sektor=energy", "invalid", "sektor"),
        ("q=AT&sector=%25", "sector_invalid", "sector"),
        ("q=AT&sector=%00", "sector_invalid", "sector"),
        ("q=AT&kind_of_report=gossip", "class_invalid", "kind_of_report"),
        ("q=AT&kind_of_report=fraud/gossip", "type_invalid", "kind_of_report"),
        ("q=AT&kind_of_report=fraud/", "type_invalid", "kind_of_report"),
        ("q=AT&exclude_team=nobody", "team_unknown", "exclude_team"),
        ("q=AT&exclude_country=ZZ", "country_invalid", "exclude_country"),
        ("q=AT&exclude_host=spies", "host_invalid", "exclude_host"),
        ("q=AT&purpose=gossip", "purpose_invalid", "purpose"),
    ],
)
def test_what_narrows_is_checked_too(client: FlaskClient, query: str, code: str, where: str) -> None:
    assert problem(client.get(f"{PATH}?{query}"), where) == code


LIST = 'a list of 1 to 1000 texts is right, such as ["203.0.113.70", "example.org"]'


@pytest.mark.parametrize(
    ("body", "where", "says"),
    [
        ({}, "q", LIST),
        ({"q": []}, "q", f"0 are given; {LIST}"),
        ({"q": ["AT"] * 1001}, "q", f"1001 are given; {LIST}"),
        ({"q": "AT"}, "q", LIST),
        ({"q": None}, "q", LIST),
        ({"q": {"0": "AT"}}, "q", LIST),
        ({"q": ["AT", 1]}, "q.1", "a text in quotation marks is right"),
        ({"q": [None]}, "q.0", "a text in quotation marks is right"),
        ({"q": ["AT"], "other": 1}, "other", "one of q, sector, kind_of_report, exclude_team"),
        ({"q": ["AT"], "sector": ["energy"]}, "sector", "a text in quotation marks is right (null: any)"),
        ({"q": ["AT"], "kind_of_report": 5}, "kind_of_report", "a text in quotation marks is right"),
        ({"q": ["AT"], "exclude_team": [["a"]]}, "exclude_team.0", "a text in quotation marks is right"),
        ({"q": ["AT"], "exclude_country": 5}, "exclude_country", "a text, or a list of at most 1000"),
        ({"q": ["AT"], "exclude_team": "x" * 300}, "exclude_team.0", "at most 200 characters are right"),
        ([], "body", 'an object is right, such as {"q": ["203.0.113.70", "example.org"]}'),
        ("AT", "body", "an object is right"),
    ],
)
def test_a_body_that_is_none_is_refused_with_what_would_be_right(
    client: FlaskClient, body: Any, where: str, says: str
) -> None:
    refused = client.post(PATH, json=body)
    problem(refused, where)
    assert says in refused.json["errors"][where][0]
    assert says in refused.json["detail"]


def test_what_is_null_does_not_narrow(client: FlaskClient) -> None:
    names = (
        "sector",
        "kind_of_report",
        "exclude_team",
        "exclude_country",
        "exclude_host",
        "as_of",
        "purpose",
    )
    narrowed = client.post(PATH, json={"q": ["AT"]} | dict.fromkeys(names))
    assert narrowed.json == client.post(PATH, json={"q": ["AT"]}).json


def test_a_sector_that_nobody_answers_for_is_said(client: FlaskClient) -> None:
    said = "no team is known for the sector fishery in AT"
    assert said in client.get(PATH, query_string={"q": "AT", "sector": "fishery"}).json["notes"]
    assert said not in client.get(PATH, query_string={"q": "AT"}).json["notes"]


def test_what_is_no_json_is_refused(client: FlaskClient) -> None:
    assert client.post(PATH, data=b"{", content_type="application/json").status_code in (400, 422)
    assert client.post(PATH, data=b"q=AT", content_type="text/plain").status_code == 415
    for body in (b"\xff\xfe", '{"q": ["München"]}'.encode("latin-1"), '{"q": ["AT"]}'.encode("utf-16")):
        refused = client.post(PATH, data=body, content_type="application/json")
        assert (refused.status_code, refused.json["detail"]) == (422, "the body is not UTF-8, as JSON is")


@pytest.mark.parametrize(
    "hostile",
    [
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "http://[::1",
        "http://user:secret@example.org:99999/",
        "\u202ecom.elpmaxe",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16") * 100,
        "1" * 4000,
        "a." * 2000 + "org",
        "%s%n{0}{{7*7}}",
        "=cmd|' /C calc'!A0",
    ],
)
def test_hostile_input_is_answered_or_refused(client: FlaskClient, hostile: str) -> None:
    for response in (client.get(PATH, query_string={"q": hostile}), client.post(PATH, json={"q": [hostile]})):
        assert response.status_code in (200, 422), response.text


def test_bytes_that_are_no_text_are_refused(client: FlaskClient) -> None:
    assert client.get(f"{PATH}?q=%ff%fe").status_code == 422
