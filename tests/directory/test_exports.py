"""What leaves the directory: in the shapes of others, as a signed dump, and whole into another one."""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pocdir.core.errors import Invalid
from pocdir.db import db, transaction
from pocdir.directory.actions import marking
from pocdir.directory.formats import certbund, dump, first, pocdir_json, ti
from pocdir.directory.formats.profile import FACTS
from pocdir.directory.presentation import published
from pocdir.directory.queries import exports, versions
from pocdir.directory.rules import record as rules
from tests import conftest
from tests.directory import made

PRINT = "0123456789ABCDEF0123456789ABCDEF01234567"
WHOLE = made.team_json(
    short_name="CX", website="https://cert.example/", established="2009-01-02", timezone="Europe/Vienna",
    business_hours="Mo-Fr 08:00-16:00",
    memberships=[{"name": "FIRST", "since": "2009-02-01"}, {"name": "TI Accredited", "since": "2018-02-05"}],
    channels=[
        made.channel("reports@cert.example", openpgp_fingerprint=PRINT),
        made.channel("second@cert.example", preference=2),
        made.channel("psirt@cert.example", purpose="vulnerability"),
        made.channel("members@cert.example", audience="members", preference=3),
        {"kind": "phone", "value": "+43 1 5056416", "purpose": "incident"},
        {"kind": "phone", "value": "+43 1 5056417", "purpose": "emergency"},
        {"kind": "postal", "value": "Road 1, Vienna", "purpose": "general"},
    ],
    responsibilities=[
        made.responsibility(), made.responsibility("asn", "64500"), made.responsibility("domain", "gv.example"),
        made.responsibility("prefix", "203.0.113.0/24"),
    ],
)  # fmt: skip
OTHERS = (
    made.team_json("lead", name="Lead", confidence="low", country="DE", channels=[made.channel("l@lead.example")]),
    made.team_json(
        "vendor", name="Zürich PSIRT", kind="vendor", country="CH", responsibilities=[],
        channels=[made.channel("v@vendor.example"), made.channel("doubt@vendor.example", confidence="low")],
    ),
)  # fmt: skip


@pytest.fixture
def several(app):
    made.imported(made.file(WHOLE, *OTHERS))


def emptied(app):
    app.extensions.pop("pocdir.published", None)
    db.session.remove()
    is_sqlite = app.extensions["pocdir"].sqlite_path is not None
    (conftest.empty_sqlite if is_sqlite else conftest.empty_postgresql)(app)


def test_first_shape_answers_as_firsts_api_does(several, client):
    answer = client.get("/first/v1/teams")
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    envelope = {name: value for name, value in answer.json.items() if name != "data"}
    assert envelope == {
        "status": "OK", "status-code": 200, "version": "1.0", "access": "public", "total": 2, "limit": 100,
        "offset": 0, "last-modified": "Wed, 17 Jun 2026 00:00:00 GMT",
    }  # fmt: skip
    team = answer.json["data"][0]
    assert team == {
        "id": "cert-example", "team": "CX", "team-full": "CERT Example", "membership": "Full Member",
        "member-since": "2009-02-01", "host": None, "establishment": "2009-01-02", "country": "AT",
        "constituency": "National", "website": "https://cert.example/",
        "email": "reports@cert.example, second@cert.example", "phone": ["+43 1 5056416"],
        "phone-emergency": ["+43 1 5056417"], "address": "Road 1, Vienna", "pgp-fingerprint": PRINT,
        "last-modified": "Wed, 17 Jun 2026 00:00:00 GMT",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("query", "teams"),
    [
        ("country=at", ["CX"]), ("country=DE", []), ("q=zurich", ["Zürich PSIRT"]), ("q=Switzerland", ["Zürich PSIRT"]),
        ("limit=1", ["CX"]), ("limit=1&offset=1", ["Zürich PSIRT"]), ("sort=-team", ["Zürich PSIRT", "CX"]),
        ("sort=!team", ["Zürich PSIRT", "CX"]), ("sort=website", ["CX", "Zürich PSIRT"]), ("offset=9", []),
        ("limit=0", []), ("sort=-website", ["CX", "Zürich PSIRT"]), ("region=Europe", ["CX", "Zürich PSIRT"]),
    ],
)  # fmt: skip
def test_first_shape_takes_firsts_parameters(several, client, query, teams):
    assert [it["team"] for it in client.get(f"/first/v1/teams?{query}").json["data"]] == teams


