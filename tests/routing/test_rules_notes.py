"""Where nobody is known, the answer says why, and what to ask instead."""

from __future__ import annotations

import json

import pytest

from pocdir.core.codes import ALL_CODES
from pocdir.core.errors import Invalid
from pocdir.routing.rules.indicator import parse
from pocdir.routing.rules.resolver import Answer
from tests.conftest import ROOT
from tests.routing.directories import Entry, SmallRegistry, ask, directory, national, row, team

NO_COUNTRY = "this domain alone tells no country; look up the IP address that it leads to"
NOT_PUBLIC = "names of this top level domain are not in the public DNS: nobody is registered for them"


@pytest.mark.parametrize(
    "text", ["example.com", "https://www.example.org/x", "user@example.net", "com.tk.info"]
)
def test_a_generic_ending_tells_no_country(text: str) -> None:
    answer = ask(text, directory(team("poc", national("AT"))))
    assert (answer.status, answer.notes) == ("no_contact", (NO_COUNTRY,))


@pytest.mark.parametrize("text", ["abcdef.onion", "printer.local", "db.internal", "clinic.example", "a.test"])
def test_a_name_outside_the_public_dns_is_nobodys(text: str) -> None:
    assert ask(text, directory()).notes == (NOT_PUBLIC,)


def test_a_name_with_an_owner_needs_no_country() -> None:
    assert ask("www.example.com", directory(team("owner", row("domain", "example.com")))).notes == ()


@pytest.mark.parametrize("ending", ["su", "ac"])
def test_an_ending_that_is_no_country_in_use_tells_none(ending: str) -> None:
    assert ask(f"example.{ending}", directory()).notes == (NO_COUNTRY,)


@pytest.mark.parametrize("text", ["xx", "AA", "ZZ", "QQ", "zzz"])
def test_a_code_that_is_none_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse(text)
    assert (refused.value.code, refused.value.message) == (
        "indicator_invalid",
        f"{text.upper()} is no country code (ISO 3166-1, EU or XK), and no team here has this name; "
        "a code such as AT is right",
    )


def test_every_code_of_the_seed_answers_and_where_nobody_is_known_says_so() -> None:
    codes = [each["code"] for each in json.loads((ROOT / "seeds" / "codes.json").read_text())]
    assert set(codes) <= set(ALL_CODES)
    for code in codes:
        answer = ask(code, directory())
        assert (answer.status, answer.query.kind, answer.query.value) == ("no_contact", "country", code)
        assert answer.notes == (f"no national PoC known for {code}",)


REGISTRY = SmallRegistry([Entry("5.5.5.0/24", registered="AT"), Entry("5.5.6.0/24")])
EVERYTHING = [
    "5.5.5.5", "5.5.6.6", "6.6.6.6", "5.5.5.0/24", "5.5.0.0/16", "5.5.5.0-5.5.6.255", "2a00::1", "AS3333", "AT", "KI",
    "example.at", "example.com", "example.example", "co.uk", "user@example.de", "http://5.5.5.5/x",
]  # fmt: skip


def explained(answer: Answer) -> bool:
    return answer.status != "no_contact" or bool(answer.notes)


@pytest.mark.parametrize("text", EVERYTHING)
def test_no_answer_is_left_without_a_word(text: str) -> None:
    mute = team("mute", national("AT"), row("asn", "3333"), row("domain", "example.com"), channels=())
    for known in (directory(), directory(mute)):
        for registry in (None, REGISTRY):
            assert explained(ask(text, known, registry)), (known, registry)
            assert explained(ask(text, known, registry, exclude_teams=frozenset({"mute"})))


def test_a_national_team_without_any_address_is_named() -> None:
    answer = ask("AT", directory(team("mute", national("AT"), channels=())))
    assert answer.notes == ("the national PoC of AT is known by name, no address is: MUTE",)


@pytest.mark.parametrize(
    "text",
    ["2002:505:505::1", "64:ff9b::5.5.5.5", "64:ff9b::505:505", "2001:0:4136:e378:8000:63bf:fafa:fafa"],
)
def test_an_address_that_carries_another_says_which(text: str) -> None:
    answer = ask(text, directory(), REGISTRY)
    assert answer.status == "not_routable"
    assert answer.notes[1:] == ("it carries the IPv4 address 5.5.5.5; look that up",)


def test_a_team_that_cannot_be_reached_is_explained_by_name_too() -> None:
    answer = ask("mute", directory(team("mute", channels=())))
    assert answer.status == "no_contact"
    assert answer.notes == ("whoever is known for this is ruled out; the reasons stand beside",)
