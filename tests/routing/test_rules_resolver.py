"""Whom to tell: the cases T1 to T7 that have to come out right.

T8, a mixed file of 10,000 rows, stands with the tests of files (tests/routing/test_bulk*.py); T9, poisoned
imports, with the directory's (tests/directory/test_quarantine*.py, test_actions_import.py).
"""

from __future__ import annotations

import pytest

from tests.routing.directories import (
    Entry,
    SmallRegistry,
    System,
    ask,
    directory,
    national,
    prefix,
    refused,
    row,
    slugs,
    team,
    told,
)

# T1

NETWORKS = directory(
    team("isp", prefix("203.0.113.0/24")),
    team("hospital", prefix("203.0.113.64/26", origin="manual")),
    team("tenant", prefix("203.0.113.64/28")),
    team("telco", prefix("203.0.0.0/16", origin="manual")),
)


@pytest.mark.parametrize(
    "text", ["203.0.113.70", "::ffff:203.0.113.70", "203[.]0.113.70", "http://203.0.113.70/x"]
)
def test_t1_the_longest_prefix_wins_whoever_entered_it(text: str) -> None:
    answer = ask(text, NETWORKS)
    assert answer.status == "ok"
    assert told(answer) == [
        ("tenant", "to", "203.0.113.64/28"),
        ("hospital", "fallback", "203.0.113.64/26"),
        ("isp", "fallback", "203.0.113.0/24"),
        ("telco", "fallback", "203.0.0.0/16"),
    ]
    assert answer.contacts[0].reasons[0] == "most specific prefix"


def test_t1_outside_the_tenant_the_provider_answers() -> None:
    assert slugs(ask("203.0.113.10", NETWORKS)) == ["isp", "telco"]


def test_t1_a_bouncing_mailbox_is_demoted_whatever_its_specificity() -> None:
    tenant = team("tenant", prefix("203.0.113.64/28"), state="bouncing", since="2026-11-02")
    known = directory(*(tenant if t.slug == "tenant" else t for t in NETWORKS.teams))
    answer = ask("203.0.113.70", known)
    assert slugs(answer) == ["hospital", "isp", "telco"]
    assert refused(answer) == {"tenant": "demoted: bounce on 2026-11-02"}
    assert answer.rejected[0].basis.value == "203.0.113.64/28"
    assert answer.contacts[0].reasons[0] == "most specific prefix"


def test_t1_of_two_ranges_the_one_with_fewer_addresses_is_more_specific() -> None:
    known = directory(team("a", prefix("203.0.113.64/28")), team("b", prefix("203.0.113.66-203.0.113.80")))
    assert slugs(ask("203.0.113.70", known)) == ["b", "a"]


def test_a_prefix_is_answered_by_what_covers_all_of_it() -> None:
    answer = ask("203.0.113.64/27", NETWORKS)
    assert slugs(answer) == ["hospital", "isp", "telco"]
    assert "parts of this have contacts of their own; ask for the single addresses" in answer.notes


def test_a_range_is_answered_by_what_covers_all_of_it() -> None:
    assert slugs(ask("203.0.113.60-203.0.113.70", NETWORKS)) == ["isp", "telco"]


# T2

LOCATED = SmallRegistry(
    [
        Entry("38.87.230.0/23", 64500, "Example AS", "US", "DE", "US"),
        Entry("180.222.136.0/22", 64501, None, "AF", "DE", None),
        Entry("180.222.140.0/22", 64501, None, "AF", "DE", None),
    ]
)
THREE = directory(
    team("poc-us", national("US")), team("poc-de", national("DE")), team("poc-af", national("AF"))
)


@pytest.mark.parametrize(
    ("text", "registered", "poc"),
    [
        ("38.87.230.0/23", "US", "poc-us"),
        ("38.87.231.9", "US", "poc-us"),
        ("180.222.136.0-180.222.143.0", "AF", "poc-af"),
    ],
)
def test_t2_the_registered_country_decides_and_the_located_one_is_shown(
    text: str, registered: str, poc: str
) -> None:
    answer = ask(text, THREE, LOCATED)
    assert slugs(answer) == [poc]
    assert answer.contacts[0].reasons == ("registered country",)
    assert answer.registry is not None
    assert (answer.registry.registered, answer.registry.located) == (registered, "DE")
    assert any(note.startswith(f"registered in {registered}, located in DE") for note in answer.notes)


