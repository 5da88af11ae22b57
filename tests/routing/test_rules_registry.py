"""The registry: what the files say, what an address is told, what is refused."""

from __future__ import annotations

import datetime as dt
import gzip
import ipaddress
import lzma
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.routing import actions
from pocdir.routing.rules.registry import COUNTRY_CODES, Registry, RegistryEntry, largest_prefix
from pocdir.routing.rules.registry_formats import FORMATS, parse
from pocdir.routing.rules.registry_index import compile_index
from pocdir.routing.rules.registry_layers import (
    Layers,
    Provenance,
    flatten,
    layer_name,
    most_said,
    pack_columns,
    pack_country,
    unpack_columns,
)

NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
DAY = dt.date(2026, 6, 17)

ASN = """203.0.113.0,203.0.113.255,64500,"Example, Inc."
198.51.100.0,198.51.100.127,64501,Other Net
2001:db8::,2001:db8:ffff:ffff:ffff:ffff:ffff:ffff,64500,"Example, Inc."
"""
COUNTRY = """203.0.113.0,203.0.113.127,AT
203.0.113.128,203.0.113.255,DE
2001:db8::,2001:db8:7fff:ffff:ffff:ffff:ffff:ffff,CH
"""
DELEGATED = """2|ripencc|20260617|5|19830705|20260616|+0200
# a comment
ripencc|*|ipv4|*|2|summary
ripencc|*|ipv6|*|1|summary
ripencc|*|asn|*|1|summary
ripencc|AT|ipv4|203.0.113.0|200|20100101|assigned|abc
ripencc||ipv4|198.51.100.0|256||available|
ripencc|CH|ipv6|2001:db8::|32|20100101|allocated|abc
ripencc|FR|asn|64500|2|20100101|allocated|abc
"""


def imported(
    folder: Path, source_format: str, text: str, as_layer: str | None = None
) -> actions.ImportSummary:
    folder.mkdir(exist_ok=True)
    file = folder / "material.csv"
    file.write_text(text, encoding="utf-8")
    return actions.import_file(
        source_format, [file], as_layer=as_layer, folder=folder / "registry", now=NOW, as_of=DAY
    )


def opened(folder: Path) -> Registry:
    registry = Registry.open(folder / "registry")
    assert registry is not None
    return registry


def look(registry: Registry, address: str) -> RegistryEntry | None:
    return registry.lookup(ipaddress.ip_address(address))


def test_an_address_is_told_its_as_its_holder_and_the_country_of_registration(tmp_path: Path) -> None:
    imported(tmp_path, "ip-location-asn", ASN)
    imported(tmp_path, "ip-location-country", COUNTRY)
    registry = opened(tmp_path)
    assert look(registry, "203.0.113.70") == RegistryEntry(
        "203.0.113.0/25", 64500, "Example, Inc.", "AT", None, None, "2026-06-17"
    )
    assert look(registry, "2001:db8:1234::1") == RegistryEntry(
        "2001:db8::/33", 64500, "Example, Inc.", "CH", None, None, "2026-06-17"
    )
    assert look(registry, "198.51.100.1") == RegistryEntry(
        "198.51.100.0/25", 64501, "Other Net", None, None, None, "2026-06-17"
    )


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "255.255.255.255", "203.0.112.255", "203.0.114.0", "::", "2001:db9::", "ffff::"]
)
def test_an_address_that_no_layer_covers_has_no_entry(tmp_path: Path, address: str) -> None:
    imported(tmp_path, "ip-location-asn", ASN)
    assert look(opened(tmp_path), address) is None


def test_where_someone_was_located_does_not_cut_the_prefix_nor_change_the_registered_country(
    tmp_path: Path,
) -> None:
    imported(tmp_path, "ip-location-asn", ASN)
    imported(tmp_path, "ip-location-country", COUNTRY)
    imported(tmp_path, "ip-location-country", "203.0.113.70,203.0.113.70,US\n", as_layer="located")
    entry, beside = look(opened(tmp_path), "203.0.113.70"), look(opened(tmp_path), "203.0.113.71")
    assert entry and beside
    assert (entry.prefix, entry.registered, entry.located) == ("203.0.113.0/25", "AT", "US")
    assert (beside.prefix, beside.registered, beside.located) == ("203.0.113.0/25", "AT", None)


