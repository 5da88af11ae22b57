"""Anything at all as a report: a layout, a table or a refusal, never another exception, never long."""

from __future__ import annotations

import gzip
import io
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports.layout import HEADER, KINDS, Layout
from pocdir.routing.rules.reports.opened import unpacked
from pocdir.routing.rules.reports.recognise import recognised
from pocdir.routing.rules.reports.tabulate import as_csv, tabulated
from tests.routing.test_reports_indicators import SYSTEMS, address, bundle, indicator, iodef, stix_id
from tests.routing.test_reports_packed import zipped
from tests.routing.test_reports_tables import EVENT, MAIL, X_ARF, XARF_4

CASES = 20_000
XARF_3 = {"Version": "3", "ReporterInfo": {}, "Report": {"ReportType": "x", "Source": {"IP": "203.0.113.1"}}}
RELATED = {
    "type": "relationship",
    "id": stix_id("relationship", 1),
    "relationship_type": "based-on",
    "source_ref": stix_id("indicator", 1),
    "target_ref": stix_id("ipv4-addr", 1),
}
BUNDLE = bundle(
    indicator(1, "[ipv4-addr:value = '203.0.113.1' OR url:value = 'https://example.org/']"),
    address(1),
    RELATED,
)
CSV = b'\xef\xbb\xbf"timestamp","ip","asn","geo"\r\n"2026-01-01","203.0.113.1",64500,"AT"\r\n"x\ny","203.0.113.2",,\r\n'

VALID = {
    "plain": CSV,
    "intelmq-csv": b"source.ip;source.asn;time.source\n203.0.113.1;64500;2026-01-01\n",
    "no-header": b"203.0.113.1\texample.org\n2001:db8::1\thttps://example.org/\n",
    "intelmq-json": json.dumps(EVENT).encode() + b"\n" + json.dumps(EVENT).encode(),
    "xarf-4": json.dumps(XARF_4).encode(),
    "xarf-3": json.dumps(XARF_3).encode(),
    "stix": BUNDLE,
    "x-arf": MAIL.format(kind="text/plain", report=X_ARF).encode(),
    "arf": MAIL.format(
        kind="message/feedback-report", report="Feedback-Type: x\nSource-IP: 203.0.113.1\n"
    ).encode(),
    "iodef": iodef(SYSTEMS.format(name="<NodeName>www.example.org</NodeName>")),
}
PACKED = {"gzip": gzip.compress(CSV * 3), "zip": zipped(("a.csv", CSV * 3))}
# Pieces that break parsers: signs of every format, numbers at the edge, text that turns or controls.
PIECES = [
    b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"<html>", b"<?xml?>", b"<IODEF-Document>",
    b"<!DOCTYPE x>", b"]]>", b"&x;", b"&#0;", b'"', b"'", b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[",
    b"]", b"[]", b"{}", b'""', b"(", b")", b",", b";", b"|", b"\t", b":", b"#", b"=", b"-", b"\n",
    b"\r\n", b"\r", b"\n\n", b"sep=,\r\n", b"null", b"true", b"1e999", b"NaN", b"-1",
    b"99999999999999999999", b'"objects"', b'"type"', b'"indicator"', b'"Report":', b"--==", b"--==--\n",
    b"Content-Type: multipart/mixed; boundary=x\n", b"Content-Transfer-Encoding: base64\n",
    b"charset=utf-7", "\u202e".encode(), "\u2028".encode(), b"203.0.113.0/24", b"0.0.0.0-255.255.255.255",
    b"::ffff:1.2.3.4", b"AS4294967296", b"ip", b"src_ip", b"PK\x01\x02", b"PK\x05\x06", b"\x1f\x8b\x08",
    b"=1+1", b"x" * 600,
]  # fmt: skip


def fed(data: bytes) -> Layout | None:
    """The layout, after the table that is made of a report without columns; None for a refusal."""
    try:
        layout = recognised(data, name="report")
        if not layout.delimited:
            table = tabulated(data, layout.report, name="report")
            assert all(
                len(row) == len(HEADER) and all(isinstance(cell, str) for cell in row) for row in table.rows
            )
            made = b"".join(as_csv(io.BytesIO(data), layout.report))
            assert recognised(made).report == "plain"
        else:
            assert len(layout.delimiter) == 1
            assert 0 <= layout.header_from <= layout.data_from <= len(data)
            assert {kind for _, kind in layout.columns} <= set(KINDS)
            assert layout.header is None or max(index for index, _ in layout.columns) < len(layout.header)
        return layout
    except Invalid as refused:
        assert refused.code.startswith("report_")
        assert len(str(refused)) < 2000
        assert str(refused).isprintable()
        return None


def unpack(data: bytes) -> None:
    try:
        for _ in unpacked(io.BytesIO(data)):
            pass
    except Invalid as refused:
        assert refused.code in ("report_archive", "report_too_large")
        assert str(refused).isprintable()


def mutated(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 4)):
        at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        piece = chance.choice(PIECES)
        data = chance.choice([
            data[:at] + piece + data[at:],
            data[:at] + piece + data[min(end, at + 12) :],
            data[:at] + data[min(end, at + 40) :],
            data[:end] + data[at:end][:200] + data[end:],
            data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :],
        ])  # fmt: skip
    return data


