"""Threat intelligence as reports: STIX and IODEF name whom to tell, and whom not."""

from __future__ import annotations

import json

import pytest

from tests.routing.test_reports_tables import refusal, rows, table

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