def test_an_as_whose_prefixes_lie_in_two_countries_names_both(tmp_path: Path) -> None:
    imported(tmp_path, "ip-location-asn", ASN)
    imported(tmp_path, "ip-location-country", COUNTRY)
    entry = opened(tmp_path).asn(64500)
    assert entry
    assert (entry.holder, entry.asn_country, entry.registered_countries) == (
        "Example, Inc.",
        None,
        ("AT", "CH", "DE"),
    )
    assert [opened(tmp_path).asn(number) for number in (0, -1, 64499, 64502, 2**32, 2**70)] == [None] * 6


def test_delegated_statistics_give_countries_of_ranges_and_of_as_numbers(tmp_path: Path) -> None:
    summary = imported(tmp_path, "rir-delegated", DELEGATED)
    assert [(change.layer, change.rows) for change in summary.layers] == [
        ("asn_country", 2),
        ("registered-v4", 1),
        ("registered-v6", 1),
    ]
    registry = opened(tmp_path)
    entry = look(registry, "203.0.113.199")
    assert entry and (entry.registered, entry.prefix, entry.asn) == ("AT", "203.0.113.192/29", None)
    assert look(registry, "203.0.113.200") is None
    assert look(registry, "198.51.100.1") is None, "space that is available is nobody's"
    system = registry.asn(64501)
    assert system and system.asn_country == "FR"


def test_delegated_statistics_state_their_own_date(tmp_path: Path) -> None:
    (tmp_path / "delegated").write_text(DELEGATED, encoding="utf-8")
    actions.import_file(
        "rir-delegated", [tmp_path / "delegated"], as_layer=None, folder=tmp_path / "registry", now=NOW
    )
    assert opened(tmp_path).as_of == "2026-06-16"


def test_iptoasn_gives_the_as_its_holder_and_its_country(tmp_path: Path) -> None:
    text = (
        '203.0.113.0\t203.0.113.255\t64500\tFR\tEXAMPLE "quoted - Example\n'
        "198.51.100.0\t198.51.100.255\t0\tNone\tNot routed\n"
        "192.0.2.0\t192.0.2.255\t64501\tNone\tOTHER\n"
    )
    imported(tmp_path, "iptoasn", text)
    registry = opened(tmp_path)
    entry = look(registry, "203.0.113.1")
    assert entry
    assert (entry.asn, entry.holder, entry.asn_country) == (64500, 'EXAMPLE "quoted - Example', "FR")
    assert look(registry, "198.51.100.1") is None
    other = look(registry, "192.0.2.1")
    assert other and other.asn_country is None


@pytest.mark.parametrize(
    ("source_format", "line"),
    [
        ("ip-location-asn", "203.0.113.0,203.0.113.255,64500"),
        ("ip-location-asn", "203.0.113.0,203.0.113.255,AS64500,Example"),
        ("ip-location-asn", "203.0.113.0,203.0.113.255,0,Nobody"),
        ("ip-location-asn", "203.0.113.0,203.0.113.255,4294967296,Too large"),
        ("ip-location-asn", '203.0.113.0,203.0.113.255,64500,"never closed'),
        ("ip-location-country", "203.0.113.0,203.0.113.255,AUT"),
        ("ip-location-country", "203.0.113.0,203.0.113.255,"),
        ("ip-location-country", "203.0.113.255,203.0.113.0,AT"),
        ("ip-location-country", "203.0.113.0,2001:db8::,AT"),
        ("ip-location-country", "203.0.113.00,203.0.113.255,AT"),
        ("ip-location-country", "fe80::1%eth0,fe80::2,AT"),
        ("ip-location-country", "<!DOCTYPE html>"),
        ("iptoasn", "203.0.113.0,203.0.113.255,64500,AT,Example"),
        ("rir-delegated", "ripencc|AT|ipv4|203.0.113.0|0|20100101|assigned|abc"),
        ("rir-delegated", "ripencc|AT|ipv4|255.255.255.0|512|20100101|assigned|abc"),
        ("rir-delegated", "ripencc|AT|ipv4|2001:db8::|32|20100101|assigned|abc"),
        ("rir-delegated", "ripencc|AT|ipv6|2001:db8::|129|20100101|assigned|abc"),
        ("rir-delegated", "ripencc|AT|asn|4294967295|2|20100101|assigned|abc"),
        ("rir-delegated", "ripencc|AT|ipx|1|2|20100101|assigned|abc"),
        ("rir-delegated", "ripencc|A|asn|1|2|20100101|assigned|abc"),
    ],
)
def test_a_malformed_line_is_named(source_format: str, line: str) -> None:
    good = {
        "ip-location-asn": ASN,
        "ip-location-country": COUNTRY,
        "iptoasn": "192.0.2.0\t192.0.2.255\t64501\tNone\tOTHER\n",
        "rir-delegated": DELEGATED,
    }[source_format]
    number = good.count("\n") + 1
    with pytest.raises(Invalid) as refusal:
        parse(source_format, (good + line).splitlines(keepends=True), name="f.csv")
    assert (refusal.value.code, refusal.value.where) == ("registry_malformed", f"f.csv:{number}")


