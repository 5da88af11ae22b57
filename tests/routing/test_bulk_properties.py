"""Bulk routing beside single lookups, in worlds and files made by chance: no row may differ.

Worlds are made by `random` from a seed that hypothesis chooses, as in the resolver's own properties.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tempfile
from collections import Counter
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.outreach.rules.parcels import listed_in, parcels_of
from pocdir.routing.bulk import formulas, ipv4, lines, records
from pocdir.routing.bulk.rows import ADDRESSES, MEANT, Results
from pocdir.routing.rules import addresses, decisions
from pocdir.routing.rules.indicator import parse
from tests.routing.bulk import World
from tests.routing.directories import Entry
from tests.routing.test_rules_resolver_properties import BLOCKS, CODES, SYSTEMS, a_directory

seeds = st.integers(0, 2**64)
NAMES = ["example.org", "a.example.org", "example.de"]
FEW = settings(max_examples=25, deadline=None)


def some_entries(random: Random) -> list[Entry]:
    """Pieces of 16 addresses in each block, some missing, and one wide one around nothing else."""
    entries = [Entry("6.0.0.0/8", 3333, registered="DE"), Entry("2a10::/16", registered="AT")]
    for block in BLOCKS:
        for piece in block.subnets(new_prefix=block.max_prefixlen - 4):
            if random.random() < 0.8:
                asn, registered, located = (
                    random.choice([None, *known]) for known in (SYSTEMS, CODES, CODES)
                )
                entries.append(Entry(str(piece), asn, None, registered, located))
    return entries


def a_world(random: Random) -> World:
    wishes: dict[str, Any] = {
        "sector": random.choice([None, "energy"]),
        "kind_of_report": random.choice([None, "malicious-code"]),
        "country_by": random.choice(["registered", "located", "asn"]),
        "exclude_country": random.choice([(), ("AT",)]),
        "systems": {number: random.choice(CODES) for number in random.sample(SYSTEMS, 2)},
    }
    return World(
        a_directory(random, NAMES), some_entries(random) if random.random() < 0.9 else None, **wishes
    )


def edges() -> list[IPv4Address | IPv6Address]:
    """The first and last addresses of special space and what lies beside them, and the ends of everything."""
    found: set[IPv4Address | IPv6Address] = set()
    for text in (*addresses.SPECIAL_SPACE, "0.0.0.0/0", "::/0", "6.0.0.0/8", "2a10::/16"):
        network = ip_network(text)
        for number in (int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1):
            if 0 <= number < 1 << network.max_prefixlen:
                found.add(type(network[0])(number))
    return sorted(found, key=lambda address: (address.version, int(address)))


EVERYWHERE = [address for block in BLOCKS for address in block] + edges()


@FEW
@given(seeds)
def test_every_address_has_the_result_of_a_single_lookup(seed: int) -> None:
    world = a_world(Random(seed))
    try:
        made = decisions.decisions(world.index, world.asked)
        for table in (False, True):  # searched, and written out
            fours = np.array([int(a) for a in EVERYWHERE if a.version == 4], dtype=np.uint32)
            if table:
                assert made.v4._table
            sixes = [int(a) for a in EVERYWHERE if a.version == 6]
            halves = np.array([[a >> 64 for a in sixes], [a & (2**64 - 1) for a in sixes]], dtype=np.uint64)
            numbers = iter([*made.v4.of(fours).tolist(), *made.v6.of(halves).tolist()])
            for address in sorted(EVERYWHERE, key=lambda a: a.version):
                assert made.results[next(numbers)] == world.single(str(address)), address
    finally:
        shutil.rmtree(world.folder)


def a_cell(random: Random) -> str:
    address = str(random.choice(EVERYWHERE))
    return random.choice(
        [address] * 12
        + [f" {address}", f"::ffff:{address}", address.upper(), f"{address}/32", address.replace(".", "[.]")]
        + ["", "", "x", "=1", "-", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.", "1..2.3", "1.2.3.4.5", "::g"]
        + [
            "AT",
            "64500",
            "example.org",
            "a,b",
            'a"b',
            "5.5.5.1\r\n5.5.5.2",
            "\t5.5.5.1",
            "５.5.5.1",
            "@x",
            "1:2",
        ]
    )


def a_file(random: Random) -> tuple[bytes, list[list[str]]]:
    """With quotes where they are needed, and at times where they are not."""
    rows = [
        [a_cell(random), str(number), random.choice(["", "a", "-1", "=2", "b\nc"])] for number in range(60)
    ]
    text = io.StringIO(newline="")
    quoting = random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    writer = csv.writer(text, quoting=quoting, lineterminator=random.choice(["\n", "\r\n"]))
    writer.writerows([["ip", "number", "note"], *rows])
    return text.getvalue().encode(), rows


def expected(world: World, cell: str, meant: tuple[str, ...] = ADDRESSES) -> tuple[str, str | None]:
    """Status and team as a single lookup gives them, of what may stand in a column of addresses."""
    try:
        if not cell or parse(cell, world.index.names).kind not in meant:
            return "invalid", None
    except Invalid:
        return "invalid", None
    result = world.single(cell)
    return result.status, result.team


@FEW
@given(seeds)
def test_every_row_of_a_file_is_once_where_a_single_lookup_sends_it(seed: int) -> None:
    random = Random(seed)
    world = a_world(random)
    data, rows = a_file(random)
    folder = Path(tempfile.mkdtemp(prefix="pocdir-test-"))
    try:
        manifest = world.route(data, folder / "out", raw=True)
        found: dict[str, str] = {}
        for path in (folder / "out").glob("*.csv"):
            for row in list(csv.reader(io.StringIO(path.read_bytes().decode(), newline="")))[1:]:
                assert row[1] not in found
                found[row[1]] = path.stem
                assert row[:3] == rows[int(row[1])]
        wanted = [expected(world, row[0]) for row in rows]
        assert found == {str(n): team or "unrouted" for n, (_, team) in enumerate(wanted)}
        counts = Counter(status for status, _ in wanted)
        assert {**manifest, "parcels": None} == {
            **json.loads((folder / "out" / "manifest.json").read_text()),
            "parcels": None,
            "rows": len(rows),
            "routed": counts["ok"],
            **{name: counts[name] for name in ("no_contact", "not_routable", "invalid")},
        }
        if counts["ok"]:  # what is made here is believed where parcels are kept
            parcels_of(listed_in(manifest), lambda name: (folder / "out" / name).open("rb"))
    finally:
        shutil.rmtree(world.folder)
        shutil.rmtree(folder)


@given(st.lists(st.text("0123456789.x:-", max_size=17) | st.ip_addresses(v=4).map(str), max_size=50))
def test_reading_many_addresses_is_reading_each(texts: list[str]) -> None:
    data = ",".join(texts).encode() + b"," + b" " * ipv4.WIDTH
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord(","))
    begins = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
    numbers, plain, stops = ipv4.parse(np.frombuffer(data, np.uint8), begins)
    found = plain & (stops == ends)

    def one(text: str) -> int | None:
        try:
            return int(IPv4Address(text))
        except ValueError:
            return None

    told = [int(n) if ok else None for n, ok in zip(numbers, found, strict=True)]
    assert told == [one(text) for text in data.decode().split(",")[:-1]]


@FEW
@given(seeds)
def test_every_text_has_the_result_of_a_single_lookup(seed: int) -> None:
    """Of the columns in which no address stands, and of dotted numbers, which are read in ways of their own."""
    random = Random(seed)
    world = a_world(random)
    try:
        known = Results(world.index, world.asked, decisions.decisions(world.index, world.asked))
        numbers = [random.randrange(10 ** random.randrange(1, 11)) for _ in range(20)]
        dotted = [
            ".".join(str(random.randrange(300)) for _ in range(random.randrange(1, 7))) for _ in range(20)
        ]
        for kind, texts in (
            ("asn", [*map(str, [*SYSTEMS, *numbers]), "AS64500", "007", "0", "1.5"]),
            ("indicator", [*dotted, *map(str, EVERYWHERE[:20]), "example.org", "0.0", "01.2.3.4"]),
            ("domain", [*NAMES, "example.net", "5.5.5.1"]),
        ):
            told = known.of_texts(kind, [text.encode() for text in texts], "utf-8")
            for text, number in zip(texts, told, strict=True):
                result = known.all[number]
                if result.status == "invalid":
                    assert expected(world, text, MEANT[kind]) == ("invalid", None)
                else:
                    assert result == world.single(text)
    finally:
        shutil.rmtree(world.folder)


@FEW
@given(seeds, st.sampled_from([2, 1 << 10]))
def test_spans_copied_together_are_the_spans(seed: int, at_once: int) -> None:
    random = Random(seed)
    data = random.randbytes(random.choice([0, 10, 3000]))
    ends = sorted(random.choices(range(len(data) + 1), k=random.randrange(100)))
    longest = random.choice([3, 40, 3000])
    spans = [(max(0, end - random.randrange(longest)), end) for end in ends]
    random.shuffle(spans)

    with patch.object(lines, "AT_ONCE", at_once):
        found = lines.gathered(np.frombuffer(data, np.uint8), *np.array([*spans, (0, 0)]).T)

    assert found.tobytes() == b"".join(data[start:end] for start, end in spans)


@FEW
@given(seeds, st.sampled_from(b",\t;"), st.sampled_from(["\n", "\r\n"]))
def test_the_same_cells_are_made_harmless_as_when_each_is_looked_at(seed: int, by: int, end: str) -> None:
    random = Random(seed)
    choice = ["", "a", "-", "=1", "-1", "\t", "\0x", "＝", "ﬁ", '"', '"=', "b-", "@" * 70, "+1,5"]
    rows = [[random.choice(choice) for _ in range(random.randrange(1, 4))] for _ in range(30)]
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=chr(by), lineterminator=end).writerows(row for row in rows if row != [""])
    found = records.records(text.getvalue().encode(), records.Shape(by, ord("\n")))
    assert found is not None

    with patch.object(formulas, "NEAR", 16):
        made, touched = formulas.neutralised(found)

    def harmless(cell: str) -> str:
        return "'" + cell if re.match("[=+@\t\0＝-]", cell) and cell not in ("-1", "+1,5") else cell

    wanted = [[harmless(cell) for cell in row] for row in rows if row != [""]]
    assert list(csv.reader(io.StringIO(made.data.decode(), newline=""), delimiter=chr(by))) == wanted
    assert touched == sum(
        cell != old
        for new, row in zip(wanted, (row for row in rows if row != [""]), strict=True)
        for cell, old in zip(new, row, strict=True)
    )
    spans = zip(made.start.tolist(), made.end.tolist(), strict=True)
    assert b"".join(made.data[a:b] for a, b in spans) == made.data


@FEW
@given(seeds)
def test_with_quotes_and_without_a_file_is_the_same(seed: int) -> None:
    """Without quotes the cell is looked for in the first bytes of a line, where it lies in most files."""
    random = Random(seed)
    world = a_world(random)
    longest = random.choice([3, 30, 90])
    rows = [
        ["x" * random.randrange(longest), "", str(random.choice(EVERYWHERE)), *["y"] * random.randrange(3)]
        for _ in range(300)
    ]
    rows += [["short"], ["a", "b"], ["", "", "5.5.5.1"], ["x" * 200, "", "5.5.5.1"]]
    random.shuffle(rows)
    told = []
    try:
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL):
            text = io.StringIO(newline="")
            end = random.choice(["\n", "\r\n"])
            csv.writer(text, quoting=quoting, lineterminator=end).writerows(
                [["a", "b", "ip", "c", "d"], *rows]
            )
            manifest = world.route(text.getvalue().encode())
            told.append(
                (manifest["rows"], manifest["parcels"], manifest["no_contact"], manifest["not_routable"])
            )
    finally:
        shutil.rmtree(world.folder)
    assert told[0] == told[1]
    assert told[0][0] == len(rows)
