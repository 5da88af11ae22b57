"""Files that are damaged, and files that somebody made to do damage."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.core.errors import Conflict, Invalid
from pocdir.routing.bulk import formulas, reader, records, route
from pocdir.routing.rules.reports.layout import HEAD
from tests.routing.bulk import World
from tests.routing.directories import directory, national, prefix, row, team


@pytest.fixture(scope="module")
def world() -> World:
    return World(
        directory(
            team("one", prefix("5.5.5.0/24"), row("domain", "example.org")),
            team("two", prefix("6.6.6.0/24")),
            team("cert-at", national("AT")),
        )
    )


@pytest.fixture(params=[(1 << 20, 4 << 20), (0, 16), (0, 90)], ids=["whole", "16 bytes", "90 bytes"])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large blocks are, and whoever has them."""
    least, size = request.param
    monkeypatch.setattr(route, "LEAST", least)
    monkeypatch.setattr(reader.Reader.__init__, "__defaults__", (size,))


blocks = pytest.mark.usefixtures("_blocks")


def parcels(out: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in out.glob("*.csv")}


def refusal(world: World, data: bytes, out: Path) -> Invalid:
    with pytest.raises(Invalid) as caught:
        world.route(data, out)
    assert list(out.parent.iterdir()) == []
    return caught.value


HEADER = b"ip,note\n"


@blocks
@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (b'5.5.5.1,"open\n6.6.6.6,a\n6.6.6.7,b\n', 2),
        (b'5.5.5.1,a\n5.5.5.2,"a\nb"\n5.5.5.1,"open\n6.6.6.6,a\n', 5),
        (b'5.5.5.1,"open\n6.6.6.6,a\n6.6.6.7,"b"\n6.6.6.8,c\n', 2),
        (b'5.5.5.1,a 5" disk\r\n"5.5.5.1","open\r\n"6.6.6.6","a"\r\n', 3),
        (b'5.5.5.1,"', 2),
    ],
)
def test_a_quote_that_is_not_closed_is_refused_with_its_line(
    world: World, tmp_path: Path, rows: bytes, line: int
) -> None:
    refused = refusal(world, HEADER + rows, tmp_path / "out")

    assert (refused.code, refused.where) == ("report_malformed", f"line {line}")


@blocks
@pytest.mark.parametrize(
    ("header", "joined"),
    [
        (b"ip,note", b'5.5.5.1,"open\n6.6.6.6,a\n6.6.6.7,close"'),
        (b"ip,note", b'5.5.5.1,"open\n6.6.6.6,""\n6.6.6.7,"'),
        (b"note,ip", b'"open,5.5.5.1\na,6.6.6.6\nclose",6.6.6.7'),
        (b"note,ip,tag", b'"a,b",5.5.5.1,"open\r\na,6.6.6.6,close"'),
        (b"ip,a,b,c", b'5.5.5.1,"open\n6.6.6.6,close"'),
        (b"ip,note", b'5.5.5.1,a 5" disk\n5.5.5.1,"open\n6.6.6.7,close"'),
    ],
)
def test_rows_joined_by_two_stray_quotes_reach_nobody(
    world: World, tmp_path: Path, header: bytes, joined: bytes
) -> None:
    """Well-formed CSV: the address of one row, and others' rows in its note."""
    after = b",".join({b"ip": b"6.6.6.9", b"note": b"z"}.get(name, b"") for name in header.split(b","))
    manifest = world.route(header + b"\n" + joined + b"\n" + after + b"\n", tmp_path / "out")

    found = parcels(tmp_path / "out")
    assert found["two"] == header + b"\n" + after + b"\n"
    assert b"6.6.6" not in found.get("one", b"")
    assert b"is a quote missing?" in found["unrouted"]
    assert manifest["rows"] == manifest["routed"] + manifest["invalid"]