def test_a_delegated_file_without_its_version_line_or_cut_off_is_refused() -> None:
    lines = DELEGATED.splitlines()
    for rest in (lines[1:], ["<html>"], ["2|ripencc|20260617|5|19830705|soon|+0200"], lines[:-1]):
        with pytest.raises(Invalid, match=r"version 2|promised"):
            parse("rir-delegated", rest, name="f")


@pytest.mark.parametrize("source_format", FORMATS)
def test_an_empty_file_replaces_nothing(source_format: str) -> None:
    header = "2|ripencc|20260617|0|19830705|20260616|+0200\n" if source_format == "rir-delegated" else "\n"
    with pytest.raises(Invalid) as refusal:
        parse(source_format, [header], name="f")
    assert refusal.value.code == "registry_empty"


def test_an_unknown_format_or_a_layer_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="none of"):
        parse("mmdb", [], name="f")
    with pytest.raises(Invalid) as refusal:
        imported(tmp_path, "ip-location-asn", ASN, as_layer="located")
    assert refusal.value.code == "registry_layer_invalid"


@pytest.mark.parametrize(
    "data",
    [gzip.compress(ASN.encode())[:-9], b"\xfd7zXZ\x00damaged", b"\xff\xfe1.2.3.4"],
    ids=["gz", "xz", "text"],
)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "f.gz").write_bytes(data)
    for path in (tmp_path / "f.gz", tmp_path / "missing"):
        with pytest.raises(Invalid) as refusal:
            actions.import_file(
                "ip-location-asn", [path], as_layer=None, folder=tmp_path / "registry", now=NOW
            )
        assert (refusal.value.code, refusal.value.where) == ("registry_unreadable", path.name)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes], ids=["gz", "xz", "plain"])
def test_files_may_be_packed_begin_with_a_mark_and_end_their_lines_either_way(tmp_path: Path, pack) -> None:
    (tmp_path / "f").write_bytes(pack(("\ufeff" + ASN.replace("\n", "\r\n")).encode()))
    actions.import_file(
        "ip-location-asn", [tmp_path / "f"], as_layer=None, folder=tmp_path / "registry", now=NOW
    )
    entry = look(opened(tmp_path), "203.0.113.1")
    assert entry and entry.asn == 64500


def test_the_smallest_range_wins_and_of_equal_ones_the_same_in_any_order() -> None:
    rows = [(0, 255, 1), (16, 31, 2), (24, 39, 3), (20, 23, 4), (20, 23, 5)]
    expected = [(0, 15, 1), (16, 19, 2), (20, 23, 4), (24, 39, 3), (40, 255, 1)]
    for order in (rows, rows[::-1], rows[2:] + rows[:2]):
        ranges = flatten(order, 4)
        found = zip(ranges.first.tolist(), ranges.last.tolist(), ranges.value.tolist(), strict=True)
        assert list(found) == expected


def test_a_holder_has_the_name_that_is_given_most() -> None:
    said = [(1, "B"), (1, "A"), (2, ""), (1, "B"), (3, "Y"), (3, "X")]
    assert most_said(said) == {1: "B", 3: "X"}


