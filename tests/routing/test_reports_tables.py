"""Reports without columns become a table: every address that they name, each record accounted for."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Iterator

import pytest

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports import tabulate
from pocdir.routing.rules.reports.layout import HEADER, Table
from pocdir.routing.rules.reports.opened import FREE, PIECE, packed, unpacked
from pocdir.routing.rules.reports.readable import readable
from pocdir.routing.rules.reports.recognise import recognised
from pocdir.routing.rules.reports.rows import LONGEST_RECORD
from pocdir.routing.rules.reports.tabulate import as_csv, tabulated


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


# STIX


def stix_id(kind: str, number: int) -> str:
    return f"{kind}--00000000-0000-4000-8000-{number:012}"


def indicator(number: int, pattern: str, **more: object) -> dict[str, object]:
    return {
        "type": "indicator",
        "id": stix_id("indicator", number),
        "indicator_types": ["malicious-activity"],
        "labels": ["botnet"],
        "pattern_type": "stix",
        "pattern": pattern,
        "valid_from": "2026-01-01T00:00:00Z",
    } | more


def bundle(*objects: dict[str, object]) -> bytes:
    return json.dumps({"type": "bundle", "id": stix_id("bundle", 0), "objects": objects}).encode()


def addresses(data: bytes) -> list[tuple[str, str]]:
    found = ((key, cell) for row in rows(data) for key, cell in row.items())
    return [(key, cell) for key, cell in found if key in ("ip", "domain", "url", "asn")]


def test_an_indicator_has_its_labels_and_its_record():
    data = bundle(indicator(1, "[ipv4-addr:value = '203.0.113.1']"))

    assert rows(data) == [
        {
            "ip": "203.0.113.1",
            "timestamp": "2026-01-01T00:00:00Z",
            "classification": "malicious-activity",
            "labels": "botnet",
            "id": stix_id("indicator", 1),
        }
    ]
    assert table(data).report == "stix"
    assert json.loads(table(data).rows[0][-1])["pattern"] == "[ipv4-addr:value = '203.0.113.1']"


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("[ipv6-addr:value='2001:db8::1']", [("ip", "2001:db8::1")]),
        ("[domain-name:value = 'example.org' OR url:value = 'https://example.org/it\\'s']",
         [("domain", "example.org"), ("url", "https://example.org/it's")]),
        ("[ipv4-addr:value IN ('203.0.113.1', '203.0.113.2')]", [("ip", "203.0.113.1"), ("ip", "203.0.113.2")]),
        ("[ipv4-addr:value ISSUBSET '203.0.113.0/24']", [("ip", "203.0.113.0/24")]),
        ("[autonomous-system:number = 64500]", [("asn", "64500")]),
        ("[network-traffic:dst_ref.value = '203.0.113.1']", [("ip", "203.0.113.1")]),
        ("[ipv4-addr:value = '203.0.113.1' AND ipv4-addr:value != '203.0.113.2']", [("ip", "203.0.113.1")]),
        ("[ipv4-addr:value = '203.0.113.1'] OR [domain-name:value NOT = 'example.org']", [("ip", "203.0.113.1")]),
        ("[url:value = 'https://a.example/'] AND [file:name = 'url:value = \\'https://b.example/\\'']",
         [("url", "https://a.example/")]),
        ("[ipv4-addr:value = '203.0.113.1'] FOLLOWEDBY [url:value LIKE 'https://%']", [("ip", "203.0.113.1")]),
    ],
)  # fmt: skip
def test_a_pattern_names_what_is_seen_and_not_what_is_not(pattern, found):
    assert addresses(bundle(indicator(1, pattern))) == found


def test_a_record_with_several_addresses_is_shown_to_none_of_them():
    data = bundle(indicator(1, "[ipv4-addr:value = '203.0.113.1' OR ipv4-addr:value = '198.51.100.1']"))

    assert [(row[0], row[-2], row[-1]) for row in table(data).rows] == [
        ("203.0.113.1", stix_id("indicator", 1), ""),
        ("198.51.100.1", stix_id("indicator", 1), ""),
    ]


def test_indicators_of_files_and_revoked_ones_keep_a_row_without_address():
    data = bundle(
        indicator(1, "[file:hashes.MD5 = '00']"),
        indicator(2, "[ipv4-addr:value = '203.0.113.2']", revoked=True),
        indicator(3, "[ipv4-addr:value = '203.0.113.3']"),
    )

    assert [(row.get("ip"), row["labels"]) for row in rows(data)] == [
        (None, "botnet"), (None, "botnet, revoked"), ("203.0.113.3", "botnet"),
    ]  # fmt: skip


def address(number: int) -> dict[str, object]:
    return {"type": "ipv4-addr", "id": stix_id("ipv4-addr", number), "value": f"203.0.113.{number}"}


def test_observables_count_where_an_indicator_is_tied_to_them():
    data = bundle(
        indicator(1, "[file:name = 'x']"),
        address(1), address(2), address(3), address(4),
        {"type": "relationship", "id": stix_id("relationship", 1), "relationship_type": "based-on",
         "source_ref": stix_id("indicator", 1), "target_ref": stix_id("ipv4-addr", 1)},
        {"type": "sighting", "id": stix_id("sighting", 1), "sighting_of_ref": stix_id("indicator", 1),
         "observed_data_refs": [stix_id("observed-data", 1), stix_id("observed-data", 2), stix_id("observed-data", 9)]},
        {"type": "observed-data", "id": stix_id("observed-data", 1), "object_refs": [stix_id("ipv4-addr", 2)]},
        {"type": "observed-data", "id": stix_id("observed-data", 2), "objects": {"0": {"type": "url", "value": "https://example.org/"}}},
        {"type": "observed-data", "id": stix_id("observed-data", 3), "object_refs": [stix_id("ipv4-addr", 3)]},
    )  # fmt: skip

    assert addresses(data) == [("ip", "203.0.113.1"), ("ip", "203.0.113.2"), ("url", "https://example.org/")]


def test_addresses_that_no_indicator_names_are_nobodys_to_tell():
    assert (
        refusal(bundle(address(1), {"type": "malware", "id": stix_id("malware", 1)}), "json").code
        == "report_no_address"
    )


# IODEF

IODEF = """<?xml version="1.0" encoding="UTF-8"?>
<IODEF-Document version="{version}" xmlns="urn:ietf:params:xml:ns:iodef-{version}">
  <Incident purpose="reporting">
    <IncidentID name="csirt.example.org">189493</IncidentID>
    <ReportTime>2026-01-01T00:00:00+00:00</ReportTime>
    {body}
  </Incident>