def test_t2_the_deciding_country_can_be_switched() -> None:
    assert slugs(ask("38.87.231.9", THREE, LOCATED, country_by="located")) == ["poc-de"]
    assert slugs(ask("38.87.231.9", THREE, LOCATED, country_by="asn")) == ["poc-us"]


def test_a_prefix_in_two_countries_is_answered_by_both() -> None:
    registry = SmallRegistry(
        [Entry("5.5.4.0/24", 1, registered="US"), Entry("5.5.5.0/24", 1, registered="AF")]
    )
    answer = ask("5.5.4.0/23", THREE, registry)
    assert set(slugs(answer)) == {"poc-us", "poc-af"}
    assert {contact.reasons for contact in answer.contacts} == {("depends on the prefix",)}
    assert answer.registry is not None
    assert (answer.registry.prefix, answer.registry.asn, answer.registry.registered) == (None, 1, None)


def test_a_prefix_that_the_registry_knows_in_part_says_so() -> None:
    answer = ask("5.5.4.0/22", THREE, SmallRegistry([Entry("5.5.4.0/24", 1, registered="US")]))
    assert slugs(answer) == ["poc-us"]
    assert any(note.startswith("only a part of this was looked up") for note in answer.notes)


# T3

WORLD = (
    team("first", row("global", "*", "coordinator"), name="World Desk", country=None),
    team("region", row("country", "AF", "coordinator"), row("country", "MO", "coordinator"), kind="regional"),
)


def test_t3_a_code_without_a_team_is_said_and_neutral_alternatives_are_named() -> None:
    answer = ask("af", directory(*WORLD))
    assert slugs(answer) == ["region", "first"]
    assert [contact.role for contact in answer.contacts] == ["to", "fallback"]
    assert answer.notes == ("no national PoC known for AF", "neutral alternatives: REGION, World Desk")


def test_t3_coordinators_are_named_where_nobody_answers_for_the_code() -> None:
    known = directory(
        team("center", kind="coordinator", name="The Center"),
        team("gone", kind="coordinator", state="bouncing"),
        team("other", kind="coordinator", country="DE"),
    )
    assert ask("AF", known).notes == (
        "no national PoC known for AF",
        "neutral alternatives: The Center, OTHER",
    )
    without = ask("AF", known, exclude_countries=frozenset({"DE"}), exclude_teams=frozenset({"center"}))
    assert without.notes == ("no national PoC known for AF",)


def test_t3_nobody_at_all_is_no_contact() -> None:
    answer = ask("AF", directory())
    assert (answer.status, answer.contacts, answer.notes) == (
        "no_contact",
        (),
        ("no national PoC known for AF",),
    )


def test_t3_several_teams_of_a_code_are_ranked_by_role() -> None:
    known = directory(
        team("academic", row("country", "DE", "sectoral")),
        team("coordinator", row("country", "DE", "coordinator")),
        team("copy", row("country", "DE", "cc")),
        team("poc", national("DE", rank=2)),
        team("poc-two", national("DE", rank=3)),
    )
    answer = ask("DE", known)
    assert slugs(answer) == ["poc", "poc-two", "academic", "copy", "coordinator"]
    assert [contact.role for contact in answer.contacts] == ["to", "cc", "cc", "cc", "fallback"]


@pytest.mark.parametrize("code", ["LI", "CH"])
def test_t3_one_team_answers_for_two_codes(code: str) -> None:
    answer = ask(code, directory(team("swiss", national("CH"), national("LI"))))
    assert told(answer) == [("swiss", "to", code)]


