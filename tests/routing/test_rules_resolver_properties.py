"""The resolver against a slow and obvious one, and against the same world with other country codes.

Worlds are made by `random` from a seed that hypothesis chooses: ten times faster than drawing each value.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import replace
from ipaddress import ip_address, ip_network
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pocdir.directory.rules.record import (
    ADDRESS_STATES,
    RESPONSIBILITY_KEYS,
    Channel,
    Directory,
    Responsibility,
    Team,
)
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.indicator import parse
from pocdir.routing.rules.resolver import Answer, answer_json, resolve
from tests.routing.directories import TODAY, Entry, SmallRegistry, System
from tests.routing.reference_resolver import Question, Told, Wishes, reference

CODES = ["AT", "DE", "GB", "EU"]
SECTORS = ["energy", "health"]
KINDS = ["malicious-code/infected-system", "malicious-code/c2-server", "fraud/phishing", "vulnerable"]
KINDS += ["information-content-security/data-leak", "vulnerable/ddos-amplifier"]
HOSTS = ["police", "military", "ministry"]
SYSTEMS = [3333, 64500, 64501]
GENERIC = ["example.org", "a.example.org", "b.a.example.org", "evil-example.org", "clinic.example"]
OWN = [f"{name}.example.org" for name in ("one", "two", "three", "four", "five", "six")]
NAMES = [*GENERIC, "gmail.com", "co.uk", "example.co.uk", "a.example.co.uk", "example.de"]
# One public and one documentation block of each family: 64 addresses, so that spans nest and overlap.
BLOCKS = [ip_network(text) for text in ("5.5.5.0/26", "203.0.113.0/26", "2a00::/122", "2001:db8::/122")]
SIZE = 64

seeds = st.integers(0, 2**64)


def a_span(random: Random) -> tuple[Any, Any]:
    """First and last address, at times a prefix, at times any range."""
    block = random.choice(BLOCKS)
    if random.random() < 0.5:
        size = 2 ** random.randrange(7)
        first = random.randrange(SIZE) // size * size
        return block[first], block[first + size - 1]
    first, last = sorted((random.randrange(SIZE), random.randrange(SIZE)))
    return block[first], block[last]


def span_text(first: Any, last: Any) -> str:
    size = int(last) - int(first) + 1
    if size.bit_count() == 1 and int(first) % size == 0:
        return f"{first}/{first.max_prefixlen + 1 - size.bit_length()}"
    return f"{first}-{last}"


def a_responsibility(random: Random, names: list[str]) -> Responsibility:
    key = random.choice([*["prefix"] * 6, *["domain"] * 4, *["country"] * 3, *RESPONSIBILITY_KEYS])
    code, sector = random.choice(CODES), random.choice(SECTORS)
    value = {
        "prefix": span_text(*a_span(random)),
        "asn": str(random.choice(SYSTEMS)),
        "domain": random.choice(names),
        "country": code,
        "country+sector": f"{code}/{sector}",
        "sector": sector,
        "global": "*",
    }[key]
    dates = [None] * 12 + ["2026-11-21", "2026-11-22", "2026-11-23"]
    return Responsibility(
        key,
        value,
        random.choice(["holder", "national", "sectoral", "coordinator", "cc"]),
        random.randint(1, 2),
        random.choice(["manual", "imported"]),
        valid_from=random.choice(dates),
        valid_to=random.choice(dates),
    )


def a_website(random: Random, names: list[str]) -> str | None:
    """At a name that is a mailbox's too, at times, or below it."""
    host = random.choice(["", "", "www.", "cert.", "www.cert."]) + random.choice(names)
    return random.choice([None, f"https://{host}", f"https://{host}/team/"])


def a_channel(random: Random, address: str) -> Channel:
    return Channel(
        "email",
        address,
        random.choice(["incident", "incident", "incident", "general", "sample", "vulnerability"]),
        random.randint(1, 3),
        random.choice([*["unverified", "verified"] * 4, *ADDRESS_STATES]),
        "2026-11-02",
        origin=random.choice(["manual", "imported"]),
        audience=random.choice([*["public"] * 5, "members"]),
    )


