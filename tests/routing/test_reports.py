"""What a stranger's file is: recognised by its first bytes, or refused with what would be right."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports.columns import PLAIN
from pocdir.routing.rules.reports.layout import HEAD, LONGEST_LINE, Layout
from pocdir.routing.rules.reports.recognise import recognised
from pocdir.routing.rules.reports.tabulate import tabulated


def kinds(layout: Layout) -> list[tuple[str | int, str]]:
    return [(layout.header[index] if layout.header else index, kind) for index, kind in layout.columns]


def refusal(head: bytes, **more: object) -> Invalid:
    with pytest.raises(Invalid) as caught:
        recognised(head, **more)
    return caught.value


def test_a_sinkhole_report_is_for_the_source():
    head = b'"timestamp","src_ip","src_asn","src_geo","src_hostname","dst_ip","dst_asn","dst_geo"\n'
    layout = recognised(head + b'"2026-01-01 00:00:00",203.0.113.1,64500,AT,,198.51.100.1,64501,DE\n')

    assert layout.report == "shadowserver"
    assert kinds(layout) == [
        ("src_ip", "ip"),
        ("src_hostname", "domain"),
        ("src_asn", "asn"),
        ("src_geo", "country"),
        ("timestamp", "timestamp"),
    ]
    assert (layout.delimiter, layout.line_end, layout.header_from, layout.data_from) == (
        b",",
        b"\n",
        0,
        len(head),
    )


@pytest.mark.parametrize("party", ["dst_", "http_referer_"])
def test_a_report_of_targets_or_referring_sites_is_for_the_party_named_first(party):
    head = f"timestamp,protocol,{party}ip,{party}asn,{party}geo,{party}hostname,src_ip,src_asn,src_geo\n".encode()

    assert kinds(recognised(head))[0] == (f"{party}ip", "ip")


def test_a_report_of_names_asked_in_a_sandbox_is_for_the_name():
    assert kinds(recognised(b"timestamp,md5hash,request,type,response\n"))[0] == ("request", "domain")


def test_an_address_inside_the_device_is_not_the_device():
    layout = recognised(b"timestamp,ip,asn,geo,ipv4_address\n2026-01-01,203.0.113.1,64500,AT,192.168.0.1\n")

    assert ("ipv4_address", "ip") not in kinds(layout)


def test_intelmq_is_for_the_source_never_the_destination():
    layout = recognised(
        b"classification.type,destination.ip,source.ip,source.fqdn,source.geolocation.cc,time.source\n"
    )

    assert layout.report == "intelmq-csv"
    assert kinds(layout) == [
        ("source.ip", "ip"),
        ("source.fqdn", "domain"),
        ("source.geolocation.cc", "country"),
        ("time.source", "timestamp"),
    ]
    assert refusal(b"classification.type,destination.ip\n").code == "report_no_address"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\r\n", "\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_any_delimiter_line_end_and_bom_is_right(delimiter, end, bom):
    header = f'"Comment"{delimiter} "Source IP" {delimiter}CC{end}'.encode()
    layout = recognised(bom + header + f"x{delimiter}203.0.113.1{delimiter}AT{end}".encode())

    assert (layout.delimiter, layout.line_end, layout.bom) == (delimiter.encode(), end.encode(), bom)
    assert [(index, kind) for index, kind in layout.columns] == [(1, "ip"), (2, "country")]
    assert (layout.header_from, layout.data_from) == (len(bom), len(bom) + len(header))


def test_a_header_may_hold_line_ends_delimiters_and_quotes_within_quotes():
    header = b'"a, ""b""\r\nc",ip\r\n'

    layout = recognised(header + b"x,203.0.113.1\n")

    assert layout.header == ('a, "b"\r\nc', "ip")
    assert layout.data_from == len(header)


@pytest.mark.parametrize(
    ("rows", "columns"),
    [
        (b"203.0.113.1\n2001:db8::1\n", ((0, "ip"),)),
        (b"203.0.113.1;2026-01-01\r\n203.0.113.2;2026-01-01\r\n", ((0, "ip"),)),
        (b"2026-01-01,203.0.113.1\n2026-01-01,203.0.113.2\n", ((1, "ip"),)),
        (b"203.0.113.0/24\n", ((0, "ip"),)),
        (b"203.0.113.1\nexample.org\nhttps://example.org/x,y\n", ((0, "indicator"),)),
        (b"hxxp://www[.]example[.]org/a\n", ((0, "url"),)),
        (b"AS64500\nAS64501\n", ((0, "asn"),)),
        (b"[2001:db8::1]\n", ((0, "ip"),)),
    ],
)
def test_without_a_header_the_column_of_addresses_is_found(rows, columns):
    layout = recognised(rows)

    assert (layout.header, layout.columns, layout.data_from) == (None, columns, 0)


def test_what_a_doubtful_name_holds_is_seen_from_the_rows():
    assert kinds(recognised(b"host,x\n203.0.113.1,a\n")) == [("host", "ip")]
    assert kinds(recognised(b"host,x\nwww.example.org,a\n")) == [("host", "domain")]
    assert refusal(b"name,address\nJane Doe,1 Main Street\n").code == "report_no_address"


def test_what_stands_before_the_first_row_is_passed_over():
    assert recognised(b"\r\n# a feed\n\nip\n203.0.113.1\n").header_from == 12
    excel = recognised(b"sep=;\r\nip;name\r\n203.0.113.1;x\r\n")
    assert (excel.delimiter, excel.header, excel.header_from) == (b";", ("ip", "name"), 7)


def test_cities_in_another_encoding_are_no_reason_to_refuse():
    assert recognised("ip,city\n203.0.113.1,Köln\n".encode("cp1252")).encoding == "cp1252"
    assert recognised("ip,city\n203.0.113.1,Köln\n".encode()).encoding == "utf-8"


@pytest.mark.parametrize(
    ("head", "code", "says"),
    [
        (b"", "report_empty", "empty"),
        (b"\xef\xbb\xbf \r\n", "report_empty", "empty"),
        (b"# nothing\n", "report_empty", "no rows"),
        (b"PK\x03\x04" + bytes(30), "report_binary", "ZIP"),
        (bytes(range(256)), "report_binary", "NUL"),
        (bytes(range(1, 32)) * 20, "report_binary", "no text"),
        (b"ip,x\n203.0.113.1,a\0b\n", "report_binary", "NUL"),
        ("ip\n203.0.113.1\n".encode("utf-16"), "report_encoding", "UTF-8"),
        ("ip\n203.0.113.1\n".encode("utf-16-le"), "report_encoding", "UTF-8"),
        ("ip\n203.0.113.1\n".encode("utf-16-be"), "report_encoding", "UTF-8"),
        ("ip\n203.0.113.1\n".encode("utf-32"), "report_encoding", "UTF-8"),
        (b"ip asn cc\n203.0.113.1 64500 AT\n", "report_delimiter", "spaces"),
        (b"203.0.113.1 2026-01-01\n", "report_delimiter", "spaces"),
        (b"ip:cc\n", "report_delimiter", "colons"),
        (b"ip note\n203.0.113.1 x\n", "report_delimiter", "spaces"),
        (b"our networks\n203.0.113.0/24\n", "report_no_address", "'our networks'"),
        (b"ip;cc\n203.0.113.1,AT\n", "report_delimiter", "the rows have one"),
        (b'ip,"cc\n203.0.113.1,AT\n', "report_malformed", "never closed"),
        (b"<!DOCTYPE html><html>", "report_unknown", "web page"),
        (b"<rss></rss>", "report_unknown", "XML"),
        (b"name,city\nx,y\n", "report_no_address", "'name', 'city'"),
        (b"country\nAT\n", "report_no_address", "ip, domain, url, asn"),
    ],
)
def test_what_is_refused_says_what_would_be_right(head, code, says):
    refused = refusal(head, name="report.csv")

    assert refused.code == code
    assert says in refused.message
    assert refused.where.startswith("report.csv:")


def test_a_refusal_names_the_line():
    assert refusal(b"ip\n203.0.113.1\n203.0.113.\0\n").where == "line 3"


def test_a_line_of_nothing_but_delimiters_is_refused():
    assert refusal(b"ip" + b"," * 100_000 + b"\n").code == "report_malformed"


def test_one_endless_line_is_refused_from_its_head():
    assert refusal(b"1" * HEAD, size=10**9).code == "report_line_too_long"
    assert refusal(b"ip\n" + b"1" * HEAD, size=10**9).where == "line 2"
    assert recognised(b"ip\n" + (b"1" * LONGEST_LINE + b"\n") * 2).data_from == 3


@pytest.mark.parametrize(
    ("head", "report"),
    [
        (b'{"source.ip": "203.0.113.1"}\n', "json"),
        (b'\xef\xbb\xbf [ {"type": "bundle"', "json"),
        (b'{"a": "' + b"x" * HEAD, "json"),
        (b'<?xml version="1.0"?><IODEF-Document xmlns="urn:ietf:params:xml:ns:iodef-2.0">', "iodef"),
        (b"From: a@example.org\r\nSubject: x\r\n y\r\nMIME-Version: 1.0\r\n", "x-arf"),
        (b"---\nReported-From: a@example.org\nCategory: abuse\n", "x-arf"),
    ],
)
def test_what_has_no_columns_is_named(head, report):
    layout = recognised(head, size=10**8)

    assert (layout.report, layout.delimited, layout.columns) == (report, False, ())


DOCS = Path(__file__).resolve().parents[2] / "docs/reports.md"


def test_every_example_of_the_docs_is_recognised():
    blocks = re.findall(r"(?:^    [^ |].*\n(?:     .*\n|    .*\n)*)", DOCS.read_text("utf-8"), re.MULTILINE)
    examples = [textwrap.dedent(block) for block in blocks if not block.lstrip().startswith("<System")]

    assert len(examples) == 6
    for example in examples:
        layout = recognised(example.encode())
        assert layout.delimited or tabulated(example.encode(), layout.report).rows


def test_every_name_that_the_docs_give_is_known():
    table = DOCS.read_text("utf-8").partition("| for | names |")[2].partition("\n\n")[0]
    names = re.findall(r"`([a-z0-9_]+)`", table)

    assert len(names) > 40
    assert {name for name in names if not any(name in known for known in PLAIN.values())} == set()
