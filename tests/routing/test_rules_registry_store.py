"""The registry as it is kept: replaced whole or not at all, read by many, told when damaged."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from pocdir.core.errors import Conflict, Invalid, Unavailable
from pocdir.routing import actions
from pocdir.routing.rules.registry import Registry
from pocdir.routing.rules.registry_formats import parse
from pocdir.routing.rules.registry_layers import (
    Layers,
    flatten,
)
from tests.routing.test_rules_registry import ASN, COUNTRY, NOW, imported, look, opened


def test_a_refused_import_leaves_the_registry_as_it_was(tmp_path: Path) -> None:
    version = imported(tmp_path, "ip-location-asn", ASN).version
    with pytest.raises(Invalid):
        imported(tmp_path, "ip-location-asn", ASN + "nonsense\n")
    assert opened(tmp_path).version == version


def test_an_import_replaces_its_layer_and_leaves_the_others(tmp_path: Path) -> None:
    imported(tmp_path, "ip-location-asn", ASN)
    imported(tmp_path, "ip-location-country", COUNTRY)
    imported(tmp_path, "ip-location-asn", "203.0.113.0,203.0.113.255,64509,New\n")
    registry = opened(tmp_path)
    entry = look(registry, "203.0.113.1")
    assert entry and (entry.asn, entry.holder, entry.registered) == (64509, "New", "AT")
    assert look(registry, "198.51.100.1") is None
    other_family = look(registry, "2001:db8::1")
    assert other_family and other_family.asn == 64500, "the file said nothing of IPv6"
    assert registry.asn(64501) is None


def test_the_same_data_make_the_same_version_whatever_the_order_of_lines(tmp_path: Path) -> None:
    first = imported(tmp_path, "ip-location-country", COUNTRY)
    again = imported(tmp_path, "ip-location-country", COUNTRY)
    assert (first.changed, again.changed, again.version) == (True, False, first.version)
    rows = parse("ip-location-country", COUNTRY.splitlines(), name="f").countries[4]
    assert flatten(rows, 4).first.tolist() == flatten(rows[::-1], 4).first.tolist()


def test_a_reader_keeps_its_version_while_newer_ones_are_published(tmp_path: Path) -> None:
    versions = [imported(tmp_path, "ip-location-asn", ASN).version]
    old = opened(tmp_path)
    for number in (64502, 64503, 64504):
        text = f"203.0.113.0,203.0.113.255,{number},Net\n"
        versions.append(imported(tmp_path, "ip-location-asn", text).version)
    entry, newer = look(old, "203.0.113.1"), look(opened(tmp_path), "203.0.113.1")
    assert entry and entry.asn == 64500
    assert newer and newer.asn == 64504
    folders = {path.name for path in (tmp_path / "registry").iterdir() if path.is_dir()}
    assert folders == set(versions[-2:]), "the version before stays for those who are just opening it"


def test_what_a_broken_import_left_is_swept_away_after_an_hour(tmp_path: Path) -> None:
    imported(tmp_path, "ip-location-asn", ASN)
    left = tmp_path / "registry" / ".new-left"
    left.mkdir()
    later = dt.datetime.fromtimestamp(left.stat().st_mtime, dt.UTC) + dt.timedelta(hours=2)
    file = tmp_path / "material.csv"
    for now, there in ((later - dt.timedelta(hours=2), True), (later, False)):
        actions.import_file("ip-location-asn", [file], as_layer=None, folder=tmp_path / "registry", now=now)
        assert left.exists() is there


def test_of_two_imports_at_once_the_slower_one_is_told(tmp_path: Path) -> None:
    imported(tmp_path, "ip-location-asn", ASN)
    with pytest.raises(Conflict) as refusal:
        actions.publish(Layers(), folder=tmp_path / "registry", expected="another", now=NOW)
    assert refusal.value.code == "registry_changed"


def test_without_an_import_there_is_no_registry(tmp_path: Path) -> None:
    assert Registry.open(tmp_path) is None
    assert Registry.open(tmp_path / "missing") is None


def test_a_damaged_registry_is_said_and_not_imported_into(tmp_path: Path) -> None:
    place = tmp_path / "registry" / imported(tmp_path, "ip-location-asn", ASN).version
    (place / "layer_asn-v4_first.npy").unlink()
    assert Registry.open(tmp_path / "registry"), "a lookup needs no layers"
    with pytest.raises(Unavailable):
        imported(tmp_path, "ip-location-country", COUNTRY)
    (place / "v4_first.npy").write_bytes(b"")
    with pytest.raises(Unavailable):
        Registry.open(tmp_path / "registry")


def test_dates_and_attributions_are_those_of_the_layers_that_spoke(tmp_path: Path) -> None:
    imported(tmp_path, "ip-location-asn", ASN)
    (tmp_path / "located").write_text("203.0.113.0,203.0.113.63,AT\n", encoding="utf-8")
    actions.import_file(
        "ip-location-country",
        [tmp_path / "located"],
        as_layer="located",
        folder=tmp_path / "registry",
        now=NOW,
        as_of=dt.date(2025, 1, 1),
    )
    registry = opened(tmp_path)
    both, one = look(registry, "203.0.113.1"), look(registry, "203.0.113.64")
    assert both and both.as_of == "2025-01-01"
    assert one and one.as_of == "2026-06-17"
    assert registry.as_of == "2025-01-01"
    assert "https://db-ip.com" in [attribution.url for attribution in registry.attributions]