def test_first_shape_gives_the_fields_that_are_asked_for(several, client):
    found = client.get("/first/v1/teams?fields=team,email,region&country=CH").json["data"]
    assert found == [{"team": "Zürich PSIRT", "email": "v@vendor.example"}]


@pytest.mark.parametrize(
    "query", ["country=XXX1", "limit=-1", "limit=x", "offset=1e3", "q=%00", f"q={'x' * 201}"]
)
def test_a_parameter_that_is_none_is_refused(several, client, query):
    answer = client.get(f"/first/v1/teams?{query}")
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")


def test_shapes_without_a_word_for_doubt_hold_nothing_doubtful_and_nobody_but_the_public(several, client):
    with transaction() as session:
        marking.mark_address(
            session, kind="email", value="second@cert.example", state="bouncing", evidence="x", now=made.NOW,
            actor="operator",
        )  # fmt: skip
    for path in ("/first/v1/teams", "/ti/teams.json", "/directory/certbund.txt"):
        text = client.get(path).text
        assert "reports@cert.example" in text
        for hidden in ("members@", "l@lead.example", "doubt@", "second@"):
            assert hidden not in text, path
    said = client.get("/directory/dump.json").text
    assert "members@" not in said and "second@" not in said, "nor does the dump carry what bounces"
    assert "l@lead.example" in said


def back(app, client, path, name, read):
    """What the importer of that shape makes of our own export, in an empty directory."""
    said = {team.slug: team for team in map(read, versions.snapshot().teams)}
    data = client.get(path).data
    emptied(app)
    assert made.imported(data, name=name).status == "applied"
    return said, {team.slug: team for team in map(read, versions.snapshot().teams)}, data


def carried(purposes, keys):
    def read(team):
        from dataclasses import replace

        seen = [c for c in team.channels if c.audience == "public" and c.confidence != "low"]
        of = sorted((c for c in seen if (c.kind, c.purpose) in purposes), key=lambda c: (c.kind, c.purpose))
        return replace(
            team, timezone=None, business_hours=None,
            channels=tuple((c.kind, c.value, c.purpose, c.openpgp_fingerprint) for c in of),
            responsibilities=tuple((r.key, r.value, r.role) for r in team.responsibilities if r.key in keys),
        )  # fmt: skip

    return read


def test_our_first_shape_is_read_back_by_our_own_importer(app, client, several):
    purposes = {("email", "incident"), ("phone", "incident"), ("phone", "emergency"), ("postal", "general")}
    said, found, data = back(app, client, "/first/v1/teams?limit=1000", "first", carried(purposes, ()))
    assert found["cert-example"] == said["cert-example"]
    assert found["zurich-psirt"].channels == said["vendor"].channels
    assert set(found) == {"cert-example", "zurich-psirt"}
    members = {it["slug"]: it["memberships"] for it in exports.exported()[0]}
    assert members == {"cert-example": [{"name": "FIRST", "since": "2009-02-01"}], "zurich-psirt": []}
    assert client.get("/first/v1/teams?limit=1000").json["data"][0] == json.loads(data)["data"][0]


def test_our_ti_shape_is_read_back_by_our_own_importer(app, client, several):
    purposes = {
        ("email", "incident"), ("email", "vulnerability"), ("phone", "incident"), ("phone", "emergency"),
        ("postal", "general"),
    }  # fmt: skip
    said, found, data = back(
        app, client, "/ti/teams.json", "ti", carried(purposes, ("asn", "prefix", "domain", "country"))
    )
    assert found["cert-example"] == said["cert-example"]
    exported = {it["slug"]: it for it in exports.exported()[0]}
    assert exported["cert-example"]["memberships"] == [{"name": "TI Accredited", "since": "2018-02-05"}]
    assert exported["zurich-psirt"]["memberships"] == []
    again = {it["official_name"]: it for it in client.get("/ti/teams.json").json}
    for it in json.loads(data):
        assert again[it["official_name"]] == it


def test_certbunds_list_is_read_back_and_no_name_holds_a_sign_that_divides_it(app, client, several):
    channels, answers_for = [made.channel("b@b.example")], [made.responsibility(rank=2)]
    other = made.team_json("b", name="B <x>, Ltd|", channels=channels, responsibilities=answers_for)
    made.imported(made.file(other), source="other")
    data = client.get("/directory/certbund.txt").data
    assert data.decode() == "AT|CERT Example <reports@cert.example>,B x Ltd <b@b.example>\n"
    teams = certbund.parse(data, made.NOW).teams
    assert [(it.name, it.responsibilities[0].rank) for it in teams] == [("CERT Example", 1), ("B x Ltd", 2)]


