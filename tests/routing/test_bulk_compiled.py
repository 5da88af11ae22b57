"""What machine code reads is what numpy reads, of any bytes."""

from __future__ import annotations

import sys
from ipaddress import IPv6Address
from random import Random
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.routing.bulk import ipv4
from pocdir.routing.bulk.records import Records, Shape, records
from pocdir.routing.bulk.route import machine_code
from pocdir.routing.bulk.rows import Columns, Results, _packed, results_of
from pocdir.routing.rules import decisions
from tests.routing.test_bulk_properties import a_world

compiled = pytest.importorskip("pocdir.routing.bulk.compiled", reason="the extra bulk is not installed")

FOUR = st.ip_addresses(v=4).map(str)
SIX = st.ip_addresses(v=6).map(str) | st.ip_addresses(v=6).map(lambda each: each.exploded.upper())
ODD = st.text("0123456789abF.:x% ", max_size=42)
HALVED = st.lists(st.sampled_from(["0", "1", "ffff", "", "12345", ":"]), max_size=10).map(":".join)
CELLS = FOUR | SIX | ODD | HALVED
ENDS = st.sampled_from([b"\n", b"\r\n"])


def a_block(rows: list[list[str]], end: bytes, pad: str) -> Records | None:
    text = end.join(",".join(row).encode() for row in [*rows, [pad]]) + end
    return records(text, Shape(ord(","), end[-1]))


@given(st.lists(st.lists(CELLS, max_size=4), max_size=30), ENDS, st.integers(0, 3), st.text("x", max_size=50))
def test_of_each_cell_it_says_what_slower_readers_say(
    rows: list[list[str]], end: bytes, column: int, pad: str
) -> None:
    found = a_block(rows, end, pad)
    assert found is not None
    every = np.arange(len(found.start))
    read = compiled.addresses(found, column, every)
    begin, stop = found.cell(column, every)
    texts = [found.data[a:b] for a, b in zip(begin.tolist(), stop.tolist(), strict=True)]
    array = np.frombuffer(found.data, np.uint8)
    numbers, plain, stops = ipv4.parse(array, begin)
    plain &= stops == stop
    six = dict(zip(read.six.tolist(), read.halves.T.tolist(), strict=True))
    for row, text in enumerate(texts):
        inside = begin[row] + compiled.FURTHEST < len(array)
        assert not read.four[row] or (plain[row] and read.numbers[row] == numbers[row])
        assert read.four[row] or not plain[row] or not inside
        assert text == b"" or read.opens[row] == begin[row]
        if row in six:
            assert _packed(text) == b"".join(int(half).to_bytes(8, "big") for half in six[row])
        else:
            assert not inside or b"." in text or not _packed(text) or not text.isascii()


@given(st.binary(max_size=300), st.sampled_from([0, 10, 13, 0x2C, 0x7F, 0x80, 0xFF]))
def test_it_finds_a_byte_wherever_it_stands(data: bytes, byte: int) -> None:
    array = np.frombuffer(data + bytes([byte]), np.uint8)
    places = np.flatnonzero(array == byte)
    assert compiled.places(array, byte).tolist() == places.tolist()
    assert compiled.count(array, byte) == len(places)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**64))
def test_every_row_has_the_result_that_it_has_without_it(seed: int) -> None:
    random = Random(seed)
    world = a_world(random)
    known = Results(world.index, world.asked, decisions.decisions(world.index, world.asked))
    cells = [
        "5.5.5.1",
        "6.1.2.3",
        "2a10::1",
        "::ffff:5.5.5.1",
        "::ffff:505:501",
        "",
        "x",
        "1.2.3",
        "05.5.5.1",
    ]
    cells += [str(IPv6Address(random.getrandbits(128))) for _ in range(3)]
    lines = [f"{random.choice(['', 'a', 'b' * 70])},{random.choice(cells)},{n}" for n in range(200)]
    data = (random.choice(["\n", "\r\n"]).join(lines) + "\n").encode()
    where = Columns(((1, "ip"), (0, "domain"), (2, "asn")), "utf-8")
    slow, fast = (records(data, Shape(ord(","), 10), places) for places in (None, compiled.places))
    assert slow is not None and fast is not None
    assert slow.start.tolist() == fast.start.tolist()
    assert results_of(slow, where, known).tolist() == results_of(fast, where, known, compiled).tolist()


def test_without_the_extra_numpy_does_all_of_it() -> None:
    assert machine_code() is compiled
    with patch.dict(sys.modules, {"pocdir.routing.bulk.compiled": None}):
        assert machine_code() is None
