"""Among several candidates: the published order, who is ruled out and why, the shape of the answer."""

from __future__ import annotations

import pytest

from pocdir.core import rsit, times
from pocdir.core.errors import Invalid
from pocdir.directory.rules.record import PURPOSES, RESPONSIBILITY_KEYS, ROLES, Team
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.indicator import parse
from pocdir.routing.rules.order import BY_REPORT, DEFAULT, PLACES, PURPOSE_ORDER, ROLE_ORDER, Order
from pocdir.routing.rules.question import answered, question
from pocdir.routing.rules.resolver import resolve
from tests.routing.directories import (
    TODAY,
    Entry,
    SmallRegistry,
    ask,
    directory,
    mailbox,
    national,
    prefix,
    refused,
    row,
    slugs,
    team,
    told,
)

NET, IP = "203.0.113.0/24", "203.0.113.70"
IN_AUSTRIA = SmallRegistry([Entry("5.5.5.0/24", 64500, "Example AS", "AT")])


# The order


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (team("b", prefix(NET)), team("a", prefix(NET, role="cc", origin="manual"))),
        (team("b", prefix(NET, origin="manual")), team("a", prefix(NET), state="verified")),
        (team("b", prefix(NET, rank=2), state="verified"), team("a", prefix(NET))),
        (team("b", prefix(NET, rank=2)), team("a", prefix(NET), state="unresponsive")),
        (team("b", prefix(NET, rank=2), state="in-check"), team("a", prefix(NET), state="unresponsive")),
        (team("b", prefix(NET, rank=1)), team("a", prefix(NET, rank=2))),
        (team("a", prefix(NET)), team("b", prefix(NET))),
    ],
    ids=["role", "manual", "verified", "unverified", "in-check", "rank", "slug"],
)
def test_of_equally_specific_teams_the_first_difference_decides(first: Team, second: Team) -> None:
    expected = [first.slug, second.slug]
    assert slugs(ask(IP, directory(first, second))) == slugs(ask(IP, directory(second, first))) == expected


def test_a_manual_entry_comes_before_the_imported_one_of_the_same_prefix_and_hides_no_narrower_one() -> None:
    known = directory(
        team("imported", prefix(NET), state="verified"),
        team("manual", prefix(NET, origin="manual")),
        team("narrow", prefix("203.0.113.64/28"), state="unresponsive"),
    )
    assert slugs(ask(IP, known)) == ["narrow", "manual", "imported"]


def test_the_places_follow_one_another_as_published() -> None:
    known = directory(
        team("z-prefix", prefix("5.5.0.0/16")),
        team("y-asn", row("asn", "64500")),
        team("x-sector", row("country+sector", "AT/energy", "sectoral")),
        team("w-country", national("AT")),
        team("v-sector", row("sector", "energy", "sectoral")),
        team("u-region", row("country", "AT", "coordinator")),
        team("t-global", row("global", "*", "coordinator")),
    )
    answer = ask("5.5.5.5", known, IN_AUSTRIA, sector="energy")
    assert [(slug, role) for slug, role, _ in told(answer)] == [
        ("z-prefix", "to"),
        ("y-asn", "fallback"),
        ("x-sector", "cc"),
        ("w-country", "cc"),
        ("v-sector", "fallback"),
        ("u-region", "fallback"),
        ("t-global", "fallback"),
    ]


def test_exposed_data_is_told_to_the_owner_first_and_to_the_hoster_late() -> None:
    known = directory(
        team("hoster", prefix("5.5.5.0/28"), kind="provider"),
        team("owner", prefix("5.5.0.0/16")),
        team("cert-at", national("AT")),
        team("first", row("global", "*", "coordinator")),
    )
    leak = {"kind_of_report": "information-content-security/data-leak"}
    assert slugs(ask("5.5.5.5", known, IN_AUSTRIA)) == ["hoster", "owner", "cert-at", "first"]
    assert slugs(ask("5.5.5.5", known, IN_AUSTRIA, **leak)) == ["owner", "cert-at", "first", "hoster"]
    assert slugs(ask("5.5.5.5", known, IN_AUSTRIA, kind_of_report="no-such/kind"))[0] == "hoster"


def test_exposed_data_is_told_to_the_hoster_without_detail() -> None:
    known = directory(team("hoster", prefix(NET), kind="provider"), team("cert-at", national("AT")))
    answer = ask(IP, known, kind_of_report="information-content-security/data-leak")
    assert [(c.team.slug, c.without_detail) for c in answer.contacts] == [("hoster", True)]
    assert answer.contacts[0].reasons[1] == "it hosts what is another's: told without detail"
    assert not ask(IP, known).contacts[0].without_detail


def test_a_command_and_control_server_is_told_to_the_hoster_then_to_the_registrar() -> None:
    known = directory(
        team("tenant", prefix("5.5.5.0/28")),
        team("hoster", prefix("5.5.5.0/24"), kind="provider"),
        team("carrier", row("asn", "64500"), kind="provider"),
        team("owner", row("domain", "shop.example.at")),
        team("registrar", row("domain", "example.at"), kind="provider"),
        team("cert-at", national("AT")),
    )
    c2 = {"kind_of_report": "malicious-code/c2-server"}
    assert slugs(ask("5.5.5.5", known, IN_AUSTRIA, **c2)) == ["hoster", "carrier", "tenant", "cert-at"]
    assert slugs(ask("5.5.5.5", known, IN_AUSTRIA)) == ["tenant", "hoster", "carrier", "cert-at"]
    assert slugs(ask("shop.example.at", known, **c2)) == ["registrar", "owner", "cert-at"]
    infected = ask("5.5.5.5", known, IN_AUSTRIA, kind_of_report="malicious-code/infected-system")
    assert [(c.team.slug, c.role) for c in infected.contacts][::3] == [("tenant", "to"), ("cert-at", "cc")]


