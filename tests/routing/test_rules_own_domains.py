"""A team's own website and mailbox show its domain: a weak reason to ask that team about it."""

from __future__ import annotations

from typing import Any

import pytest

from pocdir.directory.rules.record import Responsibility, Team
from pocdir.routing.rules.own_domains import own_domains
from tests.routing.directories import ask, directory, mailbox, national, refused, row, slugs, team, told

WEAK = "the domain of the team's own mailbox and website, a weak reason"


def desk(slug: str, address: str, website: str | None, *rows: Responsibility, **changes: Any) -> Team:
    """A team with one mailbox and a website."""
    state = changes.pop("state", "unverified")
    channel = mailbox(slug, value=address, state=state, state_since="2026-11-02", **changes)
    return team(slug, *rows, channels=(channel,), website=website)


ACONET = desk("aconet", "cert@aco.net", "https://cert.aco.net/")
CERT_AT = desk("cert-at", "reports@cert.at", "https://www.cert.at/", national("AT"))


@pytest.mark.parametrize(
    "text",
    ["aco.net", "ACO.net.", "cert@aco.net", "https://cert.aco.net/en/", "www[.]aco[.]net", "a.b.aco.net"],
)
def test_a_team_is_found_by_its_own_domain_and_what_stands_below(text: str) -> None:
    answer = ask(text, directory(ACONET, CERT_AT))
    assert told(answer) == [("aconet", "to", "aco.net")]
    contact = answer.contacts[0]
    assert (contact.basis.key, contact.reasons) == ("domain", (WEAK,))
    assert (contact.basis.origin, contact.basis.source, contact.basis.as_of) == (
        "imported",
        "test list",
        "2026-06-17",
    )
    assert answer.notes == ()


@pytest.mark.parametrize("text", ["cert.at", "https://www.cert.at/x", "reports@cert.at"])
def test_a_national_team_answers_for_its_own_domain_rather_than_by_its_ending(text: str) -> None:
    answer = ask(text, directory(CERT_AT))
    assert told(answer) == [("cert-at", "to", "cert.at")]
    assert answer.contacts[0].reasons == (WEAK, "also by tld AT")


@pytest.mark.parametrize("text", ["evil-aco.net", "aco.net.example.org", "co.net"])
def test_another_name_that_looks_alike_is_not_its_own(text: str) -> None:
    assert slugs(ask(text, directory(ACONET))) == []


def test_a_responsibility_comes_before_somebodys_own_domain_also_that_of_the_name_above() -> None:
    owner = team("owner", row("domain", "aco.net"))
    assert slugs(ask("aco.net", directory(ACONET, owner))) == ["owner", "aconet"]
    assert slugs(ask("cert.aco.net", directory(ACONET, owner))) == ["owner", "aconet"]


def test_its_own_responsibility_for_the_domain_is_the_better_reason() -> None:
    own = desk("own", "cert@own.org", "https://own.org", row("domain", "own.org"))
    answer = ask("own.org", directory(own))
    assert [contact.reasons for contact in answer.contacts] == [("most specific domain",)]


def test_the_country_of_the_ending_comes_after_it() -> None:
    energy = desk("energy", "team@energy-cert.at", "https://energy-cert.at")
    answer = ask("energy-cert.at", directory(CERT_AT, energy))
    assert told(answer) == [("energy", "to", "energy-cert.at"), ("cert-at", "fallback", "AT")]


def test_where_it_cannot_be_reached_the_reason_is_given() -> None:
    bouncing = desk("aconet", "cert@aco.net", "https://cert.aco.net/", state="bouncing")
    answer = ask("aco.net", directory(bouncing))
    assert (answer.status, refused(answer)) == ("no_contact", {"aconet": "demoted: bounce on 2026-11-02"})


@pytest.mark.parametrize(
    ("address", "website"),
    [
        ("team@gmail.com", "https://gmail.com/"),
        ("team@gmx.at", "https://www.gmx.at/team"),
        ("team@t-online.de", "https://home.t-online.de/team"),
        ("team@mail.yandex.ru", "https://mail.yandex.ru/"),
    ],
)
def test_where_everybody_has_a_mailbox_nobody_answers_for_all(address: str, website: str) -> None:
    assert own_domains([desk("team", address, website)], frozenset({"public"})) == ({}, {})


@pytest.mark.parametrize(
    ("address", "website"),
    [
        ("team@bigprovider.org", "https://team.org"),  # a mailbox at somebody else's
        ("team@team.org", "https://bigprovider.org/team"),  # a website at somebody else's
        ("team@mail.team.org", "https://team.org"),  # the mailbox shows no more than itself
        ("team@team.org", None),
        ("incd@gov.il", "https://www.gov.il"),  # a public suffix
        ("team@team.org", "https://[broken"),
        ("team@team.org", "https://198.51.100.7/"),
        ("no address", "https://team.org"),
    ],
)
def test_a_mailbox_or_a_website_alone_shows_nothing(address: str, website: str | None) -> None:
    assert own_domains([desk("team", address, website)], frozenset({"public"})) == ({}, {})


@pytest.mark.parametrize(
    "other",
    [
        desk("press", "press@ministry.org", None),
        desk("press", "press@press.org", "https://www.ministry.org/press"),
    ],
)
def test_what_several_teams_share_is_nobodys(other: Team) -> None:
    ministry = desk("ministry", "cert@ministry.org", "https://cert.ministry.org")
    assert slugs(ask("ministry.org", directory(ministry))) == ["ministry"]
    answer = ask("www.ministry.org", directory(ministry, other))
    assert answer.status == "no_contact"
    assert answer.notes == ("several teams share ministry.org, none answers for all of it: MINISTRY, PRESS",)


@pytest.mark.parametrize("channel", [{"audience": "members"}, {"state": "withdrawn"}])
def test_a_mailbox_that_is_not_to_be_told_shows_nothing_and_takes_nothing(channel: dict[str, str]) -> None:
    hidden = desk("hidden", "cert@aco.net", "https://www.aco.net", **channel)
    assert ask("aco.net", directory(hidden)).status == "no_contact"


def test_the_longer_of_two_own_domains_comes_first() -> None:
    parent = desk("parent", "cert@example.org", "https://example.org")
    part = desk("part", "cert@lab.example.org", "https://www.lab.example.org/cert")
    answer = ask("x.lab.example.org", directory(parent, part))
    assert told(answer) == [("part", "to", "lab.example.org"), ("parent", "fallback", "example.org")]
