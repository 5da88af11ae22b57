"""One team as one source writes it: checked whole, every fault with its path."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from operator import attrgetter
from typing import Any, TypeVar

from pocdir.core.errors import Invalid
from pocdir.directory.formats import profile, values
from pocdir.directory.formats.profile import FACTS as FACTS
from pocdir.directory.formats.text import shown
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.record import Key, Statement

T = TypeVar("T")
MOST_FAULTS = 20
ROLE_OF_KEY = {
    "country": "national",
    "sector": "sectoral",
    "country+sector": "sectoral",
    "global": "coordinator",
}


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who says so: the name of a source, where it is to be read, its kind, its date, how sure it is."""

    source: str
    url: str | None = None
    kind: str | None = None
    as_of: str = ""
    confidence: str = "medium"


@dataclass(frozen=True, slots=True)
class ChannelRecord:
    """One way to reach the team; the value in its one spelling."""

    kind: str
    value: str
    purpose: str = "incident"
    preference: int = 1
    openpgp_fingerprint: str | None = None
    audience: str = "public"
    hours: str | None = None
    confidence: str | None = None  # None: the source's


@dataclass(frozen=True, slots=True)
class ResponsibilityRecord:
    """What the team answers for; the value in its one spelling."""

    key: str
    value: str
    role: str
    rank: int = 1
    valid_from: str | None = None
    valid_to: str | None = None
    confidence: str | None = None  # None: the source's


@dataclass(frozen=True, slots=True)
class TeamRecord:
    """What a source says of one team: `facts` by field in JSON values, only those it does say."""

    slug: str | None
    facts: Mapping[str, Any] = field(default_factory=dict)
    channels: tuple[ChannelRecord, ...] = ()
    responsibilities: tuple[ResponsibilityRecord, ...] = ()
    confidence: str | None = None  # None: the source's
    as_of: str | None = None  # ISO date; None: the source's
    domain: str | None = None  # registrable: finds the team by its website or domain responsibilities
    lead: bool = False  # its facts are said only where nobody else knows the team
    placeholders: tuple[str, ...] = ()  # what stood where an address should be

    @property
    def name(self) -> str:
        return str(self.facts.get("name") or self.slug)


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file holds: the source as it names itself (None: it does not) and its teams."""

    source: Provenance | None
    origin: str
    teams: tuple[TeamRecord, ...]
    notes: tuple[str, ...] = ()  # what the file says and we leave out, by line or path


class Faults:
    """Collects what is wrong, by path, so that a person sees all of it at once."""

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}

    def add(self, where: str, message: str) -> None:
        if len(self.found) < MOST_FAULTS or where in self.found:
            self.found.setdefault(where, []).append(message)

    def check(self, where: str, check: Callable[[Any], T], raw: Any) -> T | None:
        """The checked value; None after a fault."""
        try:
            return check(raw)
        except Invalid as error:
            self.add(where, error.message)
            return None

    def refuse(self, code: str) -> None:
        """Raises Invalid with every fault when there is one; its `where` is the first path."""
        if self.found:
            where, messages = next(iter(self.found.items()))
            raise Invalid(code, messages[0], where=where, errors=self.found)


CHANNEL_WORDS = ("preference", "audience", "openpgp_fingerprint", "hours")
RESPONSIBILITY_WORDS = ("rank", "valid_from", "valid_to")
_CHANNEL_NAMES, _RESPONSIBILITY_NAMES = ("withdrawn", *CHANNEL_WORDS), ("withdrawn", *RESPONSIBILITY_WORDS)
_channel_words, _responsibility_words = attrgetter(*CHANNEL_WORDS), attrgetter(*RESPONSIBILITY_WORDS)
_ALWAYS = ("name", "kind")  # facts that nobody may set to null
_confidence = values.one_of(rules.CONFIDENCES)
_CHANNEL: dict[str, Callable[[Any], Any]] = {
    "kind": values.one_of(rules.CHANNEL_KINDS),
    "purpose": values.one_of(rules.PURPOSES),
    "preference": values.whole(1, 1000),
    "openpgp_fingerprint": values.fingerprint,
    "hours": profile.hours,
    "audience": values.one_of(rules.AUDIENCES),
    "confidence": _confidence,
}
_RESPONSIBILITY: dict[str, Callable[[Any], Any]] = {
    "key": values.one_of(rules.RESPONSIBILITY_KEYS),
    "role": values.one_of(rules.ROLES),
    "rank": values.whole(1, 1000),
    "valid_from": values.day,
    "valid_to": values.day,
    "confidence": _confidence,
}
_TEAM_KEYS = frozenset({"slug", "confidence", "channels", "responsibilities", *FACTS})


def team_record(raw: Any, *, where: str = "", also: frozenset[str] = frozenset()) -> TeamRecord:
    """One team of pocdir-json; raises Invalid `record_invalid` with every fault by its path below `where`.

    Keys of pocdir-json and those in `also` are known; null and empty lists say nothing.
    """
    faults = Faults()
    record = _team(raw, f"{where}." if where else "", faults, also)
    faults.refuse("record_invalid")
    return record


def team_records(raw: Any, faults: Faults, where: str = "teams") -> Iterator[TeamRecord]:
    """Every team of a list that has no fault; the faults of the others are collected.

    What has been read is let go, item by item: a large file is never there twice.
    """
    if not isinstance(raw, list):
        faults.add(where, "a list of teams is right")
        return
    for position, item in enumerate(raw):
        before = len(faults.found)
        record = _team(item, f"{where}[{position}].", faults, frozenset())
        raw[position] = item = None
        if len(faults.found) == before:
            yield record
        if len(faults.found) >= MOST_FAULTS:
            return


def facts(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Facts that a person sets: null says that there is none. Raises Invalid `record_invalid`."""
    faults = Faults()
    kept = {}
    for name, value in raw.items():
        if name not in FACTS:
            faults.add(name, "is no field of a team")
        elif value is not None or name in _ALWAYS:
            kept[name] = faults.check(name, FACTS[name], value)
        else:
            kept[name] = [] if name in rules.LIST_FACTS else None
    faults.refuse("record_invalid")
    return kept