@pytest.mark.parametrize(
    "path", ["/first/v1/teams?q=cert", "/ti/teams.json", "/directory/certbund.txt", "/directory/dump.json"]
)
def test_whoever_has_this_version_is_told_so_and_the_bytes_stay_the_same(several, app, client, path):
    answer = client.get(path)
    assert answer.headers["Cache-Control"] == "public, no-cache"
    assert "Set-Cookie" not in answer.headers
    same = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert (same.status_code, same.data) == (304, b"")
    app.extensions.pop("pocdir.published")
    assert client.get(path).data == answer.data
    made.imported(
        made.file(
            made.team_json(
                "newer", name="CERT Newer", country="FR", responsibilities=[made.responsibility(value="FR")]
            )
        ),
        source="other",
    )
    other = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    assert other.status_code == 200
    assert other.data != answer.data


def test_the_dump_is_verified_offline_with_the_published_key(several, client):
    key = client.get("/directory/key").text
    manifest, said = dump.verify(client.get("/directory/dump.json").data, key)
    assert manifest["directory"] == "localhost:8000/directory"
    assert (manifest["directory_version"], manifest["teams"], manifest["as_of"]) == (
        versions.directory_version(), 3, "2026-06-17",
    )  # fmt: skip
    assert [team["slug"] for team in said["teams"]] == ["cert-example", "lead", "vendor"]


def test_a_dump_that_was_changed_or_signed_by_another_is_refused(several, client):
    key, data = client.get("/directory/key").text, client.get("/directory/dump.json").data
    stranger = dump.verifier_key(
        "localhost:8000/directory", Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    )
    for bad, by in (
        (data.replace(b"reports@cert", b"reportz@cert"), key), (data, stranger),
        (data.replace(b'"teams": 3', b'"teams": 4'), key), (data.replace(b'"ed25519": "', b'"ed25519": "A'), key),
        (data.replace(b'"ed25519": "', b'"ed25519": "?'), key),
    ):  # fmt: skip
        with pytest.raises(Invalid) as refusal:
            dump.verify(bad, by)
        assert refusal.value.code == "dump_not_genuine"
    for bad in (b"", b"<html>", b"[]", b"{}", b'{"manifest":{},"signature":1,"directory":{}}', data[:-30]):
        with pytest.raises(Invalid):
            dump.verify(bad, key)


@pytest.mark.parametrize(
    ("where", "named"),
    [(b'"manifest"', "note"), (b'"ed25519"', "signature.note"), (b'"key": "', "another key")],
)
def test_what_the_signature_of_a_dump_does_not_cover_is_refused_and_named(several, client, where, named):
    key, data = client.get("/directory/key").text, client.get("/directory/dump.json").data
    note, at = b'"note": {"teams": []}, ', data.index(where)
    bad = data.replace(where, where + b"x") if named == "another key" else data[:at] + note + data[at:]
    with pytest.raises(Invalid) as refusal:
        dump.verify(bad, key)
    assert refusal.value.code == "dump_not_genuine"
    assert named in str(refusal.value)


@given(st.text(max_size=80))
def test_any_text_is_a_key_or_is_refused(text):
    with pytest.raises(Invalid) as refusal:
        dump.public_key(text)
    assert refusal.value.code == "key_invalid"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_dump_or_are_refused(data):
    with pytest.raises(Invalid):
        dump.verify(data, dump.verifier_key("x", bytes(32)))