def a_team(random: Random, names: list[str], number: int) -> Team:
    """Its mailboxes and its website are at times at one place, which at times is another's too."""
    at = [random.choice([*names, *OWN])] * 3 + [random.choice(names)]
    channels = [a_channel(random, f"{n}@{random.choice(at)}") for n in range(random.choice([0, 1, 2, 2, 3]))]
    return Team(
        f"team-{number}",
        f"Team {number}",
        None,
        random.choice(["other", "other", "provider", "vendor", "military"]),
        random.choice([None, *CODES]),
        host_kind=random.choice([None, None, *HOSTS]),
        opt_outs=tuple(random.sample(KINDS, random.choice([0, 0, 0, 1]))),
        website=a_website(random, at),
        channels=tuple(channels),
        responsibilities=tuple(a_responsibility(random, names) for _ in range(random.randrange(10))),
    )


def a_directory(random: Random, names: list[str]) -> Directory:
    teams = [a_team(random, names, number) for number in range(random.randrange(14))]
    random.shuffle(teams)
    return Directory("d1", tuple(teams))


def a_registry(random: Random) -> SmallRegistry | None:
    """Each block in pieces of 16 addresses, without a gap; the systems know their countries in any order."""
    if random.random() < 0.1:
        return None
    codes, numbers = [None, *CODES], [None, *SYSTEMS]
    entries = [
        Entry(str(piece), random.choice(numbers), None, *(random.choice(codes) for _ in range(3)))
        for block in BLOCKS
        for piece in block.subnets(prefixlen_diff=2)
    ]
    systems = {
        number: System(None, random.choice(codes), tuple(random.sample(CODES, random.randrange(4))))
        for number in random.sample(SYSTEMS, random.randrange(4))
    }
    return SmallRegistry(entries, systems)


def a_question(random: Random, names: list[str]) -> Question:
    kind = random.choice(["ip", "ip", "span", "name", "url", "email", "asn", "code"])
    if kind == "ip":
        address = random.choice(BLOCKS)[random.randrange(SIZE)]
        return Question(str(address), first=address, last=address)
    if kind == "span":
        first, last = a_span(random)
        return Question(span_text(first, last), first=first, last=last)
    if kind == "asn":
        number = random.choice([*SYSTEMS, 1])
        return Question(f"AS{number}", asn=number)
    if kind == "code":
        code = random.choice(CODES)
        return Question(code, code=code)
    name = random.choice(["", "www.", "x.y."]) + random.choice([*names, *OWN])
    return Question({"name": name, "url": f"https://{name}/x", "email": f"user@{name}"}[kind], name=name)


def some_wishes(random: Random) -> Wishes:
    return Wishes(
        sector=random.choice([None, *SECTORS]),
        purpose=random.choice(["incident", "incident", "sample", "vulnerability"]),
        exclude_teams=frozenset(random.sample(["team-0", "team-1"], random.randrange(2))),
        exclude_countries=frozenset(random.sample(CODES, random.randrange(2))),
        exclude_hosts=frozenset(random.sample(HOSTS, random.choice([0, 0, 1]))),
        kind_of_report=random.choice([None, None, *KINDS]),
        on=TODAY + dt.timedelta(days=random.randrange(2)),
    )


def answered(index: Index, question: str, wish: Wishes, country_by: str = "registered") -> Answer:
    return resolve(
        index,
        parse(question, index.names),
        on=wish.on,
        sector=wish.sector,
        purpose=wish.purpose,
        exclude_teams=wish.exclude_teams,
        exclude_countries=wish.exclude_countries,
        exclude_hosts=wish.exclude_hosts,
        kind_of_report=wish.kind_of_report,
        country_by=country_by,
    )


def agree(seed: int) -> None:
    """Twenty answers about one world."""
    random = Random(seed)
    known, registry = a_directory(random, NAMES), a_registry(random)
    index = Index.build(known, registry)
    for _ in range(20):
        question, wish = a_question(random, NAMES), some_wishes(random)
        answer = answered(index, question.text, wish)
        given = [
            Told(
                c.team.slug,
                c.role,
                c.basis.key,
                c.basis.value,
                c.channel.value,
                c.try_next_after,
                c.without_detail,
            )
            for c in answer.contacts
        ]
        ruled_out = sorted(out.team.slug for out in answer.rejected)
        assert (answer.status, given, ruled_out) == reference(known, registry, question, wish), question


