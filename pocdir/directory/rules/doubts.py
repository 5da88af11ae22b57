"""Why a change that a source brings should wait for a person: one reason each, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from pocdir.core.text import Phrase, fold
from pocdir.directory.rules import approval
from pocdir.directory.rules.in_force import Entry, losses
from pocdir.directory.rules.lookalike import letters, mixed_word, skeleton, unseen
from pocdir.directory.rules.placeholders import placeholder
from pocdir.directory.rules.record import Diff, Key, Statement

MOST_SHRINKING = 0.5  # the share of its rows that a source may lose at once without a person looking
ONE_TEAMS = frozenset({"email", "signal", "matrix"})  # kinds of address that belong to one team
NAMES = ("name", "short_name", "names")
NATIONAL_ROLES = ("holder", "national")  # before all others for a code
WORDS: Mapping[str, Phrase] = {
    "format": Phrase("it could not be read: %(message)s"),
    "shrinks": Phrase("the source shrinks from %(before)s rows to %(after)s"),
    "vanishes": Phrase("%(value)s, which the team confirmed, would vanish"),
    "changes": Phrase("%(value)s, which the team confirmed, would change"),
    "displaced": Phrase("%(value)s would be put before the address that the team confirmed"),
    "purpose": Phrase("%(value)s would be the first address for %(purpose)s; the team has confirmed others"),
    "key": Phrase("the OpenPGP key of %(value)s would change"),
    "kind": Phrase("it would no longer be a national team"),
    "claimed": Phrase("%(value)s is an address of %(others)s"),
    "national": Phrase(
        "%(value)s is an address of the national team %(others)s; where both are one team, accept it and merge them"
    ),
    "second": Phrase("it would answer for %(value)s beside %(others)s, which has confirmed its entry"),
    "ends": Phrase("it would no longer answer for %(value)s as it does"),
    "mixed": Phrase("the word %(value)s mixes letters of two scripts: %(letters)s"),
    "unseen": Phrase("the name %(value)s holds a sign that nobody sees: %(sign)s"),
    "looks": Phrase("the name %(value)s looks like that of %(others)s"),
    "same": Phrase("the name %(value)s is that of %(others)s"),
    "removed": Phrase("%(value)s stands for an address that was removed or never there"),
    "desk": Phrase("%(value)s is the desk of a registry, not of the team"),
    "withheld": Phrase("%(value)s says that the address is withheld"),
}
# What of the entry of a confirmed team each of these touches: four eyes look at it where approval.py says so.
TOUCHES = {
    "vanishes": approval.ADDRESS,
    "changes": approval.ADDRESS,
    "displaced": approval.ADDRESS,
    "purpose": approval.ADDRESS,
    "key": approval.KEY,
    "kind": approval.KIND,
    "second": approval.CODE,
    "ends": approval.CODE,
}

# Told of a file as a whole, when it is read: what stands later does not change them.
OF_THE_FILE = frozenset({"format", "shrinks", "removed", "desk", "withheld"})
Address = tuple[str, str, str]  # team, kind, value


@dataclass(frozen=True, slots=True)
class Doubt:
    """One reason; `team` is None where it is about the whole file."""

    code: str
    team: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def words(self) -> Phrase:
        return Phrase(WORDS[self.code].pattern, **self.values)

    def __str__(self) -> str:
        return f"{self.team}: {self.words}" if self.team else str(self.words)


@dataclass(frozen=True, slots=True)
class Known:
    """A team that stands in the directory."""

    name: str
    country: str | None = None
    short_name: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands beside what this source says, of teams that it would change; teams by slug, as wholes."""

    teams: Mapping[str, Known] = field(default_factory=dict)  # not retired; all of them where names are given
    wholes: Mapping[str, str] = field(default_factory=dict)  # of the entries that are part of another team
    confirmed: AbstractSet[Address] = frozenset()  # that the team itself confirmed
    # (kind, value): the teams that have it by another's word
    holders: Mapping[tuple[str, str], AbstractSet[str]] = field(default_factory=dict)
    national: AbstractSet[str] = frozenset()  # of one entry at least
    codes: Mapping[str, AbstractSet[str]] = field(default_factory=dict)  # the teams that answer, confirmed
    answers: AbstractSet[tuple[str, str]] = frozenset()  # (team, code): it answers by another's word already
    kept: AbstractSet[tuple[str, str]] = frozenset()  # (team, code): it answers by the word of another source
    entries: Sequence[Entry] = ()  # of the teams that have confirmed something: before the change, and after

    def whole(self, slug: str) -> str:
        """The team that an entry is read as."""
        return self.wholes.get(slug, slug)


