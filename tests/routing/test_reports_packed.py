"""The table of a report as a file, packed or not: recognised, limited, read in pieces."""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
import zlib

import pytest

from pocdir.core.errors import Invalid
from pocdir.routing.rules.reports import tabulate
from pocdir.routing.rules.reports.layout import HEADER
from pocdir.routing.rules.reports.opened import FREE, PIECE, packed, unpacked
from pocdir.routing.rules.reports.readable import readable
from pocdir.routing.rules.reports.recognise import recognised
from pocdir.routing.rules.reports.rows import LONGEST_RECORD
from pocdir.routing.rules.reports.tabulate import as_csv
from tests.routing.test_reports_tables import EVENT, XARF_4, refusal, table

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


def overwritten(data: bytes) -> bytes:
    return data[:200] + bytes(60) + data[260:]


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (lambda: CSV, "neither"),
        (lambda: b"", "neither"),
        (lambda: gzip.compress(CSV)[:-9], "breaks off"),
        (lambda: gzip.compress(CSV)[:1000], "breaks off"),
        (lambda: gzip.compress(CSV)[:-8] + bytes(8), "damaged"),
        (lambda: gzip.compress(CSV) + b"garbage", "damaged"),
        (zipped, "none"),
        (lambda: zipped(("a.csv", CSV), ("b\x1b.csv", CSV)), "'a.csv', 'b\\x1b.csv'"),
        (lambda: zipped(("[Content_Types].xml", b""), ("xl/workbook.xml", b"")), "office document"),
        (lambda: zipped(("a.csv", CSV), method=zipfile.ZIP_LZMA), "rare"),
        (encrypted, "encrypted"),
        (lambda: zipped(("a.csv", CSV))[:-30], "damaged"),
        (lambda: b"PK\x03\x04" + bytes(100), "damaged"),
        (lambda: overwritten(zipped(("a.csv", CSV))), "damaged"),
    ],
)
def test_an_archive_that_is_no_single_whole_report_is_refused(made, says):
    with pytest.raises(Invalid) as caught:
        opened(made())

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
