"""Anything at all to every importer: teams or a refusal, never another exception, never long."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import email_validator
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.directory.formats import values
from pocdir.directory.formats.records import Parsed, statements
from pocdir.directory.formats.table import FORMATS
from pocdir.directory.rules.placeholders import placeholder
from tests.directory import made
from tests.directory.made import NOW, channels, held

CASES = 20_000
LABELS = st.from_regex(r"[a-z]{1,8}", fullmatch=True)
MAILS = st.builds("{}@{}.example".format, LABELS, LABELS)
NAMES = st.from_regex(r"[A-Z][A-Za-z0-9 .]{0,20}[a-z]", fullmatch=True).map(
    lambda name: " ".join(name.split())
)
CODES = st.sampled_from(["AT", "DE", "XK", "EU", "ZA"])

VALID = {
    "pocdir-json": made.file(made.team_json()),
    "pocdir-csv": b"slug,record,kind,country,value\na,team,national,AT,\na,channel,email,,a@b.example\n",
    "first": json.dumps(made.first_page(made.first_team()), indent=1).encode(),
    "ti": json.dumps(
        [made.ti_team(constituency={"types": ["National"], "asns": [1], "domains": ["*.x.example"]})]
    ).encode(),
    "certbund": b"AT|CERT <a@cert.example>,Gov <b@gov.example>\nDE|Other <c@other.example>\n",
    "certat": b"iso2;team_name;email;weight\nAT;CERT;a@cert.example;0.5\n",
    "cidr-csv": b"as_or_cidr,organization,comment,contact\n203.0.113.0/24,ISP,,a@isp.example\n",
    "security-txt": b"Contact: mailto:a@cert.example\nExpires: 2027-06-20T09:00:00Z\nPreferred-Languages: en\n",
    "rdap": json.dumps(made.rdap(), indent=1).encode(),
}
# Pieces that break parsers: signs of every format, numbers at the edge, text that turns or controls.
PIECES = [
    b"", b"\0", b"\xff", b"\xef\xbb\xbf", b"<html>", b'"', b"'", b"\\", b"\\N", b"{", b"}", b"[", b"]", b",", b";",
    b"|", b"<", b">", b"\n", b"\r\n", b"\t", b":", b"-", b"null", b"true", b"[]", b"{}", b'""', b"1e999", b"-1",
    b"99999999999999999999", b"NaN", "\u202e".encode(), "\u2028".encode(), "\U0001f600".encode(), b"\xed\xa0\x80",
    b"mailto:", b"tel:", b"https://", b"REDACTED", b"removed@lacnic.net", b"0.0.0.0/0", b"::/0", b"AS0-AS4294967295",
    b"-----BEGIN PGP SIGNED MESSAGE-----\n", b"-----BEGIN PGP SIGNATURE-----\n", b"%s", b"=1+1", b"a" * 600,
]  # fmt: skip


def told(parsed: Parsed) -> dict:
    """What would be kept; building it must not fail either."""
    for team in parsed.teams:
        assert team.name
        assert (
            not [channel for channel in team.channels if placeholder(channel.value)] or not team.placeholders
        )
    return statements({f"team-{n}": team for n, team in enumerate(parsed.teams)}, made.PROVENANCE)


def fed(name: str, data: bytes) -> None:
    try:
        told(FORMATS[name](data, NOW))
    except Invalid as refused:
        assert refused.message
        assert len(str(refused)) < 2000


def mutated(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 4)):
        at, end = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        piece = chance.choice(PIECES)
        data = chance.choice([
            data[:at] + piece + data[at:],
            data[:at] + piece + data[min(end, at + 12) :],
            data[:at] + data[min(end, at + 40) :],
            data[:end] + data[at:end][:200] + data[end:],
            data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :],
        ])  # fmt: skip
    return data


def real(shared_data: Path) -> Iterator[tuple[str, bytes]]:
    """Real files by the format they are in."""
    for name, folder in (("security-txt", "identity/security_txt"), ("rdap", "identity/rdap")):
        for path in sorted((shared_data / folder).iterdir()):
            yield name, path.read_bytes()
    yield "ti", (shared_data / "directory/sources/ti_teams_intelmq.json").read_bytes()


def fuzz(name: str, files: list[bytes], cases: int, seed: str) -> None:
    chance = random.Random(f"{name} {seed}")
    for _ in range(cases):
        fed(name, mutated(chance.choice(files), chance))


@pytest.mark.parametrize("name", FORMATS)
def test_a_valid_file_is_read(name):
    assert told(FORMATS[name](VALID[name], NOW))


@pytest.mark.parametrize("name", FORMATS)
def test_no_broken_file_raises_anything_but_a_refusal(name):
    fuzz(name, [VALID[name]], CASES // 20, "ordinary")


@pytest.mark.parametrize("name", ["security-txt", "rdap", "ti"])
def test_no_broken_real_file_raises_anything_but_a_refusal(shared_data: Path, name):
    fuzz(name, [data for format_, data in real(shared_data) if format_ == name], CASES // 100, "real")


@pytest.mark.long
@pytest.mark.parametrize("name", FORMATS)
def test_twenty_thousand_broken_files_raise_nothing_but_refusals(shared_data: Path, name):
    files = [data for format_, data in real(shared_data) if format_ == name and len(data) < 10_000]
    fuzz(name, [VALID[name], *files], CASES, "long")


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_teams_or_refused(name, data):
    fed(name, data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
SHAPED = {
    "first": made.first_team() | {"phone-emergency": None, "pgp-fingerprint": None, "last-modified": None},
    "ti": made.ti_team(
        short_name="x", classification={}, constituency={}, pgp_keys=[], phones=[], postal_address="x"
    ),
    "rdap": made.rdap(),
}


@pytest.mark.parametrize("name", SHAPED)
@settings(max_examples=100)
@given(data=st.data())
def test_any_json_in_the_place_of_any_value_is_taken_or_refused(name, data):
    shape = json.loads(json.dumps(SHAPED[name]))
    places = list(_places(shape))
    for _ in range(data.draw(st.integers(1, 3))):
        holder, key = data.draw(st.sampled_from(places))
        holder[key] = data.draw(JSON)
    whole = {"first": lambda: made.first_page(shape), "ti": lambda: [shape], "rdap": lambda: shape}[name]()
    fed(name, json.dumps(whole).encode())


def _places(value):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner)


# What is written comes back


@given(
    st.lists(
        st.tuples(CODES, NAMES, MAILS),
        min_size=1,
        max_size=6,
        unique_by=(lambda t: t[1].casefold(), lambda t: t[2]),
    )
)
def test_a_national_list_says_what_was_written(rows):
    data = "\n".join(f"{code}|{name} <{mail}>" for code, name, mail in rows).encode()
    assert [
        (t.facts["country"], t.facts["name"], t.channels[0].value)
        for t in FORMATS["certbund"](data, NOW).teams
    ] == rows


@given(st.lists(st.tuples(CODES, NAMES, MAILS), min_size=1, max_size=6, unique_by=lambda t: t[1].casefold()))
def test_a_table_says_what_was_written(rows):
    lines = ["iso2\tteam_name\temail", *("\t".join(row) for row in rows)]
    teams = FORMATS["certat"]("\n".join(lines).encode(), NOW).teams
    assert [(t.facts["country"], t.facts["name"], t.channels[0].value) for t in teams] == rows


@given(st.lists(st.tuples(NAMES, CODES, st.lists(MAILS, max_size=3, unique=True)), min_size=1, max_size=4))
def test_first_and_ti_say_what_was_written(rows):
    first = [{"team": name, "country": code, "email": ", ".join(mails)} for name, code, mails in rows]
    ti = [
        {"official_name": name, "country": {"code": code}, "emails": [{"address": mail} for mail in mails]}
        for name, code, mails in rows
    ]
    expected = [(name, code, [("email", mail, "incident") for mail in mails]) for name, code, mails in rows]
    for name, whole in (("first", made.first_page(*first)), ("ti", ti)):
        teams = FORMATS[name](json.dumps(whole).encode(), NOW).teams
        assert [(t.facts["name"], t.facts["country"], channels(t)) for t in teams] == expected


@given(st.lists(MAILS, min_size=1, max_size=4, unique=True), LABELS)
def test_a_security_txt_says_what_was_written(mails, label):
    lines = [f"Contact: mailto:{mail}" for mail in mails]
    lines += [
        "Expires: 2027-01-01T00:00:00Z",
        f"Canonical: https://www.{label}.example/.well-known/security.txt",
    ]
    (team,) = FORMATS["security-txt"]("\r\n".join(lines).encode(), NOW).teams
    assert (team.domain, channels(team)) == (
        f"{label}.example",
        [("email", mail, "vulnerability") for mail in mails],
    )


@given(st.lists(MAILS, min_size=1, max_size=4, unique=True), st.integers(1, 4_294_967_295))
def test_rdap_says_what_was_written(mails, asn):
    desks = [made.rdap_entity(f"H{n}", ["abuse"], fn="Desk", email=mail) for n, mail in enumerate(mails)]
    holder = made.rdap_entity("ORG", ["registrant"], fn="Holder") | {"entities": desks}
    answer = {"objectClassName": "autnum", "startAutnum": asn, "endAutnum": asn, "entities": [holder]}
    (team,) = FORMATS["rdap"](json.dumps(answer).encode(), NOW).teams
    assert (channels(team), held(team)) == (
        [("email", mail, "incident") for mail in mails],
        [("asn", str(asn), "holder")],
    )


WORDS = st.text(st.sampled_from("abzAZ09._+-'@ é"), max_size=12)


@given(
    WORDS,
    st.lists(WORDS, min_size=1, max_size=3),
    st.sampled_from(["example", "org", "test", "arpa", "local", "museum"]),
)
def test_the_short_way_for_plain_addresses_says_what_the_long_one_says(local, labels, last):
    given_ = f"{local}@{'.'.join(labels)}.{last}"
    try:
        checked = email_validator.validate_email(
            " ".join(given_.split(" ")).strip(),
            check_deliverability=False,
            allow_display_name=False,
            test_environment=True,
        )
        expected = checked.normalized.lower()
    except email_validator.EmailNotValidError:
        expected = None
    try:
        found = values.email(given_)
    except Invalid:
        found = None
    assert found == expected