</IODEF-Document>"""
SYSTEMS = """<EventData><Flow>
  <System category="source"><Node><Address category="ipv4-addr">203.0.113.1</Address></Node></System>
  <System category="intermediate"><Node>{name}
    <Address category="ipv4-net-mask">203.0.113.128/255.255.255.128</Address></Node></System>
  <System category="target"><Node><Address category="ipv6-addr">2001:db8::1</Address></Node></System>
  <System category="sensor"><Node><Address category="ipv4-addr">198.51.100.1</Address></Node></System>
</Flow></EventData>"""


def iodef(body: str, version: str = "2.0") -> bytes:
    return IODEF.format(body=body, version=version).encode()


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("1.0", "<NodeName>www.example.org</NodeName>"),
        ("2.0", "<DomainData><Name>www.example.org</Name></DomainData>"),
    ],
)
def test_an_incident_is_for_its_sources_and_what_lies_between(version, name):
    data = iodef(SYSTEMS.format(name=name), version)

    assert table(data).report == "iodef"
    assert rows(data)[0] == {
        "ip": "203.0.113.1",
        "timestamp": "2026-01-01T00:00:00+00:00",
        "labels": "source",
        "id": "csirt.example.org/189493",
    }
    assert sorted(addresses(data)) == [
        ("domain", "www.example.org"),
        ("ip", "203.0.113.1"),
        ("ip", "203.0.113.128/25"),
    ]
    record = table(data).rows[0][-1]
    assert "203.0.113.1" in record
    assert "example" not in record
    assert record.isprintable()


def test_where_nothing_but_targets_is_named_they_are_told():
    system = '<System category="target"><Node><Address>198.51.100.1</Address></Node></System>'

    assert addresses(iodef(f"<EventData><Flow>{system}</Flow></EventData>")) == [("ip", "198.51.100.1")]


def test_indicators_of_version_2_are_read():
    body = """<IndicatorData><Indicator><IndicatorID name="x" version="1">G9</IndicatorID>
      <Observable><Address category="ipv4-addr">203.0.113.1</Address></Observable>
      <Observable><BulkObservable type="ipv4-addr"><BulkObservableList>
        203.0.113.2
        203.0.113.3
      </BulkObservableList></BulkObservable></Observable>
      <Observable><DomainData><Name>example.org</Name></DomainData></Observable></Indicator></IndicatorData>"""

    assert addresses(iodef(body)) == [
        ("ip", "203.0.113.1"), ("ip", "203.0.113.2"), ("ip", "203.0.113.3"), ("domain", "example.org"),
    ]  # fmt: skip


def test_systems_within_systems_are_read_once():
    inner = "<Address>203.0.113.1</Address>" * 100

    assert len(table(iodef("<System>" * 200 + inner + "</System>" * 200)).rows) == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (iodef(""), "report_no_address"),
        (iodef("<Broken>"), "report_malformed"),
        (b"<IODEF-Document><Incident/>", "report_malformed"),
        (b"<other><IODEF-Document/></other>", "report_unknown"),
        (b'<?xml version="1.0" encoding="nonsense"?><IODEF-Document/>', "report_malformed"),
        (
            b"<IODEF-Document>" + b"<a>" * 50_000 + b"</a>" * 50_000 + b"</IODEF-Document>",
            "report_no_address",
        ),
        (iodef("<a>" * 5000 + "</a>" * 5000), "report_malformed"),
    ],
)
def test_other_xml_is_refused(data, code):
    assert refusal(data, "iodef").code == code


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "https://example.org/x.dtd">',
    ],
)
def test_entities_are_refused_before_they_swell_or_fetch(doctype):
    data = f'<?xml version="1.0"?>{doctype}<IODEF-Document>&a;</IODEF-Document>'.encode()

    assert refusal(data, "iodef").code == "report_malformed"


# The table as a file


def test_the_table_is_a_file_that_is_recognised():
    data = json.dumps([EVENT | {"note": 'a "quoted"\nline'}] * 2500).encode()

    made = b"".join(as_csv(io.BytesIO(data), "json"))

    layout = recognised(made)
    assert [(layout.header[index], kind) for index, kind in layout.columns] == [
        (kind, kind) for kind in ("ip", "domain", "url", "asn", "country", "timestamp")
    ]
    assert made.count(b"\r\n") == 2501
    assert len(list(csv.reader(io.StringIO(made.decode(), newline="")))) == 2501


def test_a_record_longer_than_a_row_may_be_leaves_its_id():
    data = json.dumps(XARF_4 | {"evidence": "x" * LONGEST_RECORD}).encode()

    assert table(data).rows[0][-2:] == (XARF_4["report_id"], "")


def test_long_files_of_json_lines_are_read_line_by_line(monkeypatch):
    lines = b"".join(b'{"ip": "203.0.113.1", "n": %d}\n' % number for number in range(2500))
    whole = b"".join(as_csv(io.BytesIO(lines), "json"))
    monkeypatch.setattr(tabulate, "MOST_BYTES", 1000)

    assert b"".join(as_csv(io.BytesIO(lines), "json")) == whole


@pytest.mark.parametrize(
    ("data", "code", "where"),
    [
        (b"[" + b" " * 2_000_000, "report_too_large", "report:1"),
        (b'{"ip": "203.0.113.1"}\n' * 100 + b"{", "report_malformed", "report:101:1:2"),
        (b'{"x": "203.0.113.1"}\n' * 100, "report_no_address", "report"),
    ],
)
def test_long_json_that_is_no_lines_is_refused(monkeypatch, data, code, where):
    monkeypatch.setattr(tabulate, "MOST_BYTES", 1000)

    with pytest.raises(Invalid) as caught:
        list(as_csv(io.BytesIO(data), "json", name="report"))

    assert (caught.value.code, caught.value.where) == (code, where)


def test_a_report_beyond_the_limits_is_refused(monkeypatch):
    monkeypatch.setattr(tabulate, "MOST_ROWS", 10)
    monkeypatch.setattr(tabulate, "MOST_BYTES", 1000)

    assert refusal(b'{"ip":"203.0.113.1"}' * 11, "json").code == "report_too_large"
    assert refusal(b" " * 1001, "json").code == "report_too_large"
    assert refusal(b"A: b\n" * 3_000_000, "x-arf").code == "report_too_large"


# Archives

CSV = b"ip,cc\n" + b"".join(b"203.0.113.%d,AT\n" % (n % 256) for n in range(200_000))


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def opened(data: bytes, **more: int) -> bytes:
    return b"".join(unpacked(io.BytesIO(data), name="report", **more))


def test_an_archive_of_one_report_is_opened_in_pieces():
    for data in (
        gzip.compress(CSV),
        gzip.compress(CSV[:1000]) + gzip.compress(CSV[1000:]) + bytes(512),
        zipped(("report.csv", CSV)),
        zipped(("report.csv", CSV), method=zipfile.ZIP_STORED),
        zipped(("__MACOSX/._report.csv", b"x"), ("report.csv", CSV), ("folder/", b"")),
    ):
        pieces = list(unpacked(io.BytesIO(data)))
        assert b"".join(pieces) == CSV
        assert max(map(len, pieces)) <= PIECE


def test_what_is_packed_is_known_by_its_first_bytes():
    assert [packed(data[:4]) for data in (gzip.compress(b""), zipped(("a", b"")), zipped(), CSV)] == [
        "gzip",
        "zip",
        "zip",
        None,
    ]


def encrypted() -> bytes:
    data = bytearray(zipped(("report.csv", CSV)))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def archives() -> Iterator[tuple[bytes, str]]:
    whole = gzip.compress(CSV)
    yield CSV, "neither"
    yield b"", "neither"
    yield whole[:-9], "breaks off"
    yield whole[: len(whole) // 2], "breaks off"
    yield whole[:-8] + bytes(8), "damaged"
    yield whole + b"garbage", "damaged"
    yield zipped(), "none"
    yield zipped(("a.csv", CSV), ("b\x1b.csv", CSV)), "'a.csv', 'b\\x1b.csv'"
    yield zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")), "office document"
    yield zipped(("a.csv", CSV), method=zipfile.ZIP_LZMA), "rare"
    yield encrypted(), "encrypted"
    yield zipped(("a.csv", CSV))[:-30], "damaged"
    yield b"PK\x03\x04" + bytes(100), "damaged"
    damaged = bytearray(zipped(("a.csv", CSV)))
    damaged[200:260] = bytes(60)
    yield bytes(damaged), "damaged"


@pytest.mark.parametrize(("data", "says"), list(archives()))
def test_an_archive_that_is_no_single_whole_report_is_refused(data, says):
    with pytest.raises(Invalid) as caught:
        opened(data)

    assert (caught.value.code, caught.value.where) == ("report_archive", "report")
    assert says in caught.value.message


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped(("a.csv", data))])
def test_a_bomb_is_refused_long_before_its_end(pack):
    bomb = pack(bytes(4 * FREE))

    came = 0
    with pytest.raises(Invalid) as caught:
        for piece in unpacked(io.BytesIO(bomb)):
            came += len(piece)

    assert caught.value.code == "report_too_large"
    assert came <= FREE + PIECE + 200 * len(bomb)


def test_an_archive_beyond_the_absolute_limit_is_refused():
    with pytest.raises(Invalid) as caught:
        opened(gzip.compress(CSV), most=1_000_000)
    assert caught.value.code == "report_too_large"


def test_a_zip_archive_of_countless_members_is_refused_before_they_are_listed():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"{number:0100}", b"")
    with pytest.raises(Invalid) as caught:
        opened(file.getvalue())
    assert "list of members" in caught.value.message


def test_a_gzip_stream_that_waits_inside_the_decompressor_comes_out_whole():
    rows = bytes(3 * PIECE)
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)

    assert opened(packer.compress(rows) + packer.flush()) == rows


# All of it in one call


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda data: zipped(("report", data))])
def test_any_report_packed_or_not_is_a_layout_and_a_stream_of_rows(pack):
    layout, stream = readable(io.BytesIO(pack(CSV)), name="report")
    assert (layout.header, stream.read()) == (("ip", "cc"), CSV)

    layout, stream = readable(io.BytesIO(pack(json.dumps(EVENT).encode())), name="report")
    assert layout.header == HEADER
    assert stream.read().startswith(",".join(HEADER).encode() + b"\r\n203.0.113.1,")


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation


def test_only_a_zip_archive_needs_a_file():
    assert readable(Pipe(gzip.compress(CSV)))[1].read() == CSV
    with pytest.raises(Invalid) as caught:
        readable(Pipe(zipped(("report", CSV))))
    assert caught.value.code == "report_archive"


def test_an_archive_that_breaks_off_is_refused_at_its_end():
    rows = b"".join(b"203.0.113.%d,%d\n" % (n % 256, n) for n in range(400_000))
    _, stream = readable(io.BytesIO(gzip.compress(b"ip,n\n" + rows)[:-1000]))

    with pytest.raises(Invalid) as caught:
        stream.read()
    assert caught.value.code == "report_archive"


def test_an_archive_within_an_archive_is_refused():
    with pytest.raises(Invalid) as caught:
        readable(io.BytesIO(gzip.compress(gzip.compress(CSV))))
    assert caught.value.code == "report_binary"