@pytest.mark.parametrize("text", ["UK", "gb", "GBR", "United Kingdom"])
def test_t3_all_spellings_of_a_country_are_one(text: str) -> None:
    answer = ask(text, directory(team("poc", national("GB"))))
    assert told(answer) == [("poc", "to", "GB")]
    assert answer.contacts[0].reasons == ("the country asked for",)


@pytest.mark.parametrize("code", ["EU", "XK", "TW", "HK", "MO"])
def test_t3_every_code_answers(code: str) -> None:
    registry = SmallRegistry([Entry("5.5.5.0/24", registered=code)])
    known = directory(team("poc", national(code)))
    assert slugs(ask(code, known)) == slugs(ask("5.5.5.5", known, registry)) == ["poc"]


# T4

AUSTRIA = directory(
    team("energy", row("country+sector", "AT/energy", "sectoral")),
    team("cert-at", national("AT")),
    team("poc-de", national("DE"), country="DE"),
    team("grid", row("sector", "energy", "sectoral")),
)
IN_AUSTRIA = SmallRegistry([Entry("5.5.5.0/24", registered="AT"), Entry("5.5.6.0/24", registered="DE")])


@pytest.mark.parametrize(("at", "de"), [("AT", "DE"), ("5.5.5.5", "5.5.6.6")])
def test_t4_the_sector_team_comes_first_and_never_hides_the_national_one(at: str, de: str) -> None:
    answer = ask(at, AUSTRIA, IN_AUSTRIA, sector="Energy")
    assert told(answer) == [
        ("energy", "to", "AT/energy"),
        ("cert-at", "cc", "AT"),
        ("grid", "fallback", "energy"),
    ]
    assert slugs(ask(at, AUSTRIA, IN_AUSTRIA)) == ["cert-at"]
    assert slugs(ask(de, AUSTRIA, IN_AUSTRIA, sector="energy")) == ["poc-de", "grid"]


def test_t4_a_domain_of_the_country_reaches_the_sector_weakly() -> None:
    answer = ask("example.at", AUSTRIA, sector="energy")
    assert slugs(answer) == ["energy", "cert-at", "grid"]
    assert {contact.basis.key for contact in answer.contacts[:2]} == {"tld"}


# T5


@pytest.mark.parametrize("text", ["2001:db8:1234::1", "2001:0DB8:1234:0:0:0:0:1", "[2001:db8:1234::1]:443"])
def test_t5_ipv6_in_any_spelling(text: str) -> None:
    known = directory(team("lir", prefix("2001:db8::/32")), team("site", prefix("2001:db8:1234::/48")))
    assert slugs(ask(text, known)) == ["site", "lir"]
    assert slugs(ask("2001:db8:1235::1", known)) == ["lir"]


# T6

NAMES = directory(
    team("city", row("domain", "xn--mnchen-3ya.de")),
    team("firm", row("domain", "example.co.uk")),
    team("part", row("domain", "b.example.co.uk")),
    team("suffix", row("domain", "co.uk")),
    team("org", row("domain", "example.org")),
    team("poc-gb", national("GB")),
)


@pytest.mark.parametrize(
    "text", ["münchen.de", "xn--mnchen-3ya.de", "MÜNCHEN.DE.", "https://www.münchen.de/"]
)
def test_t6_a_name_in_any_script_is_one_name(text: str) -> None:
    assert slugs(ask(text, NAMES)) == ["city"]


def test_t6_the_climb_ends_below_the_public_suffix_and_then_the_country_is_a_weak_reason() -> None:
    answer = ask("www.a.b.example.co.uk", NAMES)
    assert told(answer) == [
        ("part", "to", "b.example.co.uk"),
        ("firm", "fallback", "example.co.uk"),
        ("poc-gb", "fallback", "GB"),
    ]
    assert [contact.reasons for contact in answer.contacts] == [
        ("most specific domain",),
        ("parent domain",),
        ("by TLD only",),
    ]
    assert answer.contacts[2].basis.key == "tld"


def test_t6_a_public_suffix_asked_for_is_answered_by_who_answers_for_it() -> None:
    assert slugs(ask("co.uk", NAMES)) == ["suffix", "poc-gb"]


