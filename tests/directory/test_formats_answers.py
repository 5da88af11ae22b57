"""A site's security.txt and a registry's answer: what is taken, left out, and refused where."""

from __future__ import annotations

import pytest

from tests.directory import made
from tests.directory.made import channels, held
from tests.directory.test_formats_outside import read, refusal

# security.txt


def security_txt(*lines, expires="2027-06-20T09:00:00+02:00"):
    return "\n".join([*lines, f"Expires: {expires}"]).encode()


def test_a_security_txt_is_for_vulnerabilities_only():
    data = security_txt(
        "# ours",
        "Contact: mailto:security%2Btxt@hospital.example?subject=x",
        "contact: tel:+43-1-5056416",
        "Contact: https://hospital.example/report",
        "Encryption: openpgp4fpr:0381bef56694b5325bf04ddca1dac3edff4dffb7",
        "Preferred-Languages: en, de",
        "Canonical: https://www.hospital.example/.well-known/security.txt",
        "Unknown-Field: x",
    )
    parsed = read("security-txt", data)
    (team,) = parsed.teams
    assert (parsed.source.source, parsed.source.kind) == ("security.txt of hospital.example", "first_party")
    assert channels(team) == [
        ("email", "security+txt@hospital.example", "vulnerability"),
        ("phone", "+43-1-5056416", "vulnerability"),
        ("form", "https://hospital.example/report", "vulnerability"),
    ]
    assert team.channels[0].openpgp_fingerprint == "0381BEF56694B5325BF04DDCA1DAC3EDFF4DFFB7"
    assert (team.domain, team.lead, team.facts["languages"]) == ("hospital.example", True, ["en", "de"])


def test_a_form_at_somebody_elses_does_not_say_whose_file_it_is():
    data = security_txt(
        "Contact: https://app.bounty.example/en/r/1", "Contact: https://app.bounty.example/nl/r/1"
    )
    parsed = read("security-txt", data)
    (team,) = parsed.teams
    assert team.domain is None
    assert "name" not in team.facts and "website" not in team.facts
    assert parsed.source.source == "security.txt of https://app.bounty.example/en/r/1"
    with_mail = b"Contact: mailto:security@hospital.example\n" + data
    assert read("security-txt", with_mail).teams[0].domain == "hospital.example"


def test_a_signed_security_txt_is_read_without_its_signature():
    inner = security_txt(
        "Contact: mailto:a@hospital.example", "- Policy: https://hospital.example/p"
    ).decode()
    head = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
    data = f"{head}{inner}\n-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
    parsed = read("security-txt", data.encode())
    assert len(parsed.teams) == 1
    assert "signature was not verified" in parsed.notes[0]
    assert refusal("security-txt", (head + inner).encode()).code == "format_invalid"


@pytest.mark.parametrize(
    "expires", ["2026-11-22T12:00:00Z", "2020-01-01T00:00:00Z", "2026-11-22t13:00:00+01:00"]
)
def test_an_expired_security_txt_is_never_valid(expires):
    refused = refusal("security-txt", security_txt("Contact: mailto:a@hospital.example", expires=expires))
    assert (refused.code, refused.where) == ("source_expired", "line 2")


@pytest.mark.parametrize(
    ("data", "where"),
    [
        (b"Contact: mailto:a@hospital.example", None),
        (security_txt("Contact: mailto:a@hospital.example", "Expires: 2027-01-01T00:00:00Z"), "line 3"),
        (security_txt("Contact: mailto:a@hospital.example", expires="tomorrow"), "line 2"),
        (security_txt("Contact: mailto:a@hospital.example", expires="2027-01-01"), "line 2"),
        (security_txt("Contact: mailto:a@hospital.example", expires="2027-02-30T00:00:00Z"), "line 2"),
        (security_txt("Policy: https://hospital.example/"), None),
        (security_txt("Contact: http://hospital.example/report"), "line 1"),
        (security_txt("Contact: security at hospital.example"), "line 1"),
        (security_txt("Contact: tel:+4315056416"), None),
        (security_txt("Contact mailto:a@hospital.example"), "line 1"),
        (b"-----BEGIN PGP SIGNATURE-----\nabc\n", "line 1"),
    ],
)
def test_what_is_not_a_security_txt_is_refused_with_its_line(data, where):
    refused = refusal("security-txt", data)
    assert (refused.code, refused.where) == ("format_invalid", where)


# RDAP


