"""The door for IntelMQ: tuency's shape, two labelled destinations, and the line of text."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import Api

pytestmark = pytest.mark.usefixtures("cases")
PATH = "/intelmq/lookup"
FEED = {
    "classification_taxonomy": "malicious-code",
    "classification_type": "infected-system",
    "feed_provider": "Example",
    "feed_name": "Sinkhole",
    "feed_status": "production",
}


def ask(client: FlaskClient, **given: str) -> dict[str, Any]:
    response = client.get(PATH, query_string=FEED | given)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json
    return answer


def destination(source: str, name: str, email: str) -> dict[str, Any]:
    return {"source": source, "name": name, "contacts": [{"email": email}]}


ISP = destination("networks", "ISP", "abuse@isp.example")
AT = destination("list", "CERT AT", "cert@at.example")


def test_an_address_is_told_to_its_host_and_a_copy_goes_to_the_national_team(client: FlaskClient) -> None:
    answer = ask(client, ip="203.0.113.10")
    assert answer == {
        "ip": {"destinations": [ISP, AT]},
        "suppress": False,
        "interval": {"unit": "immediate", "length": 1},
    }


def test_address_and_name_are_two_destinations(client: FlaskClient) -> None:
    answer = ask(client, ip="203.0.113.10", domain="www.example.co.uk")
    assert answer["ip"] == {"destinations": [ISP, AT]}
    assert [it["contacts"] for it in answer["domain"]["destinations"]] == [
        [{"email": "example-uk@example-uk.example"}]
    ]
    assert set(ask(client, domain="www.example.co.uk")) == {"domain", "suppress", "interval"}


def test_nobody_is_an_empty_list(client: FlaskClient) -> None:
    assert ask(client, ip="10.0.0.1")["ip"] == {"destinations": []}


def test_what_cannot_be_looked_up_does_not_keep_back_the_other(client: FlaskClient) -> None:
    answer = ask(client, ip="203.0.113.10", domain="-not a name-")
    assert (len(answer["ip"]["destinations"]), answer["domain"]) == (2, {"destinations": []})
    answer = ask(client, ip="www.example.co.uk", domain="www.example.co.uk")
    assert (answer["ip"], len(answer["domain"]["destinations"])) == ({"destinations": []}, 1)


@pytest.mark.parametrize(
    "given",
    [{}, {"ip": "999.1.1.1"}, {"domain": "203.0.113.10"}, {"ip": "AT"}, {"ip": "x y", "domain": "x y"}],
)
def test_nothing_that_can_be_looked_up_is_refused(client: FlaskClient, given: dict[str, str]) -> None:
    refused = client.get(PATH, query_string=FEED | given)
    assert (refused.status_code, refused.json["code"]) == (422, "indicator_invalid")
    assert refused.content_type == "application/problem+json"


def test_the_kind_of_report_changes_the_order_and_whoever_gets_no_detail_gets_no_event(
    client: FlaskClient,
) -> None:
    leak = {"classification_taxonomy": "information-content-security", "classification_type": "data-leak"}
    assert [it["name"] for it in ask(client, ip="198.51.100.1", **leak)["ip"]["destinations"]] == ["CERT AT"]
    names = [it["name"] for it in ask(client, ip="198.51.100.1")["ip"]["destinations"]]
    assert names == ["As-holder", "CERT AT"]


def test_words_of_another_taxonomy_do_not_narrow(client: FlaskClient) -> None:
    other = {
        "classification_taxonomy": "malicious code",
        "classification_type": "botnet drone",
        "feed_code": "x",
    }
    assert ask(client, ip="203.0.113.10", later="name", **other)["ip"] == {"destinations": [ISP, AT]}


def test_a_token_is_checked_and_none_is_needed(client: FlaskClient, api: Api) -> None:
    assert api.get(PATH, ip="203.0.113.10").status_code == 200
    wrong = client.get(PATH, query_string={"ip": "203.0.113.10"}, headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401


@pytest.mark.parametrize(
    ("sep", "text"),
    [
        ("semicolon", "203.0.113.10;AT;;abuse@isp.example,cert@at.example\n"),
        ("TAB", "203.0.113.10\tAT\t\tabuse@isp.example,cert@at.example\n"),
        ("pipe", "203.0.113.10|AT||abuse@isp.example,cert@at.example\n"),
        ("comma", '203.0.113.10,AT,,"abuse@isp.example,cert@at.example"\n'),
    ],
)
def test_the_line_of_text_has_address_country_network_and_addresses(
    client: FlaskClient, sep: str, text: str
) -> None:
    response = client.get(PATH, query_string={"ip": "203.0.113.10", "bShowNationalCERT": "on", "sep": sep})
    assert (response.text, response.mimetype) == (text, "text/plain")


def test_a_line_about_nobody_keeps_its_columns(client: FlaskClient) -> None:
    assert client.get(PATH, query_string={"ip": "10.0.0.1", "sep": "semicolon"}).text == "10.0.0.1;;;\n"
    assert client.get(PATH, query_string={"ip": "10.0.0.1", "sep": "dash"}).status_code == 422
