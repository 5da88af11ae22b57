"""Reports without columns become a table: every address that they name, each record accounted for."""

from __future__ import annotations

import json

import pytest

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports.layout import HEADER, Table
from pocdir.routing.rules.reports.recognise import recognised
from pocdir.routing.rules.reports.tabulate import tabulated


def table(data: bytes) -> Table:
    return tabulated(data, recognised(data).report, name="report")


def rows(data: bytes) -> list[dict[str, str]]:
    """What stands in each row, empty cells and the record left out."""
    found = (dict(zip(HEADER, row, strict=True)) for row in table(data).rows)
    return [{key: cell for key, cell in row.items() if cell and key != "record"} for row in found]


def refusal(data: bytes, report: str) -> Invalid:
    with pytest.raises(Invalid) as caught:
        tabulated(data, report, name="report")
    return caught.value


# IntelMQ and other JSON

EVENT = {
    "source.ip": "203.0.113.1",
    "source.asn": 64500,
    "source.geolocation.cc": "AT",
    "destination.ip": "198.51.100.1",
    "time.source": "2026-01-01T00:00:00+00:00",
    "classification.taxonomy": "malicious-code",
    "classification.type": "infected-system",
}
EVENT_ROW = {
    "ip": "203.0.113.1",
    "asn": "64500",
    "country": "AT",
    "timestamp": "2026-01-01T00:00:00+00:00",
    "classification": "malicious-code/infected-system",
    "id": "1",
}
NESTED = {
    "source": {"ip": "203.0.113.1", "asn": 64500, "geolocation": {"cc": "AT"}},
    "time": {"source": "2026-01-01T00:00:00+00:00"},
    "classification": {"taxonomy": "malicious-code", "type": "infected-system"},
}


@pytest.mark.parametrize("event", [EVENT, NESTED])
@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        lambda event: json.dumps([event], indent=2),
        lambda event: "\ufeff" + json.dumps(event) + "\r\n",
    ],
)
def test_an_event_of_intelmq_is_for_its_source(event, write):
    data = write(event).encode()

    assert rows(data) == [EVENT_ROW]
    assert table(data).report == "intelmq-json"
    assert json.loads(table(data).rows[0][-1]) == event


def test_every_line_is_a_record_with_its_number_also_without_an_address():
    data = b'{"ip": "203.0.113.1"}\n\n{"comment": "nobody"}\n{"ip": "not an address"}\n'

    assert rows(data) == [{"ip": "203.0.113.1", "id": "1"}, {"id": "2"}, {"ip": "not an address", "id": "3"}]
    assert table(data).report == "json"


def test_shadowserver_as_json_is_for_the_party_it_names_first():
    event = {
        "timestamp": "2026-01-01",
        "dst_ip": "203.0.113.1",
        "dst_asn": 1,
        "dst_geo": "AT",
        "src_ip": "192.0.2.1",
    }

    assert rows(json.dumps(event).encode())[0]["ip"] == "203.0.113.1"


@pytest.mark.parametrize(
    ("data", "code", "where"),
    [
        (b'{"ip": "203.0.113.1"}\n{"ip":\n', "report_malformed", "report:3:1"),
        (b'{"ip": "203.0.113.1"}\n17\n', "report_malformed", "report"),
        (b'{"ip": "203.0.113.1", "ip": "203.0.113.2"}', "report_malformed", "report:1"),
        (b'{"ip": NaN}', "report_malformed", "report:1"),
        (b'{"ip": 1e999}', "report_malformed", "report:1"),
        (b'{"ip": ' + b"1" * 5000 + b"}", "report_malformed", "report:1"),
        (b"[" * 100_000, "report_malformed", "report:1"),
        (b'{"a":' * 100_000, "report_malformed", "report:1"),
        (b'{"ip": "\xff"}', "report_encoding", "report"),
        (b'{"comment": "nobody"}', "report_no_address", "report"),
        (b"[]", "report_no_address", "report"),
        (json.dumps({f"n{n}": n for n in range(5001)}).encode(), "report_malformed", "report"),
    ],
)
def test_json_that_is_none_is_refused_with_its_place(data, code, where):
    refused = refusal(data, "json")

    assert (refused.code, refused.where) == (code, where)


def test_controls_and_half_characters_in_a_record_stay_in_the_record():
    data = json.dumps({"ip": "203.0.113.1\u0000\u202e", "x": "\ud800\n"}).encode()

    ((ip, *_, record),) = table(data).rows
    assert ip == "203.0.113.1\ufffd\ufffd"
    assert record.isascii()
    assert record.isprintable()
    assert json.loads(record)["x"] == "\ud800\n"


# XARF, X-ARF, ARF