def doubts(
    change: Diff,
    before: Mapping[Key, Statement],
    after: Mapping[Key, Statement],
    standing: Standing,
    placeholders: Mapping[str, Iterable[str]] | None = None,
) -> list[Doubt]:
    """Why the `change` from what a source said to what it says now should wait for a person; empty when it may apply.

    `placeholders` holds by team (slug) what stands where an address should be.
    """
    return [
        *_shrinking(before, after),
        *doubts_of_change(change, after, standing),
        *_placeholders(before, after, placeholders or {}),
    ]


def doubts_of_change(change: Diff, after: Iterable[Key], standing: Standing) -> list[Doubt]:
    """The doubts about a change, without those of the file as a whole (OF_THE_FILE); `after`: what the source says."""
    return [
        *(Doubt(code, entry.slug, values) for entry in standing.entries for code, values in losses(entry)),
        *_claims(change, after, standing),
        *_seconds(change, standing),
        *_ends(change, standing),
        *_names(change, standing),
    ]


def _shrinking(before: Mapping[Key, Statement], after: Mapping[Key, Statement]) -> Iterator[Doubt]:
    told, tells = _size(before), _size(after)
    if told and tells < told * (1 - MOST_SHRINKING):
        yield Doubt("shrinks", None, {"before": str(told), "after": str(tells)})


def _size(statements: Mapping[Key, Statement]) -> int:
    return len({key[1] for key in statements}) + sum(key[0] != "fact" for key in statements)


def _claims(change: Diff, after: Iterable[Key], standing: Standing) -> Iterator[Doubt]:
    """A known team takes an address that is another's; anybody one that another confirmed, or a national team's."""
    others: dict[tuple[str, str], set[str]] = {}
    new = {_address(key) for key in change.added if key[0] == "channel" and key[2] in ONE_TEAMS}
    wanted = {address[1:] for address in new if standing.whole(address[0]) in standing.teams}
    for key in after if wanted else ():
        if key[0] == "channel" and (key[2], key[3]) in wanted:
            others.setdefault((key[2], key[3]), set()).add(standing.whole(key[1]))
    for slug, kind, value in sorted(new):
        held, team = standing.holders.get((kind, value), frozenset()), standing.whole(slug)
        if team in held:
            continue
        if team in standing.teams:
            claim = (held | others.get((kind, value), set())) - {team}
        else:
            firm = {other for other in held if (other, kind, value) in standing.confirmed}
            claim = (held & standing.national) | firm
        nations = claim & standing.national
        if claim:
            whose = ", ".join(sorted(nations or claim)[:5])
            yield Doubt("national" if nations else "claimed", slug, {"value": value, "others": whose})


def countries(change: Diff) -> Iterator[tuple[str, str]]:
    """(entry, code) of each code for which it would say that a team answers as its national one."""
    for key in change.added:
        if _is_of_a_code(key):
            yield key[1], key[3]


def _seconds(change: Diff, standing: Standing) -> Iterator[Doubt]:
    """Who has confirmed nothing takes no place beside, or before, who answers for a code and has."""
    for slug, code in sorted(set(countries(change))):
        team, others = standing.whole(slug), standing.codes.get(code, frozenset())
        if others and team not in others and (team, code) not in standing.answers:
            yield Doubt("second", slug, {"value": code, "others": ", ".join(sorted(others))})


def codes(change: Diff) -> frozenset[str]:
    """The codes of which the change says who answers as holder or national team, otherwise, or no longer."""
    return frozenset(
        key[3]
        for rows in (change.added, change.changed, change.removed)
        for key in rows
        if _is_of_a_code(key)
    )