def channel(raw: Any) -> ChannelRecord:
    """One channel by itself; raises Invalid `record_invalid`."""
    faults = Faults()
    record = _channel(raw, "", faults, frozenset())
    faults.refuse("record_invalid")
    assert record is not None  # noqa: S101 - without a fault there is a record
    return record


def responsibility(raw: Any) -> ResponsibilityRecord:
    """One responsibility by itself; raises Invalid `record_invalid`."""
    faults = Faults()
    record = _responsibility(raw, "", faults, frozenset())
    faults.refuse("record_invalid")
    assert record is not None  # noqa: S101 - without a fault there is a record
    return record


def with_team(parsed: Parsed, slug: str) -> Parsed:
    """A file of one team, as that of this slug, whatever it calls it; raises Invalid `team_ambiguous` for several."""
    if len(parsed.teams) != 1:
        raise Invalid("team_ambiguous", f"the file speaks of {len(parsed.teams)} teams; --team takes one")
    return replace(parsed, teams=(replace(parsed.teams[0], slug=slug),))


def without_placeholders(record: TeamRecord) -> TeamRecord:
    """The record without channels whose value stands in for an address that was withheld."""
    found = [channel.value for channel in record.channels if rules.placeholder(channel.value)]
    if not found:
        return record
    kept = tuple(channel for channel in record.channels if channel.value not in found)
    return replace(record, channels=kept, placeholders=(*record.placeholders, *found))


def _team(raw: Any, at: str, faults: Faults, also: frozenset[str]) -> TeamRecord:
    if not isinstance(raw, Mapping):
        faults.add(at.rstrip(".") or "team", "a team is an object with slug or name, kind and country")
        return TeamRecord(None)
    _unknown(raw, _TEAM_KEYS | also, at, faults)
    for needed in ("kind", "country"):
        if needed not in raw:
            faults.add(f"{at}{needed}", "is missing")
    slug = _given(raw, "slug", values.slug, at, faults)
    if slug is None and raw.get("name") is None:
        faults.add(f"{at}name", "slug or name is needed")
    said = {
        name: faults.check(f"{at}{name}", FACTS[name], value)
        for name, value in raw.items()
        if value is not None and name in FACTS
    }
    return TeamRecord(
        slug=slug,
        facts={name: value for name, value in said.items() if value is not None and value != []},
        channels=_each(raw, "channels", _channel, at, faults, also),
        responsibilities=_each(raw, "responsibilities", _responsibility, at, faults, also),
        confidence=_given(raw, "confidence", _confidence, at, faults),
    )


def _each(
    raw: Mapping[str, Any],
    name: str,
    read: Callable[[Any, str, Faults, frozenset[str]], T | None],
    at: str,
    faults: Faults,
    also: frozenset[str],
) -> tuple[T, ...]:
    items = raw.get(name)
    if items is None:
        return ()
    if not isinstance(items, list):
        faults.add(f"{at}{name}", "a list is right")
        return ()
    kept: dict[tuple[str, ...], T] = {}
    for position, item in enumerate(items):
        record = read(item, f"{at}{name}[{position}].", faults, also)
        if record is None:
            continue
        if (key := identity(record)) in kept:
            faults.add(f"{at}{name}[{position}]", "stands there twice")
        kept[key] = record
    return tuple(kept.values())