XARF_4 = {
    "xarf_version": "4.2.0",
    "report_id": "1a5ec293-0849-40a4-9eba-d5926262ff05",
    "timestamp": "2026-01-01T00:00:00Z",
    "source_identifier": "203.0.113.1",
    "destination_ip": "198.51.100.1",
    "url": "http://www.example.org/x",
    "category": "content",
    "type": "phishing",
    "tags": ["severity:high", "target:banking"],
    "_internal": {"campaign": "a secret"},
}


def test_xarf_4_is_for_its_source_and_keeps_the_senders_notes_back():
    data = json.dumps(XARF_4).encode()

    assert rows(data) == [
        {
            "ip": "203.0.113.1",
            "url": "http://www.example.org/x",
            "timestamp": "2026-01-01T00:00:00Z",
            "classification": "content/phishing",
            "labels": "severity:high, target:banking",
            "id": "1a5ec293-0849-40a4-9eba-d5926262ff05",
        }
    ]
    assert "secret" not in table(data).rows[0][-1]


@pytest.mark.parametrize(
    ("report", "place"),
    [
        ({"SourceIp": "203.0.113.1", "DestinationIp": "198.51.100.1"}, {"ip": "203.0.113.1"}),
        ({"Source": {"IP": "203.0.113.1", "Type": "ip"}}, {"ip": "203.0.113.1"}),
        ({"Source": {"URL": "https://example.org/x", "Type": "uri"}}, {"url": "https://example.org/x"}),
        ({"SourceIp": "not an IP", "SourceUrl": "https://example.org/x"}, {"url": "https://example.org/x"}),
        ({"DestinationIp": "198.51.100.1", "AttackerIp": "192.0.2.1", "Account": {}}, {"ip": "198.51.100.1"}),
        ({"SourceIp": "not an IP"}, {"ip": "not an IP"}),
    ],
)
def test_xarf_3_is_for_its_source_or_where_the_account_is_kept(report, place):
    said = {"ReportClass": "Activity", "ReportType": "Malware", "Date": "2026-01-01T00:00:00Z"} | report
    data = json.dumps({"Version": "3", "ReporterInfo": {}, "Disclosure": True, "Report": said}).encode()

    assert rows(data) == [
        {"classification": "Activity/Malware", "timestamp": "2026-01-01T00:00:00Z", "id": "1"} | place
    ]


def test_xarf_that_is_for_nobody_is_refused():
    attack = {"DestinationIp": "198.51.100.1", "ReportType": "DDoS"}

    assert (
        refusal(json.dumps({"Version": "3", "Report": attack}).encode(), "json").code == "report_no_address"
    )


MAIL = """From: reporter@example.org
Subject: abuse report
MIME-Version: 1.0
X-XARF: PLAIN
Content-Type: multipart/mixed; boundary="=="

--==
Content-Type: text/plain; charset=utf-8

Dear colleagues, source: 192.0.2.9 is one of many.
--==
Content-Type: {kind}; name="report.txt"

{report}
--==--
"""
X_ARF = """---
Reported-From: reporter@example.org
Report-ID: 42@example.org
Category: abuse
Report-Type: login-attack
Service: ssh
Source: 203.0.113.1
Source-Type: ipv4
Date: 'Thu, 01 Jan 2026 00:00:00 +0000'
Attachment: none
"""
X_ARF_ROW = {
    "ip": "203.0.113.1",
    "timestamp": "Thu, 01 Jan 2026 00:00:00 +0000",
    "classification": "abuse/login-attack",
    "labels": "ssh",
    "id": "42@example.org",
}


@pytest.mark.parametrize(
    "data", [MAIL.format(kind="text/plain", report=X_ARF), X_ARF, MAIL.format(kind="text/yaml", report=X_ARF)]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_x_arf_mail_is_for_its_source(data, end):
    found = data.replace("\n", end).encode()

    assert recognised(found).report == "x-arf"
    assert rows(found) == [X_ARF_ROW]


def test_a_mail_may_carry_xarf_or_arf():
    carried = MAIL.format(kind="application/json", report=json.dumps(XARF_4)).encode()
    arf = MAIL.format(
        kind="message/feedback-report",
        report="Feedback-Type: abuse\nSource-IP: 203.0.113.1\nUser-Agent: x/1\n",
    ).encode()

    assert rows(carried)[0]["ip"] == "203.0.113.1"
    assert rows(arf) == [{"ip": "203.0.113.1", "classification": "abuse", "id": "1"}]


@pytest.mark.parametrize("report", ["Hello", "Source: 203.0.113.1", "a: &a [*a]"])
def test_a_mail_without_a_report_is_refused(report):
    assert refusal(MAIL.format(kind="text/plain", report=report).encode(), "x-arf").code == "report_unknown"


def test_mails_packed_into_one_another_without_end_are_refused():
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(100))

    assert refusal(nested, "x-arf").code == "report_malformed"


def test_an_alias_is_no_address():
    data = X_ARF.replace("Source: 203.0.113.1", "Source: *anchor").encode()

    assert rows(data)[0]["ip"] == "*anchor"