@blocks
def test_line_ends_in_a_closed_cell_stay_legal(world: World, tmp_path: Path) -> None:
    rows = [
        b'5.5.5.1,"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"',
        b'5.5.5.2,"6.6.6.6\n6.6.6.7"',
        b'"5.5.5.3","""quoted"",\nand more"',
    ]
    world.route(HEADER + b"\n".join(rows) + b"\n", tmp_path / "out")

    assert parcels(tmp_path / "out") == {
        "one": HEADER + b"\n".join(rows) + b"\n",
        "unrouted": b'ip,note,"reason"\n',
    }


ENDS = ("\n", "\r\n", "\r")


@blocks
@pytest.mark.parametrize("first", ENDS)
def test_every_kind_of_line_end_ends_a_row(world: World, tmp_path: Path, first: str) -> None:
    random = Random(first)
    texts = ["a", '"b,\rc"', '"d\ne"', "f", 'g "h']
    rows = []
    for number in range(60):
        address = random.choice(["5.5.5.1", "6.6.6.6", "10.0.0.1"])
        rows.append(
            (address, f"{address},{number},{random.choice(texts[: 4 + number // 50])}", random.choice(ENDS))
        )
    data = "ip,number,text" + first + "".join(line + end for _, line, end in rows)

    manifest = world.route(data.encode(), tmp_path / "out")

    for slug, address in (("one", "5.5.5.1"), ("two", "6.6.6.6")):
        mine = "".join(line + end for of, line, end in rows if of == address)
        assert parcels(tmp_path / "out")[slug].decode() == "ip,number,text" + first + mine
    told = parcels(tmp_path / "out")["unrouted"].decode()
    assert [each[:3] for each in csv.reader(io.StringIO(told, newline=""))][1:] == list(
        csv.reader(io.StringIO("".join(line + end for of, line, end in rows if of == "10.0.0.1"), newline=""))
    )
    assert (manifest["rows"], manifest["invalid"]) == (60, 0)


@blocks
def test_a_formula_behind_a_bare_carriage_return_is_made_harmless(world: World, tmp_path: Path) -> None:
    world.route(b"ip,note\n5.5.5.1,a\r=1+1,b\r\n5.5.5.2,c\n", tmp_path / "out")

    found = parcels(tmp_path / "out")
    assert found["one"] == b"ip,note\n5.5.5.1,a\r5.5.5.2,c\n"
    assert b"\n'=1+1,b," in found["unrouted"]


@blocks
@pytest.mark.parametrize("wide", ["", "utf-16-le"])
def test_what_stops_being_text_later_on_is_refused(world: World, tmp_path: Path, wide: str) -> None:
    lines = b"5.5.5.1,a\n" * 20
    late = "6.6.6.6,b\n".encode(wide) if wide else b"6.6.6.6,\0\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pocdir.routing.rules.reports.readable.HEAD", len(lines))
        refused = refusal(world, HEADER + lines + late, tmp_path / "out")

    assert (refused.code, refused.where) == ("report_binary", "line 22")