def identity(record: Any) -> tuple[str, ...]:
    """What makes a channel or a responsibility of one team the same one."""
    if isinstance(record, ChannelRecord):
        return ("channel", record.kind, record.value, record.purpose)
    return ("responsibility", record.key, record.value, record.role)


def _channel(raw: Any, at: str, faults: Faults, also: frozenset[str]) -> ChannelRecord | None:
    given = _row(raw, _CHANNEL, at, faults, also)
    check = values.CHANNEL_VALUES.get(str(given.get("kind")))
    if check is None or (value := faults.check(f"{at}value", check, raw.get("value"))) is None:
        return None
    return ChannelRecord(value=value, **given)


def _responsibility(raw: Any, at: str, faults: Faults, also: frozenset[str]) -> ResponsibilityRecord | None:
    given = _row(raw, _RESPONSIBILITY, at, faults, also)
    check = values.RESPONSIBILITY_VALUES.get(str(given.get("key")))
    if check is None or (value := faults.check(f"{at}value", check, raw.get("value"))) is None:
        return None
    given.setdefault("role", ROLE_OF_KEY.get(given["key"], "holder"))
    if (given.get("valid_from") or "") > (given.get("valid_to") or "9999"):
        faults.add(f"{at}valid_to", "lies before valid_from")
    return ResponsibilityRecord(value=value, **given)


def _row(
    raw: Any, checks: Mapping[str, Callable[[Any], Any]], at: str, faults: Faults, also: frozenset[str]
) -> dict[str, Any]:
    """The checked columns of one row, those given; its `value` needs the kind or key first."""
    first = next(iter(checks))
    if not isinstance(raw, Mapping):
        faults.add(at.rstrip("."), f"an object with {first} and value is right")
        return {}
    _unknown(raw, {*checks, "value", *also}, at, faults)
    if raw.get(first) is None:
        faults.add(f"{at}{first}", "is missing")
    given = {
        name: faults.check(f"{at}{name}", checks[name], value)
        for name, value in raw.items()
        if value is not None and name in checks
    }
    return {name: value for name, value in given.items() if value is not None}


def _given(raw: Mapping[str, Any], name: str, check: Callable[[Any], T], at: str, faults: Faults) -> T | None:
    return None if raw.get(name) is None else faults.check(f"{at}{name}", check, raw[name])


def _unknown(raw: Mapping[str, Any], known: AbstractSet[str], at: str, faults: Faults) -> None:
    for name in raw:
        if name not in known:
            faults.add(f"{at}{shown(name)}", "is not a key that pocdir-json knows")


def statements(
    named: Mapping[str, TeamRecord], source: Provenance, before: Mapping[Key, Statement] | None = None
) -> dict[Key, Statement]:
    """What `source` says with these records (by slug), row by row; in the objects of `before` where it said so then."""
    then = before or {}
    found: dict[Key, Statement] = {}
    same: dict[Any, Statement] = {}  # most rows say the same words under another key
    for slug, record in named.items():
        as_of = record.as_of or source.as_of
        for key, names, given, confidence in _rows(slug, record):
            sure = confidence or source.confidence
            # The text of a fact, as lists have no hash, and as 1 is not true.
            words = (names, repr(given) if key[0] == "fact" else given, as_of, sure)
            statement = same.get(words)
            if statement is None:
                statement = Statement(dict(zip(names, given, strict=True)), as_of, sure)
                if key[2] != "name":
                    same[words] = statement
            told = then.get(key)
            found[key] = told if told == statement and told is not None else statement
    return found


def _rows(slug: str, record: TeamRecord) -> list[tuple[Key, tuple[str, ...], tuple[Any, ...], str | None]]:
    """Key, names and values of the words, confidence of each row of a record."""
    rows: list[tuple[Key, tuple[str, ...], tuple[Any, ...], str | None]] = [
        (("fact", slug, name), ("value",), (value,), record.confidence)
        for name, value in record.facts.items()
    ]
    for names, words, items in (
        (_CHANNEL_NAMES, _channel_words, record.channels),
        (_RESPONSIBILITY_NAMES, _responsibility_words, record.responsibilities),
    ):
        rows += [(_key(slug, item), names, (False, *words(item)), item.confidence) for item in items]
    return rows


def _key(slug: str, record: Any) -> Key:
    kind, *rest = identity(record)
    return (kind, slug, *rest)
