"""The directory's seeds: teams with the source of every fact, and a row for every country code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from build_channels import channels, is_form, path_of
from build_codes import code_row
from build_groups import grouped, marks_of
from build_responsibilities import asns, assign_countries, by_ruling, rank_shared_asns
from build_rows import Row, newest_first, read_rows
from build_rulings import DROPPED_WEBSITES, KIND_OF, NAMED_AS

from pocdir.core.codes import ALL_CODES
from pocdir.core.text import fold

Json = dict[str, Any]

DATE = "2026-11-22"
NOTE = (
    "Facts from public sources, each with its source, the date of the source and a confidence. Nothing was"
    " checked with the teams; what has low confidence is an unverified lead."
)
ANYBODYS = frozenset({"cert", "cirt", "csirt", "ncert", "ncsa", "ncsc"})
MEMBERSHIPS = (  # as a source begins it, as it is kept
    ("TI Accreditation Candidate", "TI Accreditation Candidate"),
    ("TI Accredited", "TI Accredited"),
    ("TI accredited", "TI Accredited"),
    ("TF-CSIRT/TI accredited", "TI Accredited"),
    ("TF-CSIRT/TI", "TF-CSIRT"),
    ("APCERT", "APCERT"),
    ("FIRST", "FIRST"),
    ("OIC-CERT", "OIC-CERT"),
)


def directory_files(material: Path) -> dict[str, bytes]:
    """directory.json and codes.json, as they are written."""
    rows = read_rows(material / "csirt_facts.csv")
    groups = grouped(rows)
    teams = [_team(group) for group in groups]
    assign_countries(groups, teams)
    rank_shared_asns(teams)
    _name_slugs(teams)
    teams.sort(key=lambda team: str(team["slug"]))
    directory = {"seed": {"name": "pocdir seed", "date": DATE, "note": NOTE}, "teams": teams}
    codes = [code_row(code, teams, [row for row in rows if row.country == code]) for code in ALL_CODES]
    return {"directory.json": _json(directory), "codes.json": _json(codes)}


def _team(group: list[Row]) -> Json:
    """One team in pocdir-json's shape; `said` names the source of each of its facts."""
    named = [row for row in group if row.name or row.short_name] or group
    plain = [row for row in named if not row.is_cna] or named
    website = _website(group)
    short = min(plain, key=lambda row: not row.short_name or "/" in row.short_name or "(" in row.short_name)
    name = _full_name(named) or short
    ruled = _ruled(group, NAMED_AS)
    if ruled:
        name = short = next(row for row in group if row.short_name == ruled)
    memberships = _memberships(group)
    by_field = {"name": name, "short_name": short, "kind": plain[0], "country": name, "website": website}
    team: Json = {
        "slug": "",
        "name": ruled or name.name or name.short_name or f"National contact at {name.email.split('@')[1]}",
        "short_name": short.short_name or None,
        "kind": _ruled(group, KIND_OF) or plain[0].kind,
        "country": None if name.country == "ZZ" else name.country,
        "website": website.website if website else None,
        "languages": [],
        "timezone": None,
        "memberships": [{"name": each, "since": since} for each, (_, since) in memberships.items()],
        "channels": channels(group),
        "responsibilities": [*asns(group), *by_ruling(group)],
    }
    said: Json = {field: row.said() for field, row in by_field.items() if row and team[field]}
    said["memberships"] = {each: row.said() for each, (row, _) in memberships.items()}
    return {**team, "said": said}


def _ruled(group: list[Row], rulings: dict[tuple[str, str], str]) -> str | None:
    return next((rulings[mark] for mark in sorted(marks_of(group)) if mark in rulings), None)


def _full_name(named: list[Row]) -> Row | None:
    """The best row with a full name; one of low confidence does not outdo a short name of a better row."""
    sure = [row for row in named if row.name and row.confidence != "low"]
    if sure:
        return min(sure, key=lambda row: (row.is_cna, row.best))
    if any(row.confidence != "low" for row in named):
        return None
    recent = [row for row in named if not row.is_snapshot_of_2012]
    return next((row for row in recent or named if row.name), None)


def _website(group: list[Row]) -> Row | None:
    """The row with the likeliest home page: no shared host, no form, few steps down, from a good source."""
    pages = [row for row in group if row.website and not _is_elsewhere(row.website)]

    def order(row: Row) -> tuple[Any, ...]:
        listed = row.source.class_ == "registry"  # a page of advisories or a policy
        first_party = row.source.class_ == "first_party"
        depth = len([step for step in path_of(row.website).split("/") if step])
        return listed, is_form(row.website), row.is_snapshot_of_2012, not first_party, depth, row.best

    return min(pages, key=order, default=None)


def _is_elsewhere(url: str) -> bool:
    return url in DROPPED_WEBSITES or "//github.com/" in url


def _memberships(group: list[Row]) -> dict[str, tuple[Row, str | None]]:
    """By name the best row that says so, and since when; of TI's levels the newest alone."""
    best: dict[str, tuple[Row, str | None]] = {}
    for row in group:  # the best row first
        for given in row.memberships:
            name = next((kept for beginning, kept in MEMBERSHIPS if given.startswith(beginning)), given)
            since = re.search(r"\d{4}-\d\d-\d\d", given)
            best.setdefault(name, (row, since.group() if since else None))
    levels = [name for name in best if name.startswith("TI ")]
    newest = min(levels, key=lambda name: newest_first(best[name][0].source.date), default=None)
    return {name: best[name] for name in sorted(best) if name == newest or name not in levels}


def _name_slugs(teams: list[Json]) -> None:
    """Slugs from short names; those of several teams, or that any could have, carry the country as well."""
    wanted = [_slug(team["short_name"] or team["name"]) for team in teams]
    for team, slug in zip(teams, wanted, strict=True):
        country = (team["country"] or "int").lower()
        own = wanted.count(slug) == 1 and slug not in ANYBODYS
        team["slug"] = slug if own else f"{slug}-{country}"


def _slug(text: str) -> str:
    return "-".join(re.findall(r"[a-z0-9]+", fold(text)))[:60].strip("-")


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