def test_a_network_belongs_to_its_registrant_and_nested_desks_are_its_own():
    (team,) = read("rdap", made.rdap()).teams
    assert team.facts == {"name": "Example Networks", "short_name": "ORG-EX1", "country": "AT"}
    assert channels(team) == [
        ("email", "abuse@networks.example", "incident"),
        ("form", "https://networks.example/report", "incident"),
        ("email", "office@networks.example", "general"),
    ]
    assert held(team) == [("prefix", "203.0.113.0/24", "holder")]
    assert (team.domain, team.lead) == ("networks.example", True)


def test_an_entity_in_several_places_has_all_its_roles():
    answer = made.rdap()
    desk = made.rdap_entity("AB1", ["technical"])
    answer["entities"].append(desk)
    assert len(channels(read("rdap", answer).teams[0])) == 3


def test_a_person_is_never_taken():
    answer = made.rdap()
    answer["entities"][0]["entities"].append(
        made.rdap_entity("ADA", ["abuse"], fn="Ada Lovelace", kind="individual", email="ada@networks.example")
    )
    parsed = read("rdap", answer)
    assert "ada@" not in repr(parsed)
    assert any("person" in note for note in parsed.notes)


def test_an_entity_without_a_handle_is_known_by_its_name():
    answer = made.rdap()
    del answer["entities"][0]["handle"]
    (team,) = read("rdap", answer).teams
    assert team.facts == {"name": "Example Networks", "country": "AT"}


def test_a_registrars_desk_is_not_the_holders():
    registrar = made.rdap_entity("REG", ["registrar"], fn="Registrar", email="office@registrar.example")
    registrar["entities"] = [made.rdap_entity("REG-AB", ["abuse"], email="abuse@registrar.example")]
    holder = made.rdap_entity("H", ["registrant"], fn="Holder", email="it@holder.example")
    answer = {"objectClassName": "domain", "ldhName": "HOLDER.example", "entities": [registrar, holder]}
    (team,) = read("rdap", answer).teams
    assert channels(team) == [("email", "it@holder.example", "general")]
    assert held(team) == [("domain", "holder.example", "holder")]
    assert (
        refusal("rdap", answer | {"entities": [registrar["entities"][0] | {"roles": []}]}).where == "entities"
    )


def test_withheld_values_are_no_contacts():
    desk = made.rdap_entity("AB", ["abuse"], fn="Desk", email="")
    desk["vcardArray"][1] += [["email", {}, "text", "REDACTED FOR PRIVACY"], ["tel", {}, "uri", "tel:"]]
    answer = {"objectClassName": "autnum", "startAutnum": 64500, "endAutnum": 64501, "entities": [desk]}
    (team,) = read("rdap", answer).teams
    assert (team.channels, team.placeholders) == ((), ("REDACTED FOR PRIVACY",))
    assert held(team) == [("asn", "64500", "holder"), ("asn", "64501", "holder")]


@pytest.mark.parametrize(
    ("card", "where"),
    [
        (["vcardX", []], ""),
        (["vcard", False], "[1]"),
        (["vcard", [["version", {}, 42, "4.0"]]], "[1][0]"),
        (["vcard", [[False, {"a": 42}, "text", "4.0"]]], "[1][0]"),
        (["vcard", [["lang", {"type": "x"}, "en"]]], "[1][0]"),
        (["vcard", [["version", {}, "text", ["ok", ["ok", ["nested too deep"]]]]]], "[1][0]"),
    ],
)
def test_a_wrong_card_is_refused_with_its_path(card, where):
    answer = made.rdap()
    answer["entities"][0]["vcardArray"] = card
    assert refusal("rdap", answer).where == f"entities[0].vcardArray{where}"


def test_a_card_with_values_of_every_type_is_read():
    answer = made.rdap()
    mixed = ["mixed", {}, "text", "abc", True, 42, None, ["def", False, 43]]
    answer["entities"][0]["vcardArray"][1].append(mixed)
    assert read("rdap", answer).teams


@pytest.mark.parametrize(
    "answer",
    [
        {"errorCode": 404, "title": "Not found"},
        {"entitySearchResults": []},
        {"objectClassName": "nameserver", "ldhName": "ns.example.org"},
        {"objectClassName": "entity", "handle": "X"},
        {"objectClassName": "entity", "handle": "X", "entities": "x"},
        {"objectClassName": "ip network", "startAddress": "203.0.113.0"},
        ["vcard", []],
    ],
)
def test_what_is_no_answer_about_a_holder_is_refused(answer):
    assert refusal("rdap", answer).code == "format_invalid"


def test_entities_nested_without_end_are_refused():
    answer = made.rdap_entity("X", ["registrant"], email="a@networks.example")
    for _ in range(20):
        answer = {"objectClassName": "entity", "handle": "X", "roles": ["registrant"], "entities": [answer]}
    assert "nested" in refusal("rdap", answer).message