def _is_of_a_code(key: Key) -> bool:
    return key[0] == "responsibility" and key[2] == "country" and key[4] in NATIONAL_ROLES


def _ends(change: Diff, standing: Standing) -> Iterator[Doubt]:
    """A team that has confirmed answers for its code as long as any source says so, without another end."""
    added, changed, removed = (
        [key for key in rows if _is_of_a_code(key)] for rows in (change.added, change.changed, change.removed)
    )
    bounded = {key for key in added if _bounds(change.added[key]) != (None, None)}
    bounded |= {key for key in changed if len({_bounds(it) for it in change.changed[key]}) > 1}
    for key in sorted({*bounded, *removed}):
        _, slug, _, code, _ = key
        goes = key in bounded or (standing.whole(slug), code) not in standing.kept
        if goes and standing.whole(slug) in standing.codes.get(code, ()):
            yield Doubt("ends", slug, {"value": code})


def _bounds(said: Statement) -> tuple[Any, Any]:
    return said.values.get("valid_from"), said.values.get("valid_to")


def _names(change: Diff, standing: Standing) -> Iterator[Doubt]:
    """Names that mix scripts, look like another team's, or become another team's."""
    given = [
        (key, text) for key, now in _new(change) if _is_name(key) for text in _texts(now.values["value"])
    ]
    if not given:
        return
    alike: dict[str, list[tuple[str, str]]] = {}
    for slug, known in standing.teams.items():
        for name in (known.name, known.short_name):
            if name:
                alike.setdefault(skeleton(name), []).append((slug, name))
    # Of two that come together, the one in plain letters is the one that the other looks like.
    for key, text in sorted(given, key=lambda item: (not item[1].isascii(), item[0])):
        team = standing.whole(key[1])
        if sign := unseen(text):
            yield Doubt("unseen", key[1], {"value": text, "sign": sign})
        if word := mixed_word(text):
            yield Doubt("mixed", key[1], {"value": word, "letters": letters(word)})
        others = [(slug, name) for slug, name in alike.get(skeleton(text), ()) if slug != team]
        like = sorted({slug for slug, name in others if fold(name) != fold(text)})
        if like:
            yield Doubt("looks", key[1], {"value": text, "others": ", ".join(like[:5])})
        elif (
            key[2] == "name" and key in change.changed and (same := _namesakes(team, text, others, standing))
        ):
            yield Doubt("same", key[1], {"value": text, "others": ", ".join(same[:5])})
        alike.setdefault(skeleton(text), []).append((team, text))


def _namesakes(team: str, text: str, others: Iterable[tuple[str, str]], standing: Standing) -> list[str]:
    """Other teams of the same country with this name, which the team would take."""
    known = standing.teams.get(team)
    if known is None or fold(known.name) == fold(text):
        return []
    there = ((slug, standing.teams[slug]) for slug, _ in others if slug in standing.teams)
    return sorted({slug for slug, other in there if other.country == known.country})


def _placeholders(
    before: Mapping[Key, Statement], after: Mapping[Key, Statement], placeholders: Mapping[str, Iterable[str]]
) -> Iterator[Doubt]:
    """None for a team of which the source said so before and where no channel goes."""
    if not placeholders:
        return
    told = {key[1] for key in before}
    poorer = {key[1] for key in before if key[0] == "channel" and key not in after}
    for team, values in sorted(placeholders.items()):
        for value in values if team not in told or team in poorer else ():
            why = placeholder(value) or ""
            code = "desk" if "desk" in why else "withheld" if "withheld" in why else "removed"
            yield Doubt(code, team, {"value": value})


def _new(change: Diff) -> Iterator[tuple[Key, Statement]]:
    yield from change.added.items()
    for key, (_, now) in change.changed.items():
        yield key, now


def _is_name(key: Key) -> bool:
    return key[0] == "fact" and key[2] in NAMES


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(item["name"]) for item in value or ()]


def _address(key: Key) -> Address:
    return key[1], key[2], key[3]