def test_the_first_bytes_are_not_all_that_is_looked_at(world: World, tmp_path: Path) -> None:
    data = HEADER + b"5.5.5.1,abcdefghijkl\n" * (HEAD // 20) + b"5.5.5.1,\0\n"

    assert refusal(world, data, tmp_path / "out").code == "report_binary"


def test_a_column_of_indicators_is_read_as_a_lookup_reads_them(world: World, tmp_path: Path) -> None:
    asked = [
        "AT",
        "Austria",
        "two",
        "x@example.org",
        "AS64500",
        "64500",
        "5.5.5.1",
        "nonsense",
        "1.2.3",
        "ß" * 4097,
    ]
    manifest = world.route("\n".join(["indicator", *asked]).encode(), tmp_path / "out")

    told = {text: world.single(text).team for text in asked[:7]}
    assert told == {**dict.fromkeys(asked[:7]), "AT": "cert-at", "Austria": "cert-at", "two": "two",
                    "x@example.org": "one", "5.5.5.1": "one"}  # fmt: skip
    found = parcels(tmp_path / "out")
    for text, slug in told.items():
        assert text in found[slug or "unrouted"].decode().replace(',"', "\n").splitlines()
    assert manifest["invalid"] == 3
    for text in asked[7:]:
        with pytest.raises(Invalid) as caught:
            world.single(text)
        assert caught.value.message.replace('"', '""') in found["unrouted"].decode()


ALPHABET = [
    '"',
    '""',
    "=1",
    "+1",
    "-a(",
    "@x",
    "＝2",
    "\ufeff=",
    "\r",
    "\n",
    "\r\n",
    ",",
    ";",
    "\t",
    "|",
    "a",
    " ",
    "-1",
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(ALPHABET), max_size=40), st.sampled_from(",;\t|"))
def test_no_program_finds_a_formula_where_it_divides_cells(pieces: list[str], by: str) -> None:
    data = "".join(pieces).encode()
    shape = records.Shape(ord(by), ord("\n"))
    try:
        found = records.records(data, shape) or reader.exactly(data, shape, str, 1)
    except Invalid:
        return
    made, touched = formulas.neutralised(found)

    assert made.data.replace(b"'", b"") == data
    assert made.data.count(b"'") == touched
    for sign in {by, ",", ";", "\t"}:
        for cells in csv.reader(io.StringIO(made.data.decode(), newline=""), delimiter=sign):
            for cell in cells:
                text = re.split("[\r\n]", cell.lstrip("\ufeff"), maxsplit=1)[0]
                assert text[:1] not in ("=", "@", "＝"), (cell, sign, made.data)
                assert not (text[:1] in ("+", "-") and "(" in text), (cell, sign, made.data)


def link(folder: Path, name: str, to: Any) -> Path:
    (folder / name).symlink_to(to)
    return folder / name


def test_a_symbolic_link_is_not_followed(world: World, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for to in (elsewhere, tmp_path / "nowhere"):
        with pytest.raises(Conflict, match="symbolic link"):
            world.route(b"ip\n5.5.5.1\n", link(tmp_path, f"to-{to.name}", to))
    world.route(b"ip\n5.5.5.1\n", tmp_path / "out")
    (tmp_path / "out" / "one.csv").unlink()
    link(tmp_path / "out", "one.csv", elsewhere / "kept.csv")
    (elsewhere / "kept.csv").write_text("kept")

    with pytest.raises(Conflict, match="holds other things"):
        world.route(b"ip\n5.5.5.1\n", tmp_path / "out")
    assert [(path.name, path.read_text()) for path in elsewhere.iterdir()] == [("kept.csv", "kept")]


def test_the_folder_one_stands_in_is_left_where_it_is(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    for out in (Path(), tmp_path, Path("..")):
        with pytest.raises(Conflict, match="name a folder"):
            world.route(b"ip\n5.5.5.1\n", out)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_swept_and_nothing_else(world: World, tmp_path: Path) -> None:
    left, other, other_name = (
        tmp_path / name for name in (".out.abcd1234.new", ".out.abcd5678.new", ".out.new")
    )
    for folder in (left, other, other_name):
        folder.mkdir()
        (folder / "one.csv").write_text("x")
    (other / "thesis.tex").write_text("x")
    busy: list[list[str]] = []

    def meanwhile(*_: object) -> None:
        """A second one at the same time leaves the first one's folder alone."""
        if not busy:
            busy.append([])
            world.route(b"ip\n6.6.6.6\n", tmp_path / "out")
            busy[0] = sorted(path.name for path in tmp_path.iterdir())

    world.route(b"ip\n5.5.5.1\n", tmp_path / "out", progress=meanwhile)

    assert len(busy[0]) == 4  # its own folder, the two others, and what is out
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.abcd5678.new", ".out.new", "out"]
    assert set(parcels(tmp_path / "out")) == {"one", "unrouted"}