def test_the_key_is_made_once_and_is_its_owners_alone(tmp_path):
    with pytest.raises(Invalid) as refusal:
        published.signing_key(tmp_path, make=False)
    assert refusal.value.code == "key_missing"
    first_, second = (published.signing_key(tmp_path).private_bytes_raw() for _ in range(2))
    assert first_ == second
    assert [path.name for path in tmp_path.iterdir()] == ["directory_key"]
    assert (tmp_path / "directory_key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "directory_key").write_text("x")
    with pytest.raises(Invalid) as refusal:
        published.signing_key(tmp_path)
    assert refusal.value.code == "key_invalid"


def test_the_commands_write_and_verify(pocdir, several, client, tmp_path, monkeypatch):
    monkeypatch.setenv("POCDIR_DATA", str(tmp_path / "nobody"))
    path, key = tmp_path / "dump.json", tmp_path / "directory.key"
    key.write_text(client.get("/directory/key").text)
    assert pocdir("directory", "export", "dump", "--out", path)[0] == 0
    assert path.read_bytes() == client.get("/directory/dump.json").data
    code, out, _ = pocdir("directory", "verify", path, "--key", key, "--json", "--out", tmp_path / "in.json")
    assert (code, json.loads(out)["genuine"]) == (0, True)
    assert pocdir_json.parse((tmp_path / "in.json").read_bytes()).teams
    code, out, _ = pocdir("directory", "verify", path, "--key", key.read_text())
    assert out.startswith("genuine: version ")
    path.write_bytes(path.read_bytes().replace(b"reports@", b"robbers@"))
    code, out, err = pocdir("directory", "verify", path, "--key", key)
    assert (code, out) == (1, "")
    assert "not those that were signed" in err
    assert pocdir("directory", "verify", path)[0] == 1  # no key of our own
    assert pocdir("directory", "export", "certbund")[1].startswith("AT|CERT Example <")
    assert json.loads(pocdir("directory", "export", "ti")[1])[0]["official_name"] == "CERT Example"
    assert pocdir("directory", "export", "dump", "--as-of", "2026-11-22")[0] == 2


_OPTIONAL = {
        "short_name": st.sampled_from(["CX", "É"]), "website": st.just("https://cert.example/x"),
        "languages": st.lists(st.sampled_from(["de", "en", "pt-BR"]), unique=True), "timezone": st.just("Asia/Tokyo"),
        "host_kind": st.sampled_from(rules.HOST_KINDS), "parent": st.sampled_from(["above", "z"]),
        "memberships": st.just([{"name": "FIRST", "since": "2009"}, {"name": "APCERT", "since": None}]),
        "names": st.just([{"language": "fr", "name": "Équipe"}]), "business_hours": st.just("24/7"),
        "established": st.sampled_from(["2009", "2009-01-02"]), "rfc2350": st.just("https://cert.example/rfc2350"),
        "rfc2350_date": st.just("2020-01-01"), "first_id": st.just("cert"), "ti_url": st.just("https://ti.example/x"),
        "ripe_org": st.just("ORG-EX1-RIPE"), "misp_uuid": st.just("55f6ea5e-2c60-40e5-964f-47a8950d210f"),
        "cna_name": st.just("example"), "host_declared_by": st.sampled_from(["self", "the law"]),
        "law_enforcement": st.sampled_from(rules.LAW_ENFORCEMENT), "law_enforcement_declared_by": st.just("self"),
        "neutrality_policy": st.just("https://cert.example/n"), "neutrality_declared_by": st.just("self"),
        "accepts_private": st.booleans(), "accepts_abroad": st.booleans(), "line": st.sampled_from(rules.LINES),
        "encryption_required": st.booleans(), "accepts_samples": st.booleans(), "samples_how": st.just("zip, infected"),
        "size_limit": st.integers(1, 10**12), "tlp": st.lists(st.sampled_from(["TLP:RED", "TLP:GREEN"]), unique=True),
        "opt_outs": st.just(["fraud"]), "intake": st.lists(st.sampled_from(rules.INTAKE), unique=True),
        "promise": st.just({"acknowledgement": "PT24H", "answer": "P3D"}),
        "confidence": st.sampled_from(rules.CONFIDENCES),
}  # fmt: skip
_FACTS = st.fixed_dictionaries({}, optional=_OPTIONAL)


def test_every_fact_is_among_those_that_go_and_come_back():
    assert set(FACTS) - {"name", "kind", "country"} <= set(_OPTIONAL)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(teams=st.lists(_FACTS, min_size=1, max_size=3))
def test_a_directory_that_is_brought_into_an_empty_one_is_equal(app, teams):
    emptied(app)
    made.imported(
        made.file(*(WHOLE | {"slug": f"t{n}", "name": f"T {n}"} | facts for n, facts in enumerate(teams)))
    )
    data = pocdir_json.write(*exports.exported())
    emptied(app)
    made.imported(data)
    assert pocdir_json.write(*exports.exported()) == data


def test_shapes_are_written_for_teams_that_say_nothing(app, client):
    made.imported(made.file(made.team_json(country=None, kind="other", channels=[], responsibilities=[])))
    (team,) = client.get("/first/v1/teams").json["data"]
    assert (team["email"], team["phone"], team["constituency"], team["country"]) == (None, [], None, None)
    assert first.parse(client.get("/first/v1/teams").data, made.NOW).teams
    assert ti.parse(client.get("/ti/teams.json").data, made.NOW).teams
    assert client.get("/directory/certbund.txt").data == b""