def test_every_pair_of_letters_is_a_country_code_and_nothing_is_none() -> None:
    assert COUNTRY_CODES[pack_country("AT")] == "AT"
    assert COUNTRY_CODES[0] is None
    assert len(COUNTRY_CODES) == 26 * 26 + 1


BITS = {4: 32, 6: 128}


@st.composite
def overlapping(draw: st.DrawFn, family: int, values: st.SearchStrategy[int]) -> list[tuple[int, int, int]]:
    """Rows around a few borders, so that they overlap, touch, repeat, and reach both ends of the space."""
    top = 2 ** BITS[family] - 1
    near = (
        st.sampled_from([0, 2**64 - 8, 2**64 + 8, top - 40])
        if family == 6
        else st.sampled_from([0, 5000, top - 40])
    )
    border = st.builds(lambda base, step: min(base + step, top), near, st.integers(0, 40))
    rows = draw(st.lists(st.tuples(border, border, values), max_size=12))
    return [(min(a, b), max(a, b), value) for a, b, value in rows]


def slowly(rows: list[tuple[int, int, int]], number: int) -> int:
    """The obvious scan: of the rows with the number in them the smallest, the later one, the lower value."""
    covering = [(last - first, -first, value) for first, last, value in rows if first <= number <= last]
    return min(covering)[2] if covering else 0


CODES = st.sampled_from([pack_country("AT"), pack_country("DE"), pack_country("US")])


@pytest.mark.parametrize("family", [4, 6])
@given(data=st.data())
def test_a_lookup_finds_what_a_slow_scan_finds(family: int, data: st.DataObject) -> None:
    systems = data.draw(overlapping(family, st.integers(1, 3)))
    registered, located = (data.draw(overlapping(family, CODES)) for _ in range(2))
    given_layers = {"asn": systems, "registered": registered, "located": located}
    source = Provenance("test", "2026-06-17", (), "import", "")
    layers = Layers(
        {(name, family): flatten(rows, family) for name, rows in given_layers.items()},
        {1: "One"},
        {2: "FR"},
        {layer_name(name, family): source for name in given_layers},
    )
    registry = Registry("v", compile_index(layers), layers.provenance)
    borders = {edge for rows in given_layers.values() for row in rows for edge in row[:2]}
    for number in sorted({n for edge in borders for n in (edge - 1, edge, edge + 1)} | {0}):
        if not 0 <= number < 2 ** BITS[family]:
            continue
        address = ipaddress.IPv4Address(number) if family == 4 else ipaddress.IPv6Address(number)
        asn, first, second = (slowly(rows, number) for rows in given_layers.values())
        entry = registry.lookup(address)
        if not (asn or first or second):
            assert entry is None
            continue
        assert entry
        assert (entry.asn or 0, entry.registered, entry.located) == (
            asn,
            COUNTRY_CODES[first],
            COUNTRY_CODES[second],
        )
        assert (entry.holder, entry.asn_country) == ("One" if asn == 1 else None, "FR" if asn == 2 else None)
        assert entry.prefix and address in ipaddress.ip_network(entry.prefix)


@pytest.mark.parametrize("family", [4, 6])
@given(data=st.data())
def test_the_prefix_is_the_largest_one_inside_the_range(family: int, data: st.DataObject) -> None:
    top = 2 ** BITS[family] - 1
    first, number, last = sorted(data.draw(st.integers(0, top) | st.integers(0, 300)) for _ in range(3))
    network = ipaddress.ip_network(largest_prefix(number, first, last, family))
    assert first <= int(network[0]) <= number <= int(network[-1]) <= last
    if network.prefixlen:
        wider = network.supernet()
        assert int(wider[0]) < first or int(wider[-1]) > last


@pytest.mark.parametrize("family", [4, 6])
@given(data=st.data())
def test_columns_hold_what_was_packed_into_them(family: int, data: st.DataObject) -> None:
    ranges = flatten(data.draw(overlapping(family, CODES)), family)
    again = unpack_columns(pack_columns(ranges, family), family)
    for column in ("first", "last", "value"):
        assert getattr(again, column).tolist() == getattr(ranges, column).tolist()


def test_columns_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        unpack_columns(b"\0" * 13, 4)
