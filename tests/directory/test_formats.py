"""Whole files: teams, or a refusal that says where; never anything else."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.directory.formats import cidr_csv, pocdir_csv, pocdir_json, records, text, values
from pocdir.directory.formats.table import FORMATS
from pocdir.directory.rules import record as rules
from tests.directory import made

HEAD = b"as_or_cidr,organization,comment,contact\n"


def refusal(name, data):
    with pytest.raises(Invalid) as refused:
        FORMATS[name](data, made.NOW)
    return refused.value


def test_a_team_with_the_least_that_is_needed():
    (team,) = pocdir_json.parse(b'{"teams": [{"name": "CERT", "kind": "national", "country": "AT"}]}').teams
    assert team.slug is None
    assert team.facts == {"name": "CERT", "kind": "national", "country": "AT"}


def test_the_source_is_what_the_file_says():
    parsed = pocdir_json.parse(made.file(made.team_json(), origin="manual"))
    assert parsed.origin == "manual"
    assert (parsed.source.source, parsed.source.url, parsed.source.as_of) == (
        "list",
        "https://list.example/",
        "2026-06-17",
    )


def test_nulls_and_empty_lists_say_nothing():
    team = made.team_json(website=None, languages=[], memberships=[], short_name=None, timezone=None)
    assert set(pocdir_json.parse(made.file(team)).teams[0].facts) == {"name", "kind", "country"}


def test_a_role_follows_from_the_key():
    keys = {"prefix": "203.0.113.0/24", "country": "AT", "country+sector": "AT/energy", "global": "*"}
    team = made.team_json(responsibilities=[{"key": key, "value": value} for key, value in keys.items()])
    (read,) = pocdir_json.parse(made.file(team)).teams
    assert [row.role for row in read.responsibilities] == ["holder", "national", "sectoral", "coordinator"]


@pytest.mark.parametrize(
    ("team", "where"),
    [
        ({"slug": "a", "country": "AT"}, "teams[0].kind"),
        ({"slug": "a", "kind": "national"}, "teams[0].country"),
        ({"kind": "national", "country": "AT"}, "teams[0].name"),
        (made.team_json(kind="ministry"), "teams[0].kind"),
        (made.team_json(attribution="XX"), "teams[0].attribution"),
        (made.team_json(name="evil\u202etxt"), "teams[0].name"),
        (made.team_json(channels={}), "teams[0].channels"),
        (made.team_json(channels=["cert@cert.example"]), "teams[0].channels[0]"),
        (made.team_json(channels=[{"value": "x"}]), "teams[0].channels[0].kind"),
        (made.team_json(channels=[made.channel(), made.channel()]), "teams[0].channels[1]"),
        (
            made.team_json(channels=[made.channel(openpgp_fingerprint="0BC6A8E5")]),
            "teams[0].channels[0].openpgp_fingerprint",
        ),
        (made.team_json(channels=[made.channel(preference=1.5)]), "teams[0].channels[0].preference"),
        (
            made.team_json(responsibilities=[made.responsibility(value="XX")]),
            "teams[0].responsibilities[0].value",
        ),
        (
            made.team_json(
                responsibilities=[made.responsibility(valid_from="2027-01-01", valid_to="2026-01-01")]
            ),
            "teams[0].responsibilities[0].valid_to",
        ),
        (made.team_json(memberships=["FIRST"]), "teams[0].memberships"),
        ("CERT", "teams[0]"),
    ],
)
def test_a_refusal_names_the_path(team, where):
    refused = refusal("pocdir-json", made.file(team))
    assert (refused.code, refused.where) == ("record_invalid", where)


def test_every_fault_of_a_file_is_told_at_once():
    refused = refusal("pocdir-json", made.file(made.team_json(kind="x"), made.team_json("b", country="ZZ")))
    assert set(refused.errors) == {"teams[0].kind", "teams[1].country"}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   \n",
        b"\xef\xbb\xbf<!DOCTYPE html><html>",
        b"<html>",
        b"\xff\xfe\x00",
        b"PK\x03\x04",
        b"[]",
        b"null",
    ],
)
def test_bytes_of_another_kind_are_refused(name, data):
    assert refusal(name, data).code == "format_invalid"


@pytest.mark.parametrize(
    "data",
    [
        b'{"teams": [], "teams": []}',
        b'{"teams": [NaN]}',
        b"[" * 100_000,
        b'{"teams": ' + b"9" * 5000 + b"}",
        b'{"teams": [}',
    ],
)
def test_what_is_no_proper_json_is_refused(data):
    assert refusal("pocdir-json", data).code == "format_invalid"


def test_a_file_is_refused_by_its_size_alone():
    with pytest.raises(Invalid) as refused:
        text.check_size(text.MOST_BYTES + 1)
    assert refused.value.code == "file_too_large"


@pytest.mark.parametrize(
    ("line", "where"),
    [
        (b"203.0.113.5/24,ISP,,\n", "line 2: as_or_cidr"),
        (b"64500,,,\n", "line 2: organization"),
        (b"64500,ISP,,who knows\n", "line 2: contact"),
        (b"64500,ISP\n", "line 2"),
        (b'"64500,ISP,,\n', "line 2"),
        (b"", None),
    ],
)
def test_a_wrong_line_of_cidr_csv_is_named(line, where):
    assert refusal("cidr-csv", HEAD + line).where == where


@pytest.mark.parametrize(
    "head", [b"asn,org\n", b"as_or_cidr,organization,organization\n", b"as_or_cidr,organization,x\n"]
)
def test_a_wrong_head_is_named(head):
    assert refusal("cidr-csv", head + b"1,b,c\n").where == "line 1"


def test_a_quoted_line_break_does_not_shift_the_line_told():
    data = HEAD + b'64500,ISP,"two\nlines",\n64500x,ISP,,\n'
    assert refusal("cidr-csv", data).where == "line 4: as_or_cidr"


CSV_HEAD = (",".join(pocdir_csv.COLUMNS) + "\n").encode()


def csv_line(**cells):
    return (",".join(f'"{cells.get(name, "")}"' for name in pocdir_csv.COLUMNS) + "\n").encode()


TEAM_LINE = csv_line(slug="a", record="team", kind="national", country="AT")


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        (csv_line(slug="a", record="channel", kind="email", value="a@b.example"), "line 2"),
        (TEAM_LINE + TEAM_LINE, "line 3"),
        (TEAM_LINE + csv_line(slug="a", record="contact"), "line 3"),
        (TEAM_LINE + csv_line(slug="a", record="channel", website="x"), "line 3"),
        (TEAM_LINE + csv_line(slug="a", record="channel", kind="email", value="no"), "line 3: value"),
        (TEAM_LINE + csv_line(slug="a", record="responsibility", kind="asn", value="0"), "line 3: value"),
        (csv_line(slug="a", record="team", kind="x"), "line 2: kind"),
    ],
)
def test_a_wrong_line_of_pocdir_csv_is_named(lines, where):
    assert refusal("pocdir-csv", CSV_HEAD + lines).where == where


def test_no_cell_of_an_export_starts_a_formula():
    team = made.team_json(
        name="=1+1",
        short_name=None,
        website=None,
        timezone=None,
        host_kind=None,
        languages=[],
        memberships=[],
    )
    channel = dict.fromkeys(pocdir_csv.CHANNEL) | made.channel("+43 1 5056416", kind="phone")
    data = pocdir_csv.write([team | {"confidence": "medium", "channels": [channel], "responsibilities": []}])
    cells = [cell for line in data.decode().splitlines() for cell in line.split(",")]
    assert {"'=1+1", "'+43 1 5056416"} <= set(cells)
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters=values.BIDI_CONTROLS)
)
TEAMS = st.builds(
    dict,
    slug=st.from_regex(r"[a-z0-9]{1,8}(-[a-z0-9]{1,4})?", fullmatch=True).filter(lambda s: s != "new"),
    name=NAMES.map(lambda name: f"{name}x"[-90:]),
    short_name=st.none() | NAMES.map(lambda name: f"{name}y"[-90:]),
    kind=st.sampled_from(rules.TEAM_KINDS),
    country=st.none() | st.sampled_from(["AT", "XK", "EU"]),
    languages=st.lists(st.sampled_from(["de", "pt-BR"]), unique=True),
    memberships=st.lists(
        st.builds(dict, name=NAMES.map(lambda name: f"{name}m"[-90:]), since=st.none() | st.just("2009")),
        max_size=2,
        unique_by=lambda it: records.values.text(100)(it["name"]),
    ),
    channels=st.lists(
        st.builds(
            dict,
            kind=st.just("email"),
            value=st.from_regex(r"[a-z]{1,5}@[a-z]{1,5}\.example", fullmatch=True),
            purpose=st.sampled_from(rules.PURPOSES),
            preference=st.integers(1, 1000),
            audience=st.sampled_from(rules.AUDIENCES),
        ),
        max_size=3,
        unique_by=lambda it: (it["value"], it["purpose"]),
    ),
)


@given(st.lists(TEAMS, max_size=3, unique_by=lambda it: it["slug"]))
def test_a_table_says_the_same_as_the_objects(teams):
    read = pocdir_json.parse(made.file(*teams)).teams
    whole = [
        dict.fromkeys(pocdir_csv.TEAM)
        | {"languages": [], "memberships": [], "slug": team.slug, "responsibilities": []}
        | dict(team.facts)
        | {"channels": [{name: getattr(c, name) for name in pocdir_csv.CHANNEL} for c in team.channels]}
        for team in read
    ]
    assert pocdir_csv.parse(pocdir_csv.write(whole)).teams == read


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.binary() | st.text().map(str.encode))
def test_any_bytes_are_teams_or_refused(name, data):
    with contextlib.suppress(Invalid):
        FORMATS[name](data, made.NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["teams", "slug", "name", "kind", "country", "channels", "value", "key", "source", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_json_is_teams_or_refused(value):
    for whole in (value, {"teams": value}, {"teams": [value]}, {"teams": [made.team_json(channels=value)]}):
        with contextlib.suppress(Invalid):
            pocdir_json.parse(json.dumps(whole).encode())


@given(
    st.lists(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), min_size=4, max_size=4), max_size=3)
)
def test_any_line_is_a_network_or_refused(rows):
    quoted = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)
    with contextlib.suppress(Invalid):
        cidr_csv.parse(HEAD + quoted.encode())


@pytest.mark.parametrize("name", FORMATS)
def test_every_file_of_the_shared_data_is_read_or_refused(shared_data: Path, name):
    files = [path for path in (shared_data / "directory").rglob("*") if path.is_file()]
    assert files
    for path in files:
        with contextlib.suppress(Invalid):
            FORMATS[name](path.read_bytes(), made.NOW)
