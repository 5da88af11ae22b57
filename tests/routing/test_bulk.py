"""A file of rows becomes parcels: every row once, byte for byte, where the resolver says."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pocdir.core.errors import Conflict, Invalid, Unavailable
from pocdir.outreach.rules.parcels import listed_in, parcels_of
from pocdir.routing.bulk import reader, route, workers
from tests.routing.bulk import World
from tests.routing.directories import Entry, directory, national, prefix, row, team

HEAD = b"ip,asn,domain,note\r\n"


@pytest.fixture
def world() -> World:
    return World(
        directory(
            team("isp", prefix("5.5.5.0/24")),
            team("tenant", prefix("5.5.5.64/28"), prefix("2a00:1::/32")),
            team("network", row("asn", "3333")),
            team("owner", row("domain", "example.org")),
            team("cert-at", national("AT")),
            team("silent", prefix("9.9.9.0/24"), state="bouncing"),
        ),
        [
            Entry("5.5.5.0/24", 64500, registered="AT"),
            Entry("6.6.6.0/24", 3333, registered="DE"),
            Entry("7.7.7.0/24", registered="AT"),
            Entry("8.8.8.0/24", registered="DE"),
        ],
    )


ROWS = {
    b"5.5.5.1,,,plain": "isp",
    b"5.5.5.70,,,most specific": "tenant",
    b"::ffff:5.5.5.70,,,mapped": "tenant",
    b"2a00:1::1,,,IPv6": "tenant",
    b"2A00:0001:0:0::1,,,another spelling": "tenant",
    b"5.5.5.64/30,,,a prefix": "tenant",
    b"6.6.6.6,,,by its AS": "network",
    b"7.7.7.7,,,by its country": "cert-at",
    b" 7.7.7.7 ,,,with spaces": "cert-at",
    b'"7.7.7.7",,,"quoted, with a comma"': "cert-at",
    b'7.7.7.7,,,"with ""quotes"" and\r\na line end"': "cert-at",
    b",3333,,by AS number alone": "network",
    b",,www.example.org,by name alone": "owner",
    b"8.8.8.8,3333,example.org,nobody in DE": "no_contact",
    b"9.9.9.9,,,ruled out": "no_contact",
    b"10.1.2.3,,,private": "not_routable",
    b"999.1.2.3,,,rubbish": "invalid",
    b"7.7.7.07,,,octal": "invalid",
    b"example.org,,,a name where addresses stand": "invalid",
    b",,,nothing": "invalid",
    b"": "",
    b"5.5.5.1": "isp",
}
FILE = HEAD + b"\r\n".join(ROWS) + b"\r\n"


def parcels(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize("times", [1, 500])  # T8: 10,500 rows of every kind
def test_every_row_goes_where_its_address_belongs(world: World, tmp_path: Path, times: int) -> None:
    manifest = world.route(HEAD + FILE.removeprefix(HEAD) * times, tmp_path / "out")

    found = parcels(tmp_path / "out")
    for slug in ("isp", "tenant", "network", "owner", "cert-at"):
        mine = [line for line, where in ROWS.items() if where == slug]
        assert found[f"{slug}.csv"] == HEAD + (b"\r\n".join(mine) + b"\r\n") * times
    counts = {"rows": 21, "routed": 14, "no_contact": 2, "not_routable": 1, "invalid": 4}
    assert {name: manifest[name] for name in counts} == {name: rows * times for name, rows in counts.items()}
    assert json.loads(found["manifest.json"]) == manifest
    assert {parcel["file"]: parcel["sha256"] for parcel in manifest["parcels"]} == {
        name: hashlib.sha256(data).hexdigest()
        for name, data in found.items()
        if name not in ("manifest.json", "unrouted.csv")
    }


def test_who_gets_nothing_is_told_why_in_a_column_more(world: World, tmp_path: Path) -> None:
    world.route(FILE, tmp_path / "out")

    text = (tmp_path / "out" / "unrouted.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["ip"] for row in rows] == [
        line.split(b",")[0].decode()
        for line, where in ROWS.items()
        if where in ("no_contact", "not_routable", "invalid")
    ]
    assert rows[0]["reason"] == "no national PoC known for DE"
    assert rows[2]["reason"].startswith("not routable")
    assert rows[-1]["reason"] == "this row names no address"
    assert all(row["reason"] for row in rows)


def test_whoever_is_told_without_detail_gets_no_rows(tmp_path: Path) -> None:
    known = directory(
        team("hoster", prefix("5.5.0.0/16"), kind="provider"), team("owner", prefix("5.5.5.0/24"))
    )
    world = World(known, kind_of_report="information-content-security/data-leak")

    manifest = world.route(b"ip\n5.5.5.1\n5.5.1.1\n", tmp_path / "out")

    assert [(parcel["team"], parcel["rows"]) for parcel in manifest["parcels"]] == [("owner", 1)]
    assert manifest["unrouted"] == [
        {
            "status": "no_contact",
            "reason": "only HOSTER is known, to be told without detail: a row is detail",
            "rows": 1,
        }
    ]


def test_again_gives_the_same_bytes_in_the_place_of_the_old_result(world: World, tmp_path: Path) -> None:
    world.route(FILE, tmp_path / "out")
    before = parcels(tmp_path / "out")
    world.route(FILE, tmp_path / "out")

    assert parcels(tmp_path / "out") == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("least", [0, 1 << 20])  # of a block that is given to another process
@pytest.mark.parametrize("size", [16, 64, 1000])
def test_where_a_block_ends_and_who_has_it_makes_no_difference(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, least: int
) -> None:
    whole = world.route(FILE, tmp_path / "whole")
    monkeypatch.setattr(route, "LEAST", least)
    monkeypatch.setattr(reader.Reader.__init__, "__defaults__", (size,))

    assert world.route(FILE, tmp_path / "parts") == whole
    assert parcels(tmp_path / "parts") == parcels(tmp_path / "whole")


@pytest.mark.parametrize("least", [0, 1 << 20])
@pytest.mark.parametrize("size", [16, 64, 1000])
def test_a_stray_quote_is_read_as_other_programs_read_it(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, least: int
) -> None:
    monkeypatch.setattr(route, "LEAST", least)
    monkeypatch.setattr(reader.Reader.__init__, "__defaults__", (size,))
    lines = [
        b'5.5.5.1,,,a 5" disk',
        b'7.7.7.7,,,"quoted" and more',
        *list(ROWS)[9:15],
        b'5.5.5.2,,,12" and "',
    ]
    data = HEAD + b"\r\n".join(lines) + b"\r\n"

    manifest = world.route(data, tmp_path / "out")

    expected = list(csv.reader(io.StringIO(data.decode(), newline="")))[1:]
    assert manifest["rows"] == len(expected)
    isp = parcels(tmp_path / "out")["isp.csv"]
    assert isp == HEAD + lines[0] + b"\r\n" + lines[-1] + b"\r\n"


def test_a_file_without_a_line_end_at_its_end_keeps_it_so(world: World, tmp_path: Path) -> None:
    world.route(b"ip,note\n5.5.5.1,a\n5.5.5.2,b", tmp_path / "out")

    assert parcels(tmp_path / "out")["isp.csv"] == b"ip,note\n5.5.5.1,a\n5.5.5.2,b"


def test_a_list_without_a_header_has_none_afterwards(world: World, tmp_path: Path) -> None:
    world.route(b"5.5.5.1\n5.5.5.2\n10.0.0.1\n", tmp_path / "out")

    found = parcels(tmp_path / "out")
    assert found["isp.csv"] == b"5.5.5.1\n5.5.5.2\n"
    assert found["unrouted.csv"].startswith(b'10.0.0.1,"not routable')


def test_a_bom_stays_and_a_comment_does_not(world: World, tmp_path: Path) -> None:
    world.route(b"\xef\xbb\xbf# of everybody\nip;note\n5.5.5.1;a\n", tmp_path / "out")

    assert parcels(tmp_path / "out")["isp.csv"] == b"\xef\xbb\xbfip;note\n5.5.5.1;a\n"


FORMULAS = {
    b"=1+1": b"'=1+1",
    b"@SUM(A1)": b"'@SUM(A1)",
    b"+43 1 234": b"'+43 1 234",
    b"-": b"'-",
    b'"=cmd|1"': b'"\'=cmd|1"',
    b'"\t=1"': b"\"'\t'=1\"",  # also where tabs divide
    b'"\r=1"': b"\"'\r'=1\"",
    b'"\n=1"': b"\"'\n'=1\"",
    b'"\r\n=1"': b"\"'\r\n'=1\"",
    b"+" + b"0" * 63 + b"+cmd|' /C calc'!A0": b"'+" + b"0" * 63 + b"+cmd|' /C calc'!A0",
    b"+" + b"0" * 62: b"+" + b"0" * 62,
    b"a;=1+1": b"a;'=1+1",
    b"a\t-2+cmd|' /C calc'!A0": b"a\t'-2+cmd|' /C calc'!A0",
    b'"a;""=1"': b'"a;""\'=1"',
    b'"a\n+HYPERLINK(""x"")"': b'"a\n\'+HYPERLINK(""x"")"',
    b"a;-48.2": b"a;-48.2",
    b'"a\n-----BEGIN"': b'"a\n-----BEGIN"',
    b'"a,=b"': b'"a,=b"',
    "＝1+1".encode(): "'＝1+1".encode(),
    b"-1": b"-1",
    b"+1.5e-3": b"+1.5e-3",
    b'"-48,2"': b'"-48,2"',
    b"a=1": b"a=1",
    "ﬁ".encode(): "ﬁ".encode(),
    b"": b"",
}


def test_what_a_spreadsheet_takes_for_a_formula_gets_an_apostrophe(world: World, tmp_path: Path) -> None:
    lines = [b"5.5.5.1," + cell + b",end" for cell in FORMULAS]
    data = b"ip,a,b\r\n" + b"\r\n".join(lines) + b"\r\n"

    manifest = world.route(data, tmp_path / "out")

    made = [b"5.5.5.1," + cell + b",end" for cell in FORMULAS.values()]
    assert parcels(tmp_path / "out")["isp.csv"] == b"ip,a,b\r\n" + b"\r\n".join(made) + b"\r\n"
    assert manifest["neutralised"] == sum(cell.count(b"'") for cell in FORMULAS.values()) - sum(
        cell.count(b"'") for cell in FORMULAS
    )
    assert world.route(data, tmp_path / "raw", raw=True)["neutralised"] == 0
    assert parcels(tmp_path / "raw")["isp.csv"] == data


def test_a_formula_where_the_address_stands_is_made_harmless_too(world: World, tmp_path: Path) -> None:
    world.route(b"ip,note\n=1+1,a\n", tmp_path / "out")

    assert b"\n'=1+1,a," in parcels(tmp_path / "out")["unrouted.csv"]


def test_a_count_makes_no_folder(world: World, tmp_path: Path) -> None:
    counted = world.route(FILE)
    routed = world.route(FILE, tmp_path / "out")

    same = ("rows", "routed", "no_contact", "not_routable", "invalid")
    assert [counted[name] for name in same] == [routed[name] for name in same]


def test_a_folder_with_other_things_is_left_alone(world: World, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")

    with pytest.raises(Conflict, match="holds other things"):
        world.route(FILE, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_quote_that_is_never_closed_is_refused_and_nothing_is_left(world: World, tmp_path: Path) -> None:
    data = b"ip,note\n5.5.5.1,a\n" + b'5.5.5.2,"' + b"x" * 3_000_000 + b"\n" + b"5.5.5.3,b\n" * 3

    with pytest.raises(Invalid, match="longer than"):
        world.route(data, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_stop_in_the_middle_leaves_nothing(world: World, tmp_path: Path) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.route(FILE, tmp_path / "out", progress=stopped)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_ended_from_outside_leaves_no_folder(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "LEAST", 0)
    monkeypatch.setattr(route._Work, "_block", lambda *_: os.kill(os.getpid(), signal.SIGKILL))

    with pytest.raises(Unavailable, match="was ended"):
        world.route(FILE, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_fails_in_a_process_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route, "LEAST", 0)
    monkeypatch.setattr(route._Work, "_block", lambda *_: 1 // 0)

    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        world.route(FILE)


def test_more_than_the_shared_memory_holds_is_sent(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "LEAST", 0)
    monkeypatch.setattr(workers, "ROOM", len(FILE))  # the reasons do not fit

    assert world.route(FILE, tmp_path / "out")["rows"] == 21


KILLED = """
import os, signal, sys
from pocdir.routing.bulk.workers import Worker
crew = []
for _ in range(2):
    crew.append(Worker(len, [], crew))
