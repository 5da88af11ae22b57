"""Keys in the browser, by API and on the command line: anybody reads what stands, stewards do the rest."""

from __future__ import annotations

import datetime as dt
import io
import json
import re

import pytest
import time_machine

from pocdir import cli
from pocdir.db import transaction
from pocdir.directory.keys.models import TeamKey
from pocdir.directory.merging.actions import merge
from pocdir.directory.office import office
from tests.accounts import made as people
from tests.directory import made
from tests.directory.test_pages import form_of
from tests.mail import keys

LATER = made.NOW + dt.timedelta(hours=1)
PAGE = "/teams/cert-example/keys"


@pytest.fixture(autouse=True)
def _now(app):
    with time_machine.travel(LATER, tick=False):
        yield


@pytest.fixture
def steward(app):
    return people.browser(app, people.person(now=LATER, site_role="steward"), now=LATER)


@pytest.fixture
def other(app):
    person = people.person("other@example.org", now=LATER, site_role="steward")
    return people.browser(app, person, now=LATER)


@pytest.fixture
def run(app, capfdbinary):
    """Runs a command; returns exit code, stdout, stderr."""

    def command(*arguments):
        code = cli.run([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return command


def csrf(client):
    return re.search(r'name="csrf_token" value="([^"]+)"', client.get(PAGE).text)[1]


def bring(client, key: str, page: str = PAGE, **more):
    return client.post(page, data={"csrf_token": csrf(client), "key": key, **more})


def test_a_steward_brings_a_key_and_everybody_sees_it(client, steward):
    made.team(kind="provider")
    assert bring(steward, keys.key().text).status_code == 302
    for reader in (client, steward):
        page = reader.get(PAGE).text
        assert keys.key().fingerprint in page
    assert "Bring a key" not in client.get(PAGE).text
    assert "OpenPGP key, pinned here" in client.get("/teams/cert-example").text
    file = client.get(f"{PAGE}/{keys.key().fingerprint.lower()}.asc")
    assert file.content_type == "application/pgp-keys"
    assert file.text.startswith("-----BEGIN PGP PUBLIC KEY BLOCK-----")


def test_a_key_may_come_as_a_file(steward):
    made.team(kind="provider")
    file = (io.BytesIO(keys.key().data), "key.gpg")
    answer = steward.post(PAGE, data={"csrf_token": csrf(steward), "key": "", "file": file})
    assert answer.status_code == 302
    assert people.one(TeamKey).state == "pinned"


def test_what_is_wrong_with_a_file_stands_beside_the_file(steward):
    made.team(kind="provider")
    file = (io.BytesIO(b"no key at all"), "key.gpg")
    answer = steward.post(PAGE, data={"csrf_token": csrf(steward), "key": "", "file": file})
    assert answer.status_code == 422
    assert re.search(r'id="f-file-error"', answer.text) and 'id="f-key-error"' not in answer.text
    nothing = bring(steward, "")
    assert "Paste a key, or choose a file." in nothing.text


def test_the_lookup_gives_the_pinned_fingerprint(client, steward):
    made.team(kind="provider", channels=[made.channel(openpgp_fingerprint="A" * 40)])
    bring(steward, keys.key().text)
    answer = client.get("/api/v1/teams/cert-example").json["channels"][0]
    assert (answer["openpgp_fingerprint"], answer["openpgp_pinned"]) == (keys.key().fingerprint, True)
    listed = client.get("/api/v1/teams").json["items"][0]["channels"][0]
    assert listed["openpgp_pinned"]
    page = client.get("/teams/cert-example").text
    assert "OpenPGP fingerprint that this source gives" in page and "AAAA AAAA" in page


def test_a_private_key_is_refused_and_not_shown_again(steward):
    made.team(kind="provider")
    hidden = keys.armour(keys.key(private=True).data, "PRIVATE KEY BLOCK")
    answer = bring(steward, hidden, evidence="a call")
    assert answer.status_code == 422
    assert hidden.splitlines()[2] not in answer.text and "a call" in answer.text
    assert "private key" in answer.text
    assert people.every(TeamKey) == []


def test_a_reason_of_the_guard_stands_beside_the_box(steward):
    made.team(kind="provider")
    answer = bring(steward, keys.key(revoked=True).text)
    assert answer.status_code == 422
    assert "revoked" in answer.text


def test_a_national_teams_key_waits_on_the_page_until_others_agree(client, steward, other):
    made.team()
    bring(steward, keys.key().text)
    row = people.one(TeamKey)
    assert row.state == "proposed"
    assert keys.key().fingerprint not in client.get(PAGE).text
    data = {"csrf_token": csrf(steward)}
    agree = f"{PAGE}/{row.ref}/approve"
    assert "0 of 1 stewards have agreed" in other.get(PAGE).text and agree in other.get(PAGE).text
    assert "You brought it" in steward.get(PAGE).text and agree not in steward.get(PAGE).text
    assert steward.post(agree, data=data).status_code == 409
    data = {"csrf_token": csrf(other)}
    assert other.post(f"{PAGE}/{row.ref}/approve", data=data).status_code == 302
    page = other.get(PAGE).text
    assert "If nobody refuses it" in page and "not before" in page
    assert "You have agreed to it" in page and agree not in page
    assert other.post(f"{PAGE}/{row.ref}/refuse", data=data).status_code == 302
    assert people.one(TeamKey).state == "refused"


def test_the_page_counts_two_stewards_where_two_others_have_to_agree(app, steward, other):
    people.person("third@example.org", now=LATER, site_role="steward")
    made.team()
    bring(steward, keys.key().text)
    assert (
        "0 of 2 stewards have agreed, besides whoever brought it. 2 more have to agree."
        in other.get(PAGE).text
    )
    data = {"csrf_token": csrf(other)}
    other.post(f"{PAGE}/{people.one(TeamKey).ref}/approve", data=data)
    assert (
        "1 of 2 stewards have agreed, besides whoever brought it. 1 more has to agree."
        in other.get(PAGE).text
    )


def test_a_key_of_another_team_is_not_found(steward):
    made.team(kind="provider")
    made.team("cert-other", kind="provider", country="DE", channels=[], responsibilities=[])
    bring(steward, keys.key().text)
    ref = people.one(TeamKey).ref
    answer = steward.post(f"/teams/cert-other/keys/{ref}/retire", data={"csrf_token": csrf(steward)})
    assert answer.status_code == 404
    assert steward.get("/teams/nobody/keys").status_code == 404


def test_somebody_else_brings_no_key(app, client, api):
    made.team(kind="provider")
    researcher = people.browser(
        app, people.person("rita@example.org", now=LATER, workspace="lab2"), now=LATER
    )
    token = re.search(r'name="csrf_token" value="([^"]+)"', researcher.get("/teams").text)
    answer = researcher.post(PAGE, data={"csrf_token": token[1] if token else "", "key": keys.key().text})
    assert answer.status_code in (400, 403)
    assert api.post("/api/v1/teams/cert-example/keys", {"key": keys.key().text}).status_code == 403
    assert people.every(TeamKey) == []


def test_an_address_kept_from_a_reader_keeps_the_key_from_him(client, steward):
    made.team(kind="provider", channels=[made.channel(audience="stewards")])
    bring(steward, keys.key().text)
    assert keys.key().fingerprint not in client.get(PAGE).text
    assert client.get(f"{PAGE}/{keys.key().fingerprint}.asc").status_code == 404
    assert client.get("/api/v1/teams/cert-example/keys").json["items"] == []


def test_after_a_merge_the_key_of_an_address_that_a_part_keeps_for_stewards_stays_theirs(client, steward):
    kept = made.channel("kept@cert.example", audience="stewards")
    made.team("old", kind="provider", channels=[kept], responsibilities=[])
    made.team(kind="provider")
    answer = bring(steward, keys.key("Kept <kept@cert.example>").text, page="/teams/old/keys")
    assert answer.status_code == 302
    with transaction() as session:
        merge(
            session, slug="old", into="cert-example", reason="one", office=office(), now=LATER, actor="operator"
        )  # fmt: skip
    fingerprint = keys.key("Kept <kept@cert.example>").fingerprint
    for slug in ("old", "cert-example"):
        assert client.get(f"/api/v1/teams/{slug}/keys").json["items"] == []
        assert client.get(f"/teams/{slug}/keys/{fingerprint}.asc").status_code == 404
        assert "kept@cert.example" not in client.get(f"/teams/{slug}/keys").text
        assert fingerprint in steward.get(f"/teams/{slug}/keys").text
    data = {"csrf_token": csrf(steward)}
    assert steward.post(f"{PAGE}/{people.one(TeamKey).ref}/retire", data=data).status_code == 302


def test_the_operator_brings_a_key_on_the_command_line(run, tmp_path):
    made.team(kind="provider")
    file = tmp_path / "key.asc"
    file.write_text(keys.key().text)
    code, out, _ = run("directory", "key", "add", "cert-example", file, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["state"], told["fingerprint"], told["usable"]) == ("pinned", keys.key().fingerprint, True)
    assert keys.key().fingerprint in run("directory", "key", "list", "cert-example")[1]
    assert run("directory", "key", "retire", told["ref"], "--note", "lost")[0] == 0
    assert json.loads(run("directory", "key", "list", "cert-example", "--json")[1])["state"] == "retired"
    code, _, err = run("directory", "key", "approve", told["ref"])
    assert code == 1 and "retired" in err


def test_the_boxes_of_the_form_are_those_of_the_schema(steward):
    made.team(kind="provider")
    assert set(form_of(steward, PAGE)) >= {"csrf_token", "address", "evidence"}