@given(seeds)
@settings(max_examples=150, deadline=None)
def test_every_answer_is_that_of_the_slow_and_obvious_resolver(seed: int) -> None:
    agree(seed)


@pytest.mark.long
@given(seeds)
@settings(max_examples=10_000, deadline=None)
def test_two_hundred_thousand_answers_are_those_of_the_slow_and_obvious_resolver(seed: int) -> None:
    agree(seed)


# Neutrality


def permuted(value: Any, codes: dict[str, str]) -> Any:
    """The same with each code replaced; nothing else of the tests is written in two capitals."""
    text = json.dumps(value)
    return json.loads(re.sub(r"\b[A-Z]{2}\b", lambda match: codes.get(match[0], match[0]), text))


def permuted_world(
    known: Directory, registry: SmallRegistry | None, codes: dict[str, str]
) -> tuple[Directory, SmallRegistry | None]:
    def other(code: str | None) -> str | None:
        return codes[code] if code else None

    teams = [
        replace(
            team,
            country=other(team.country),
            responsibilities=tuple(replace(r, value=permuted(r.value, codes)) for r in team.responsibilities),
        )
        for team in known.teams
    ]
    if registry is None:
        return replace(known, teams=tuple(teams)), None
    entries = [
        replace(e, registered=other(e.registered), located=other(e.located), asn_country=other(e.asn_country))
        for _, e in registry.entries
    ]
    systems = {
        number: System(s.holder, other(s.asn_country), tuple(codes[c] for c in s.registered_countries))
        for number, s in registry.systems.items()
    }
    return replace(known, teams=tuple(teams)), SmallRegistry(entries, systems)


@given(seeds)
@settings(max_examples=60, deadline=None)
def test_permuting_the_country_codes_permutes_the_answers_and_changes_nothing_else(seed: int) -> None:
    random = Random(seed)
    codes = dict(zip(CODES, random.sample(CODES, len(CODES)), strict=True))
    known, registry = a_directory(random, GENERIC), a_registry(random)
    here = Index.build(known, registry)
    there = Index.build(*permuted_world(known, registry, codes))
    for _ in range(20):
        question, wish = a_question(random, GENERIC).text, some_wishes(random)
        other = replace(wish, exclude_countries=frozenset(codes[code] for code in wish.exclude_countries))
        country_by = random.choice(["registered", "located", "asn"])
        first = answer_json(answered(here, question, wish, country_by))
        second = answer_json(answered(there, codes.get(question, question), other, country_by))
        assert permuted(first, codes) == second


@given(seeds)
def test_each_address_has_the_candidates_whose_spans_hold_it(seed: int) -> None:
    random = Random(seed)
    held = {f"t{number}": a_span(random) for number in range(random.randrange(12))}
    rows = {slug: (Responsibility("prefix", span_text(*ends), "holder", 1),) for slug, ends in held.items()}
    teams = (Team(slug, slug, None, "other", None, responsibilities=row) for slug, row in rows.items())
    index = Index.build(Directory("d", tuple(teams)), None)
    for address in (address for block in BLOCKS for address in block):
        found = index.pieces[address.version].at(int(address))
        same = {slug: ends for slug, ends in held.items() if ends[0].version == address.version}
        expected = {slug for slug, (first, last) in same.items() if first <= address <= last}
        assert {candidate.indexed.team.slug for candidate in found} == expected
        assert [candidate.size for candidate in found] == sorted(candidate.size for candidate in found)


def test_the_ends_of_the_space_are_part_of_it() -> None:
    rows = [
        Responsibility("prefix", value, "holder", 1) for value in ("0.0.0.0/1", "128.0.0.0/1", "8000::/1")
    ]
    index = Index.build(
        Directory("d", (Team("t", "T", None, "other", None, responsibilities=tuple(rows)),)), None
    )
    for text in ("0.0.0.0", "255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"):
        address = ip_address(text)
        assert len(index.pieces[address.version].at(int(address))) == 1
    assert index.pieces[6].at(0) == ()