def fuzz(name: str, cases: int, seed: str) -> Counter[bool]:
    chance = random.Random(f"{name} {seed}")
    return Counter(fed(mutated(VALID[name], chance)) is not None for _ in range(cases))


def real(shared_data: Path) -> list[Path]:
    folders = ("shadowserver", "n6_shadowserver", "xarf", "stix", "iodef")
    return [
        path
        for name in folders
        for path in sorted((shared_data / "reports" / name).rglob("*"))
        if path.is_file()
    ]


@pytest.mark.parametrize("name", VALID)
def test_a_valid_report_is_read(name):
    assert fed(VALID[name])


@pytest.mark.parametrize("name", VALID)
def test_no_broken_report_raises_anything_but_a_refusal(name):
    assert set(fuzz(name, CASES // 40, "ordinary")) == {True, False}


@pytest.mark.long
@pytest.mark.parametrize("name", VALID)
def test_twenty_thousand_broken_reports_raise_nothing_but_refusals(name):
    fuzz(name, CASES, "long")


@pytest.mark.parametrize("name", PACKED)
def test_no_broken_archive_raises_anything_but_a_refusal(name):
    chance = random.Random(name)
    for _ in range(CASES // 40):
        unpack(mutated(PACKED[name], chance))


@pytest.mark.long
@pytest.mark.parametrize("name", PACKED)
def test_twenty_thousand_broken_archives_raise_nothing_but_refusals(name):
    chance = random.Random(f"{name} long")
    for _ in range(CASES):
        unpack(mutated(PACKED[name], chance))


@settings(deadline=None)
@given(data=st.binary(max_size=300))
@example(data=b"")
def test_any_bytes_are_a_report_or_refused(data):
    fed(data)
    unpack(data)


@pytest.mark.parametrize("report", ["json", "iodef", "x-arf"])
@settings(deadline=None)
@given(data=st.binary(max_size=300) | st.text(max_size=100).map(str.encode))
def test_any_bytes_to_any_reader_are_a_table_or_refused(report, data):
    try:
        tabulated(data, report)
    except Invalid as refused:
        assert refused.code.startswith("report_")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("name", ["intelmq-json", "xarf-4", "xarf-3", "stix"])
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_any_json_in_the_place_of_any_value_is_taken_or_refused(name, data):
    shape = EVENT.copy() if name == "intelmq-json" else json.loads(VALID[name])
    places = list(_places(shape))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places))
        holder[key] = data.draw(JSON)
    fed(json.dumps(shape).encode())


def _places(value):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


CELLS = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"], include_characters="\t\r\n"), max_size=8
)


@settings(deadline=None)
@given(
    names=st.lists(CELLS, max_size=4),
    rows=st.lists(st.lists(CELLS, min_size=4, max_size=4), max_size=5),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_quoted_table_is_recognised_whatever_else_stands_in_it(names, rows, delimiter, end):
    def line(cells):
        return delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells) + end

    header = ["src_ip", "source_ip", *names]
    head = line(header).encode()
    layout = recognised(head + "".join(line(["203.0.113.1", *row]) for row in rows).encode())

    assert (layout.delimiter, layout.header, layout.data_from) == (
        delimiter.encode(),
        tuple(header),
        len(head),
    )
    assert layout.columns[0] == (0, "ip")


def test_every_real_report_is_recognised_or_refused_with_a_reason(shared_data: Path):
    refused, found = [], Counter()
    for path in real(shared_data):
        data = path.read_bytes()
        if layout := fed(data):
            found[tabulated(data, layout.report).report if not layout.delimited else layout.report] += 1
        else:
            refused.append(path.relative_to(shared_data / "reports").as_posix())

    # Pieces of a program, records that name nobody, JSON that breaks off: a person would refuse them too.
    assert len(refused) <= 15
    assert not [path for path in refused if path.startswith("shadowserver/")]
    assert found["shadowserver"] >= 75
    assert found["xarf"] >= 60
    assert found["stix"] == 5


def test_real_shadowserver_reports_name_the_column_of_the_party_they_are_for(shared_data: Path):
    for path in sorted((shared_data / "reports/shadowserver").glob("*.csv")):
        layout = recognised(path.read_bytes(), name=path.name)
        assert layout.header
        first = layout.header[layout.columns[0][0]]
        expected = (
            "src_ip" if path.name.startswith("event") else "request" if "sandbox_dns" in path.name else "ip"
        )
        assert (path.name, layout.report, first) == (path.name, "shadowserver", expected)


@pytest.mark.long
def test_twenty_thousand_broken_real_reports_raise_nothing_but_refusals(shared_data: Path):
    chance = random.Random("real")
    files = [data for path in real(shared_data) if len(data := path.read_bytes()) < 10_000]
    for _ in range(CASES):
        fed(mutated(chance.choice(files), chance))
