"""The shipped registry: real ranges, loaded from seeds/."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import shutil
from pathlib import Path
from random import Random

import numpy as np
import pytest

from pocdir.routing import actions
from pocdir.routing.rules.decisions import decisions
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import answered, question
from pocdir.routing.rules.registry import Registry, RegistryEntry
from pocdir.routing.rules.result import result_of
from tests.routing.directories import TODAY, directory, national, prefix, row, team

SEED = Path(__file__).resolve().parents[2] / "seeds" / "registry"
NOW = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "registry"
    assert actions.load_seed_registry(SEED, folder, now=NOW)
    return folder


@pytest.fixture
def own_folder(folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(folder, tmp_path / "registry"))


def look(folder: Path, address: str) -> RegistryEntry:
    registry = Registry.open(folder)
    entry = registry and registry.lookup(ipaddress.ip_address(address))
    assert entry
    return entry


@pytest.mark.parametrize(
    ("address", "prefix", "asn", "holder", "registered"),
    [
        ("8.8.8.8", "8.8.8.0/24", 15169, "Google LLC", "US"),
        (
            "193.0.0.1",
            "193.0.0.0/21",
            3333,
            "Reseaux IP Europeens Network Coordination Centre (RIPE NCC)",
            "NL",
        ),
        ("38.87.230.0", "38.87.228.0/22", 174, "Cogent Communications", "US"),
        ("38.87.231.255", "38.87.228.0/22", 174, "Cogent Communications", "US"),
        ("180.222.136.0", "180.222.136.0/21", 131284, "Etisalat Afghan", "AF"),
        ("180.222.143.0", "180.222.136.0/21", 131284, "Etisalat Afghan", "AF"),
        ("2001:4860:4860::8888", "2001:4860:4840::/42", 15169, "Google LLC", "US"),
    ],
)
def test_a_real_address_is_told_as_holder_and_registered_country(
    folder: Path, address: str, prefix: str, asn: int, holder: str, registered: str
) -> None:
    expected = RegistryEntry(prefix, asn, holder, registered, None, None, "2026-06-17")
    assert look(folder, address) == expected


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "192.168.1.1", "240.0.0.1", "::1", "fe80::1"])
def test_private_space_is_in_no_layer(folder: Path, address: str) -> None:
    registry = Registry.open(folder)
    assert registry and registry.lookup(ipaddress.ip_address(address)) is None


def test_where_addresses_are_located_comes_from_a_file_of_two_lines(own_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "located.csv"
    file.write_text("38.87.230.0,38.87.231.255,DE\n180.222.136.0,180.222.143.0,DE\n", encoding="utf-8")
    actions.import_file("ip-location-country", [file], as_layer="located", folder=own_folder, now=NOW)
    first, second = look(own_folder, "38.87.230.1"), look(own_folder, "180.222.140.1")
    assert (first.registered, first.located) == ("US", "DE")
    assert (second.registered, second.located) == ("AF", "DE")
    assert look(own_folder, "180.222.143.1").located is None


def test_loading_again_changes_nothing(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    assert actions.load_seed_registry(SEED, folder, now=NOW) is None
    assert sorted(folder.rglob("*")) == before


def test_the_same_seed_makes_the_same_version(folder: Path, tmp_path: Path) -> None:
    registry = Registry.open(folder)
    summary = actions.load_seed_registry(SEED, tmp_path / "registry", now=NOW + dt.timedelta(days=1))
    assert registry and summary and summary.version == registry.version


def test_what_the_operator_imported_stays(own_folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "asn.csv"
    file.write_text("8.8.8.0,8.8.8.255,64500,Own view\n", encoding="utf-8")
    actions.import_file("ip-location-asn", [file], as_layer=None, folder=own_folder, now=NOW)
    assert actions.load_seed_registry(SEED, own_folder, now=NOW) is None
    assert look(own_folder, "8.8.8.8").holder == "Own view"


def test_a_damaged_registry_is_made_anew(own_folder: Path) -> None:
    next(own_folder.glob("*/v4_first.npy")).write_bytes(b"damaged")
    assert actions.load_seed_registry(SEED, own_folder, now=NOW)
    assert look(own_folder, "8.8.8.8").asn == 15169


def test_the_snapshot_is_small_dated_and_names_its_sources() -> None:
    assert sum(path.stat().st_size for path in SEED.iterdir()) < 7_500_000
    attribution = (SEED / "ATTRIBUTION.md").read_text(encoding="utf-8")
    provenance = json.loads((SEED / "provenance.json").read_text(encoding="utf-8"))["provenance"]
    assert set(provenance) == {"asn-v4", "asn-v6", "registered-v4", "registered-v6"}
    for source in provenance.values():
        assert source["as_of"] in attribution
        assert all(each["url"] in attribution for each in source["attributions"])
    assert "https://db-ip.com" in {each["url"] for each in provenance["asn-v4"]["attributions"]}


def test_the_index_answers_as_the_source_rows_do(folder: Path, shared_data: Path) -> None:
    registry = Registry.open(folder)
    assert registry
    samples = shared_data / "ipdata"
    for line in (samples / "sample_asn-country-ipv4.csv").read_text(encoding="utf-8").splitlines():
        start, end, country = line.split(",")
        for address in (start, end):
            entry = registry.lookup(ipaddress.ip_address(address))
            assert entry and entry.registered == country
    for family in ("ipv4", "ipv6"):
        for line in (samples / f"sample_asn-{family}.csv").read_text(encoding="utf-8").splitlines():
            start, end, asn, _ = line.split(",", 3)
            for address in (start, end):
                entry = registry.lookup(ipaddress.ip_address(address))
                assert entry and entry.asn == int(asn)


@pytest.mark.long
def test_of_a_file_every_sampled_row_and_every_edge_is_where_a_single_lookup_sends_it(folder: Path) -> None:
    nationals = [team(f"cert-{code.lower()}", national(code)) for code in ("AT", "DE", "FR", "US", "ZA")]
    others = team("isp", prefix("193.0.0.0/21")), team("as", row("asn", "3333"), row("asn", "15169"))
    index = Index.build(directory(*nationals, *others), Registry.open(folder))
    asked = question(index, on=TODAY, country_by="registered")
    made, random = decisions(index, asked), Random(20261123)
    for table, address in ((made.v4, ipaddress.IPv4Address), (made.v6, ipaddress.IPv6Address)):
        most, words = (1 << 128, 2) if address is ipaddress.IPv6Address else (1 << 32, 1)
        starts = [int(high) << 64 | int(low) for high, low in table.starts.T] if words == 2 else table.starts
        edges = {int(start) + step for start in starts for step in (-1, 0)}
        known = sorted(number for number in edges if 0 <= number < most)
        asked_for = known + [random.choice(known) + random.randrange(most >> 20) for _ in range(100_000)]
        numbers = [number % most for number in asked_for]
        if words == 2:
            found = table.of(
                np.array([[n >> 64 for n in numbers], [n % 2**64 for n in numbers]], dtype=np.uint64)
            )
        else:
            found = table.of(np.array(numbers, dtype=np.uint32))
        for number, result in zip(numbers, found.tolist(), strict=True):
            single = result_of(answered(index, str(address(number)), asked))
            assert made.results[result] == single, address(number)
