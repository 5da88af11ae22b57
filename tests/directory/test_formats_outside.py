"""The lists of others: what is taken from each, what is left out and why, what is refused and where."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pocdir.core.errors import Invalid
from pocdir.directory.formats.table import FORMATS
from tests.directory import made
from tests.directory.made import NOW, channels, held


def read(name, data):
    return FORMATS[name](data if isinstance(data, bytes) else json.dumps(data).encode(), NOW)


def refusal(name, data):
    with pytest.raises(Invalid) as refused:
        read(name, data)
    return refused.value


# FIRST


def test_a_member_of_first():
    page = made.first_page(
        made.first_team(
            **{
                "phone-emergency": "+43 1 9999",
                "pgp-fingerprint": "0381 BEF5 6694 B532 5BF0 4DDC A1DA C3ED FF4D FFB7",
            }
        )
    )
    parsed = read("first", page | {"last-modified": "Thu, 21 Jul 2016 19:02:52 GMT"})
    (team,) = parsed.teams
    assert (parsed.source.source, parsed.source.kind, parsed.source.as_of) == (
        "FIRST",
        "registry",
        "2016-07-21",
    )
    assert team.facts == {
        "name": "Example Computer Emergency Response Team",
        "short_name": "CERT Example",
        "kind": "academic",
        "country": "AT",
        "website": "https://cert.example/",
        "memberships": [{"name": "FIRST", "since": "2019-08-23"}],
    }
    assert channels(team) == [
        ("email", "reports@cert.example", "incident"),
        ("phone", "+43 1 5056416", "incident"),
        ("phone", "+43 1 9999", "emergency"),
        ("postal", "Road 1, Vienna", "general"),
    ]
    assert team.channels[0].openpgp_fingerprint == "0381BEF56694B5325BF04DDCA1DAC3EDFF4DFFB7"
    assert team.responsibilities == ()


def test_pages_of_first_are_one_list():
    pages = [made.first_page(made.first_team(team=name), total=2) for name in ("A", "B")]
    assert len(read("first", pages).teams) == 2


def test_no_person_of_first_is_taken():
    team = made.first_team(
        representative={"name": "Ada Lovelace", "email": "ada@cert.example"}, members=["Ada"]
    )
    assert "Ada" not in repr(read("first", made.first_page(team))).title()


def test_a_contact_of_first_that_is_none_is_left_out_with_a_note():
    parsed = read("first", made.first_page(made.first_team(email="see website", phone=["N/A", "ask"])))
    assert not [each for each in parsed.teams[0].channels if each.kind in ("email", "phone")]
    assert [note.partition(":")[0] for note in parsed.notes] == [
        "data[0].email",
        "data[0].email",
        "data[0].phone[1]",
    ]


@pytest.mark.parametrize(
    ("page", "where"),
    [
        ({"status": "ERROR", "data": []}, "status"),
        ({"status": "OK"}, "data"),
        ({"status": "OK", "data": {}}, "data"),
        ({"status": "OK", "data": []}, "data"),
        ({"status": "OK", "data": ["x"]}, "data[0]"),
        ({"status": "OK", "data": [{"country": "AT"}]}, "data[0].team"),
        ({"status": "OK", "data": [{"team": "evil\u202e"}]}, "data[0].team"),
        ([{"status": "OK", "data": [{"team": 7}]}], "[0].data[0].team"),
        ({"status": "OK", "total": 2, "data": [{"team": "CERT"}]}, "total"),
    ],
)
def test_what_is_not_firsts_answer_is_refused_with_its_path(page, where):
    assert refusal("first", page).where == where


# Trusted Introducer


def test_the_teams_of_the_trusted_introducer(shared_data: Path):
    parsed = read("ti", (shared_data / "directory/sources/ti_teams_intelmq.json").read_bytes())
    energy, aconet, _, national = parsed.teams
    assert [team.facts["kind"] for team in parsed.teams] == ["sectoral", "academic", "provider", "national"]
    assert energy.facts["memberships"] == [{"name": "TI Certified", "since": "2020-06-30"}]
    assert held(aconet) == [
        ("asn", "679", "holder"),
        ("asn", "760", "holder"),
        ("prefix", "103.0.0.0/16", "holder"),
        ("prefix", "103.1.0.0/22", "holder"),
        ("prefix", "103.1.4.0/24", "holder"),
        ("domain", "ac.at", "holder"),
    ]
    assert held(energy) == []  # it serves a country without answering for it
    assert held(national) == [("country", "AT", "national")]
    assert national.facts["misp_uuid"] == "5694da62-6314-4565-9c4d-1298538826be"
    assert ("email", "team@cert.at", "incident") in channels(national)
    assert not any(each.openpgp_fingerprint for team in parsed.teams for each in team.channels)  # all expired


def test_a_key_that_has_not_expired_is_taken():
    keys = [
        {"fingerprint": "0" * 40, "expires": "2026-11-21"},
        {"fingerprint": "1" * 40, "expires": "2026-11-22"},
    ]
    (team,) = read("ti", [made.ti_team(pgp_keys=keys)]).teams
    assert team.channels[0].openpgp_fingerprint == "1" * 40


@pytest.mark.parametrize(
    ("usage", "purposes"),
    [
        (["contact"], ["incident"]),
        ([], ["incident"]),
        (["Abuse", "incident"], ["incident"]),
        (["vulnerability", "contact"], ["vulnerability", "incident"]),
        (["press"], ["general"]),
        (["representative"], []),
        (["contact", "private"], []),
        ("emergency", ["emergency"]),
    ],
)
def test_the_usage_of_an_address_decides_its_purpose(usage, purposes):
    (team,) = read("ti", [made.ti_team(emails=[{"address": "x@cert.example", "usage": usage}])]).teams
    assert [each.purpose for each in team.channels] == purposes


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        ({}, ""),
        ([], None),
        (["x"], "[0]"),
        ([{"short_name": "CERT"}], "[0].official_name"),
        ([{"official_name": "CERT", "country": "AT"}], "[0].country"),
        ([{"official_name": "CERT", "emails": "x@cert.example"}], "[0].emails"),
        ([{"official_name": "CERT", "emails": ["x@cert.example"]}], "[0].emails[0]"),
        ([{"official_name": "CERT", "constituency": []}], "[0].constituency"),
        ({"teams": [{}]}, "teams[0].official_name"),
    ],
)
def test_what_is_not_the_list_of_ti_is_refused_with_its_path(raw, where):
    assert (refusal("ti", raw).where or None) == (where or None)


# CERT-Bund's list and the table of contacts.cert.at


def test_a_list_of_national_teams():
    data = b"# national\nAT|CERT.at <Reports@cert.at>,GovCERT <team@govcert.gv.at>\n\nUK|NCSC, UK <x@ncsc.example>\n"
    first, second, third = read("certbund", data).teams
    assert first.facts == {"name": "CERT.at", "kind": "national", "country": "AT"}
    assert channels(first) == [("email", "reports@cert.at", "incident")]
    assert [(row.value, row.rank) for row in (*first.responsibilities, *second.responsibilities)] == [
        ("AT", 1),
        ("AT", 2),
    ]
    assert (third.facts["name"], third.facts["country"]) == ("NCSC, UK", "GB")


def test_one_organisation_for_two_countries_and_two_of_one_name():
    data = b"CH|SWITCH <cert@switch.ch>\nLI|SWITCH <cert@switch.ch>\nNZ|NCSC <a@x.example>\nIE|NCSC <b@x.example>\n"
    teams = read("certbund", data).teams
    assert [[row.value for row in team.responsibilities] for team in teams] == [["CH", "LI"], ["NZ"], ["IE"]]


@pytest.mark.parametrize(
    ("line", "where"),
    [
        (b"AT|CERT.at team@cert.at", "line 2"),
        (b"AT CERT.at <team@cert.at>", "line 2"),
        (b"ZZ|CERT <team@cert.example>", "line 2"),
        (b"AT|CERT <team>", "line 2"),
        (b"AT|CERT <>", "line 2"),
        (b"AT| <team@cert.at>", "line 2"),
        (b"AT|CERT <team@cert.at> and more", "line 2"),
        (b"# nothing", None),
    ],
)
def test_a_wrong_line_of_the_national_list_is_named(line, where):
    assert refusal("certbund", b"#\n" + line + b"\n").where == where


DUMP = (
    "SET client_encoding = 'SQL_ASCII';\n"
    "COPY public.certs (iso2, team_name, full_team_name, email, confirmed, source, active, editor_email, created,"
    " changed, type_of_cert, weight, ti_url) FROM stdin;\n"
    "AT\tCERT.at\tComputer Emergency Response Team Austria\treports@cert.at\tt\tx\tt\teditor@cert.at\t2011\t"
    "2017-07-03 13:39:46.602635+02\tnational\t0.9\t\\N\n"
    "AT\tGovCERT\t\\N\tteam@govcert.gv.at\tf\tx\tt\t\\N\t2011\t2011-06-10\t\\N\t0.5\t\\N\n"
    "DE\tDFN\tDFN CERT\tcert@dfn-cert.de\tt\tx\tt\t\\N\t2011\t2011-06-10\tacademic\t0.5\t\\N\n"
    "ZA\tOld\tOld team\told@example.org\tt\tx\tf\t\\N\t2011\t2011-06-10\t\\N\t0.5\t\\N\n"
    "TN\tTCC\tAda Lovelace\tada.lovelace@tcc.example\tt\tx\tt\t\\N\t2011\t2011-06-10\t\\N\t0.5\t\\N\n"
    "\\.\n"
)


def test_the_dump_of_contacts_cert_at():
    parsed = read("certat", DUMP.encode())
    national, lead, academic = parsed.teams
    assert (national.facts["name"], national.facts["short_name"]) == (
        "Computer Emergency Response Team Austria",
        "CERT.at",
    )
    assert (national.as_of, national.confidence, lead.confidence) == ("2017-07-03", None, "low")
    assert [row.rank for row in (*national.responsibilities, *lead.responsibilities)] == [1, 2]
    assert (academic.facts["kind"], academic.responsibilities) == ("academic", ())
    assert [note.partition(":")[0] for note in parsed.notes] == ["line 6", "line 7"]
    assert not {"editor@cert.at", "Lovelace"} & set(repr(parsed).replace("'", " ").split())


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_the_same_table_as_csv(delimiter):
    lines = ["iso2;team_name;email;active", "AT;CERT.at;reports@cert.at, team@cert.at;true"]
    data = "\n".join(lines).replace(", ", " ").replace(";", delimiter).encode()
    (team,) = read("certat", data).teams
    assert [each.value for each in team.channels] == ["reports@cert.at", "team@cert.at"]


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ("iso2;team_name\n", "line 1"),
        ("iso2;team_name;email;email\n", "line 1"),
        ("iso2;team_name;email\nAT;CERT\n", "line 2"),
        ("iso2;team_name;email\nZZ;CERT;a@cert.example\n", "line 2: iso2"),
        ("iso2;team_name;email\nAT;;a@cert.example\n", "line 2: team_name"),
        ("iso2;team_name;email\nAT;CERT;nobody\n", "line 2: email"),
        (DUMP.replace("\\.\n", ""), "line 7"),
        (DUMP.replace("\tcert@dfn-cert.de", ""), "line 5"),
        ("iso2;team_name;email\n", None),
    ],
)
def test_a_wrong_line_of_the_table_is_named(data, where):
    assert refusal("certat", data.encode()).where == where


# What real files hold

RIGHT = {
    "unsigned+valid-expires": None,
    "signed+expires-over-1y": None,
    "unsigned+no-expires": "format_invalid",
    "detached-signature": "format_invalid",
    "case": "format_invalid",  # a template: its Expires is Python
}


def test_every_labelled_file_is_read_or_refused_as_its_label_says(shared_data: Path):
    with (shared_data / "identity/manifest.csv").open(encoding="utf-8", newline="") as file:
        labelled = [row for row in csv.DictReader(file) if not row["path"].startswith("openpgp/")]
    for row in labelled:
        data = (shared_data / "identity" / row["path"]).read_bytes()
        name = "security-txt" if row["path"].startswith("security_txt") else "rdap"
        try:
            code = None if FORMATS[name](data, NOW).teams else "empty"
        except Invalid as error:
            code = error.code
            assert error.message, row["path"]
        if name == "security-txt":
            assert code == RIGHT[row["label"]], row["path"]
        elif row["label"] == "edge":
            assert code == "format_invalid", row["path"]  # cards alone, which are no answers of RDAP
    answers = [row["path"] for row in labelled if "whoisit" in row["path"]]
    assert len(answers) == 6
    for path in answers:
        data = (shared_data / "identity" / path).read_bytes()
        if "domain2" in path:  # the registrar's own hostmaster, and nobody of the holder's
            assert refusal("rdap", data).code == "format_invalid"
        else:
            assert read("rdap", data).teams[0].channels, path


@pytest.mark.parametrize("name", FORMATS)
def test_no_file_raises_anything_but_a_refusal(shared_data: Path, name):
    folders = [shared_data / "directory", shared_data / "identity"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 100
    for path in files:
        try:
            assert FORMATS[name](path.read_bytes(), NOW).teams, path
        except Invalid as error:
            assert error.message, path


@pytest.mark.parametrize("name", FORMATS)
def test_a_web_page_is_refused_whatever_it_is_called(name):
    refused = refusal(name, b"\n<!-- x --><!DOCTYPE html><html><body>natcsirts.json</body></html>")
    assert "this is an HTML page, not " in refused.message