def test_a_vulnerability_is_told_to_the_owner_then_to_the_vendor_then_to_the_national_team() -> None:
    known = directory(
        team("psirt", row("domain", "example.at"), kind="vendor"),
        team(
            "owner",
            row("domain", "shop.example.at"),
            channels=(mailbox("soc"), mailbox("security-txt", purpose="vulnerability")),
        ),
        team("cert-at", national("AT")),
    )
    asked = question(Index.build(known, None), on=TODAY, country_by="registered", kind_of_report="vulnerable")
    answer = answered(Index.build(known, None), "shop.example.at", asked)
    assert slugs(answer) == ["owner", "psirt", "cert-at"]
    assert answer.contacts[0].channel.value == "security-txt@example.org"
    assert answer.contacts[2].reasons[1] == (
        "the address for incidents; none for the purpose vulnerability is known"
    )


def test_the_chain_says_after_which_time_the_next_one_is_tried() -> None:
    known = directory(
        team("isp", prefix(NET)), team("telco", prefix("203.0.0.0/16")), team("copy", prefix(NET, role="cc"))
    )
    waits = {c.team.slug: (c.role, c.try_next_after) for c in ask(IP, known).contacts}
    assert waits == {"isp": ("to", "P2D"), "copy": ("cc", None), "telco": ("fallback", None)}
    c2 = ask(IP, known, kind_of_report="malicious-code/c2-server")
    assert c2.contacts[0].try_next_after == "P1D"


def test_every_wait_is_a_length_of_time() -> None:
    for order in (DEFAULT, *BY_REPORT.values()):
        assert times.duration(order.try_next_after)


@pytest.mark.parametrize("kind", BY_REPORT)
def test_every_kind_in_the_table_is_one_of_the_taxonomy(kind: str) -> None:
    class_, _, type_ = kind.partition("/")
    rsit.check(class_, type_ or None)


def test_whom_police_intelligence_or_military_host_is_left_out_when_asked() -> None:
    known = directory(
        team("police", national("AT"), host_kind="police"),
        team("army", national("AT"), kind="military"),
        team("ministry", national("AT"), host_kind="ministry"),
        team("somebody", national("AT")),
    )
    index = Index.build(known, None)
    asked = question(
        index, on=TODAY, country_by="registered", exclude_host=["police, Intelligence", "military"]
    )
    answer = answered(index, "AT", asked)
    assert slugs(answer) == ["ministry", "somebody"]
    assert refused(answer) == {
        "army": "excluded by the asker: hosted by military",
        "police": "excluded by the asker: hosted by police",
    }
    assert answer.notes == ("who hosts them is not known here, so they are not left out: SOMEBODY",)
    with pytest.raises(Invalid) as wrong:
        question(index, on=TODAY, country_by="registered", exclude_host=["spies"])
    assert (wrong.value.code, wrong.value.where) == ("host_invalid", "exclude_host")


@pytest.mark.parametrize("order", [DEFAULT, *BY_REPORT.values()])
def test_every_order_has_a_position_for_every_place(order: Order) -> None:
    assert sorted(place for group in order.groups for place in group) == sorted(PLACES)
    assert order.without_detail <= set(PLACES)
    assert set(PURPOSE_ORDER) == set(PURPOSES)
    assert set(RESPONSIBILITY_KEYS) <= set(PLACES)
    assert sorted(ROLE_ORDER) == sorted(ROLES)


def test_a_team_is_listed_once_by_its_best_basis_and_the_others_are_reasons() -> None:
    known = directory(
        team("isp", row("asn", "64500"), prefix("5.5.5.0/24"), prefix("5.5.0.0/16"), national("AT"))
    )
    answer = ask("5.5.5.5", known, IN_AUSTRIA)
    assert told(answer) == [("isp", "to", "5.5.5.0/24")]
    assert answer.contacts[0].reasons == (
        "most specific prefix",
        "also by prefix 5.5.0.0/16",
        "also by asn 64500",
        "also by country AT",
    )


def test_what_two_sources_say_alike_is_one_reason() -> None:
    twice = team("isp", prefix(NET), prefix(NET, source="another", origin="manual"))
    answer = ask(IP, directory(twice))
    assert answer.contacts[0].reasons == ("most specific prefix",)
    assert answer.contacts[0].basis.origin == "manual"


def test_a_team_asked_for_by_name_is_the_answer() -> None:
    known = directory(
        team("cert-at", national("AT"), name="Österreichs Team", short_name="OET"), *[team("other")]
    )
    for text in ("cert-at", "osterreichs team", "oet"):
        answer = ask(text, known)
        assert told(answer) == [("cert-at", "to", "cert-at")]
        assert answer.contacts[0].reasons == ("asked for by name",)
    assert (
        resolve(Index.build(directory(), None), parse("oet", {"oet": ("gone",)}), on=TODAY).status
        == "no_contact"
    )