print(*(worker._process.pid for worker in crew), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_processes_end_when_the_one_that_started_them_is_killed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, check=False, timeout=60
    )

    assert done.returncode == -signal.SIGKILL
    assert len(done.stdout.split()) == 2  # the pipe is read to its end only when both have ended


WITHOUT_NAMES = (
    "6.0.0.1\n6.0.0.2\n",
    "x;6.0.0.9;\n#5;2a10::1;a\r#6;2a10::2;b\r\n",
    '"sep=,"\t#a\t6.0.0.1\r\n#b\t"two\r\nlines"\t2a10::1\r\n#b\tone\t2a10::1\r\n',
    "\ufeffsep=|\r\nx|6.0.0.1\r\n#x|2a10::1",
    "ip,6.0.0.1\ndomain,user@example.org\ndomain,AS3333\n",
)


@pytest.mark.parametrize("raw", [False, True])
def test_what_routing_made_of_a_file_without_names_over_its_columns_is_kept(
    tmp_path: Path, raw: bool
) -> None:
    teams = team("isp", prefix("6.0.0.0/8")), team("six", prefix("2a10::/32")), team("as", row("asn", "3333"))
    world = World(directory(*teams, team("owner", row("domain", "example.org"))))
    for number, text in enumerate(WITHOUT_NAMES):
        out = tmp_path / str(number)
        made = listed_in(world.route(text.encode(), out, raw=raw))
        assert made
        assert len(parcels_of(made, lambda name, out=out: (out / name).open("rb"))) == len(made)
