"""The seeds: never a value without a source, a row for every code, nobody's own mailbox."""

from __future__ import annotations

import importlib
import json
import lzma
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pocdir.core.codes import ALL_CODES
from pocdir.directory.formats import records
from pocdir.directory.rules import record as rules

SEEDS = Path(__file__).resolve().parents[2] / "seeds"
DIRECTORY = json.loads((SEEDS / "directory.json").read_text(encoding="utf-8"))
CODES = json.loads((SEEDS / "codes.json").read_text(encoding="utf-8"))
TEAMS: list[dict[str, Any]] = DIRECTORY["teams"]
CLASSES = {"first_party", "observed_header", "registry", "third_party_list", "registry_snapshot"}
ALSO = frozenset({"source", "confidence", "said"})


def said() -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that carries a source, with where it stands."""
    for team in TEAMS:
        for row in (*team["channels"], *team["responsibilities"]):
            yield f"{team['slug']} {row['value']}", row
        for field, who in team["said"].items():
            for name, each in who.items() if field == "memberships" else [("", who)]:
                yield f"{team['slug']} {field} {name}", each


def team(slug: str) -> dict[str, Any]:
    return next(team for team in TEAMS if team["slug"] == slug)


def answering(code: str) -> list[str]:
    """The slugs of the teams that answer for a country, by rank."""
    found = [
        (responsibility["rank"], team["slug"])
        for team in TEAMS
        for responsibility in team["responsibilities"]
        if (responsibility["key"], responsibility["value"]) == ("country", code)
    ]
    return [slug for _, slug in sorted(found)]


def emails() -> dict[str, set[str]]:
    """Each address with its confidences."""
    found: dict[str, set[str]] = {}
    for team in TEAMS:
        for channel in team["channels"]:
            if channel["kind"] == "email":
                found.setdefault(channel["value"], set()).add(channel["confidence"])
    return found


def test_every_team_is_one_that_the_directory_reads_and_keeps_as_written() -> None:
    for team in TEAMS:
        record = records.team_record(team, where=team["slug"], also=ALSO)
        assert [channel.value for channel in record.channels] == [c["value"] for c in team["channels"]]
        assert len(record.responsibilities) == len(team["responsibilities"])


def test_slugs_are_nobody_elses() -> None:
    assert [slug for slug, count in Counter(team["slug"] for team in TEAMS).items() if count > 1] == []


def test_every_value_has_a_source_with_its_class_and_a_confidence() -> None:
    for where, row in said():
        source = row["source"]
        assert set(source) == {"name", "url", "class", "date"}, where
        assert 3 < len(source["name"]) <= 200, where
        assert source["class"] in CLASSES, where
        assert source["date"] is None or re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", source["date"]), where
        assert row["confidence"] in rules.CONFIDENCES, where


def test_every_fact_of_a_team_is_said_by_someone() -> None:
    for team in TEAMS:
        for field in ("name", "short_name", "kind", "country", "website"):
            assert (team[field] is not None) == (field in team["said"]), (team["slug"], field)
        assert [membership["name"] for membership in team["memberships"]] == list(team["said"]["memberships"])


def test_one_name_of_a_source_means_one_source() -> None:
    sources = {(row["source"]["name"], row["source"]["url"], row["source"]["class"]) for _, row in said()}
    assert [name for name, count in Counter(name for name, _, _ in sources).items() if count > 1] == []


def test_old_or_unchecked_lists_do_not_make_anything_sure() -> None:
    for where, row in said():
        date, kind = row["source"]["date"], row["source"]["class"]
        if date == "2012-03-29" or (kind == "third_party_list" and date is None):
            assert row["confidence"] != "high", where


def test_every_code_has_one_row_with_a_source_or_the_word_that_none_was_found() -> None:
    assert [row["code"] for row in CODES] == list(ALL_CODES)
    assert len(ALL_CODES) == 251
    for row in CODES:
        assert set(row) == {"code", "status", "note", "source", "date"}
        assert row["status"] in ("contact", "known_no_address", "none_known")
        assert row["source"] or "No source was found" in row["note"]


def test_the_status_of_a_code_is_what_its_teams_can_be_reached_by() -> None:
    channels = {
        team["slug"]: [c for c in team["channels"] if c["purpose"] != "vulnerability"] for team in TEAMS
    }
    for row in CODES:
        teams = answering(row["code"])
        reachable = any(channels[slug] for slug in teams)
        expected = "contact" if reachable else "known_no_address" if teams else "none_known"
        assert row["status"] == expected, row["code"]


def test_statements_of_old_profiles_say_how_old_they_are() -> None:
    for row in CODES:
        if row["source"] and row["source"].startswith("ITU") and row["status"] == "none_known":
            assert "2014" in row["note"]


def test_nobodys_own_mailbox_is_there() -> None:
    roles = re.compile(r"cert|csirt|cirt|secur|assist|amsn")
    for address in emails():
        parts = re.split(r"[._]", address.split("@")[0])
        assert len(parts) == 1 or roles.search(address.split("@")[0]), address
    assert "f.b.brokken@rug.nl" not in emails()


@pytest.mark.parametrize(
    ("address", "personal"),
    [
        ("jane.doe@cert.example", True),
        ("j.m.doe@cert.example", True),
        ("jane_doe@cert.example", True),
        ("cert-team@example.org", False),
        ("csirt.malta@example.org", False),
        ("report@example.org", False),
    ],
)
def test_a_personal_mailbox_is_told_by_its_local_part(
    monkeypatch: pytest.MonkeyPatch, address: str, personal: bool
) -> None:
    monkeypatch.syspath_prepend(SEEDS)
    assert importlib.import_module("build_rows").is_personal(address) is personal


def test_keys_are_whole_fingerprints() -> None:
    keys = [c["openpgp_fingerprint"] for team in TEAMS for c in team["channels"] if c["openpgp_fingerprint"]]
    assert len(keys) == 10
    assert all(re.fullmatch(r"[0-9A-F]{40}", key) for key in keys)


def test_addresses_that_are_wrong_are_left_out_and_doubtful_ones_are_leads() -> None:
    found = emails()
    assert not {"certbw@bsi.bund.de", "phishing@cert.is", "phishing@jcsc.je", "sers@ocsia.im"} & set(found)
    doubtful = ("incident@zm-cirt.zm", "ir@ops.cert.govt.nz", "soc@us-cert.gov", "alerts@dnsc.ro")
    assert [found[address] for address in doubtful] == [{"low"}] * 4
    general = {c["value"] for t in TEAMS for c in t["channels"] if c["purpose"] == "general"}
    assert {"nscirt@cran.na", "amsn_contact@gouv.mc", "ocsia@gov.im"} <= general


def test_an_address_for_vulnerabilities_is_not_one_for_incidents() -> None:
    purposes = {
        c["value"]: c["purpose"] for t in TEAMS for c in t["channels"] if c["source"]["class"] == "registry"
    }
    assert set(purposes.values()) == {"vulnerability"}


def test_teams_that_are_gone_are_not_there() -> None:
    names = {name for team in TEAMS for name in (team["name"], team["short_name"])}
    assert not {"INIMA", "BSI-CERT", "CERT-NASK", "SITIC", "mtCERT"} & names


def test_the_energy_team_and_the_national_team_of_austria_answer_for_what_is_theirs() -> None:
    assert answering("AT") == ["cert-at"]
    first = team("cert-at")["channels"][0]
    assert (first["value"], first["confidence"]) == ("reports@cert.at", "high")
    assert [(r["key"], r["value"]) for r in team("aec")["responsibilities"]] == [
        ("country+sector", "AT/energy")
    ]


def test_competing_teams_of_a_code_are_ranked_and_not_merged() -> None:
    assert answering("CZ") == ["csirt-cz", "govcert-cz"]
    assert len(answering("ZA")) == 3
    assert answering("DK") == ["cfcs"], "the academic team's address is not the national team's"
    assert answering("BA") == [], "a team of one entity does not answer for the whole"


def test_nobody_answers_for_everything() -> None:
    assert not [t["slug"] for t in TEAMS for r in t["responsibilities"] if r["key"] == "global"]


def test_as_numbers_that_did_not_exist_are_left_out_and_ranges_are_spelled_out() -> None:
    numbers = [int(r["value"]) for t in TEAMS for r in t["responsibilities"] if r["key"] == "asn"]
    assert max(numbers) < 400_000
    assert set(range(1109, 1124)) <= set(numbers)


def test_the_facts_are_rebuilt_to_the_byte(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SEEDS)
    build = importlib.import_module("build_directory")
    for name, data in build.directory_files(shared_data / "directory").items():
        assert (SEEDS / name).read_bytes() == data, name


def test_the_registry_is_rebuilt_to_the_byte(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(SEEDS)
    build = importlib.import_module("build_registry")
    for name, data in build.registry_files(shared_data / "ipdata").items():
        committed = (SEEDS / "registry" / name).read_bytes()  # packed bytes may differ between versions of xz
        assert (lzma.decompress(committed) if name.endswith(".xz") else committed) == data, name