def test_t6_a_name_that_only_ends_alike_is_another() -> None:
    assert ask("evil-example.org", NAMES).status == "no_contact"
    assert slugs(ask("user@mail.example.org", NAMES)) == ["org"]


def test_names_under_unlisted_top_level_domains_are_answered() -> None:
    known = directory(team("clinic", row("domain", "clinic.example")))
    assert slugs(ask("www.clinic.example", known)) == ["clinic"]
    assert ask("other.example", known).status == "no_contact"


# T7

SYSTEMS = SmallRegistry(
    [
        Entry("5.5.4.0/24", 64500, "Two Lands", "AT", None, "AT"),
        Entry("5.5.5.0/24", 64500, "Two Lands", "DE", None, "AT"),
    ],
    {64500: System("Two Lands", "AT", ("AT", "DE")), 64501: System("One Land", "DE", ("AT",))},
)
TWO_LANDS = directory(
    team("holder", row("asn", "64500")),
    team("poc-at", national("AT")),
    team("poc-de", national("DE")),
)


def test_t7_an_as_in_two_countries_depends_on_the_prefix() -> None:
    answer = ask("AS64500", TWO_LANDS, SYSTEMS)
    assert told(answer) == [("holder", "to", "64500"), ("poc-at", "cc", "AT"), ("poc-de", "cc", "DE")]
    assert answer.contacts[0].reasons == ("AS number",)
    assert {contact.reasons for contact in answer.contacts[1:]} == {("depends on the prefix",)}
    assert answer.notes == ("its prefixes are registered in several countries; ask for the single address",)
    assert answer.registry is not None
    assert (answer.registry.asn, answer.registry.holder) == (64500, "Two Lands")
    assert (answer.registry.registered, answer.registry.asn_country) == (None, "AT")


def test_t7_by_address_the_prefix_decides_and_not_the_as() -> None:
    assert slugs(ask("5.5.5.5", TWO_LANDS, SYSTEMS)) == ["holder", "poc-de"]
    assert slugs(ask("5.5.4.4", TWO_LANDS, SYSTEMS)) == ["holder", "poc-at"]


def test_t7_an_as_in_one_country_has_its_registered_country() -> None:
    answer = ask("AS64501", TWO_LANDS, SYSTEMS)
    assert [(c.team.slug, c.reasons) for c in answer.contacts] == [("poc-at", ("registered country",))]
    assert slugs(ask("AS64501", TWO_LANDS, SYSTEMS, country_by="asn")) == ["poc-de"]


# Special space


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.1",
        "203.0.113.1",
        "fe80::1",
        "192.168.0.0/16",
        "10.0.0.1-10.0.0.9",
        "http://127.0.0.1/",
        "AS65000",
    ],
)
def test_special_space_is_an_answer_and_neither_country_nor_world_changes_it(text: str) -> None:
    registry = SmallRegistry([Entry("203.0.113.0/24", None, None, "AT")])
    answer = ask(text, directory(team("poc", national("AT")), *WORLD), registry)
    assert (answer.status, answer.contacts) == ("not_routable", ())
    assert answer.notes == ("not routable: no contact exists for private, reserved or documentation space",)


def test_special_space_that_somebody_answers_for_is_routed() -> None:
    registry = SmallRegistry([Entry("203.0.113.0/24", 64500, "Example AS", "AT")])
    poc = team("poc", national("AT"))
    by_prefix = ask("203.0.113.70", directory(team("isp", prefix("203.0.113.0/24")), poc), registry)
    by_asn = ask("203.0.113.70", directory(team("isp", row("asn", "64500")), poc), registry)
    assert [(c.team.slug, c.role) for c in by_prefix.contacts] == [("isp", "to"), ("poc", "cc")]
    assert slugs(by_asn) == ["isp", "poc"]


def test_public_space_without_a_registry_is_no_contact() -> None:
    answer = ask("5.5.5.5", THREE)
    assert (answer.status, answer.registry, answer.registry_version) == ("no_contact", None, None)
    assert answer.notes == ("no registry data is loaded: network and country are not known",)
