"""What is known about teams, as frozen values: one version of the directory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pocdir.directory.rules.placeholders import placeholder as placeholder
from pocdir.ledger.rules.vocabulary import ADDRESS_STATES as ADDRESS_STATES
from pocdir.ledger.rules.vocabulary import CHANNEL_KINDS as CHANNEL_KINDS
from pocdir.ledger.rules.vocabulary import EXPECTED as EXPECTED
from pocdir.ledger.rules.vocabulary import INTAKE as INTAKE
from pocdir.ledger.rules.vocabulary import ORIGINS as ORIGINS

TEAM_KINDS = (
    "national", "governmental", "sectoral", "academic", "provider", "vendor", "regional", "coordinator",
    "military", "other",
)  # fmt: skip
PURPOSES = ("incident", "vulnerability", "sample", "emergency", "general")
AUDIENCES = ("public", "members", "stewards")
DEAD_STATES = frozenset({"bouncing", "withdrawn"})
RESPONSIBILITY_KEYS = ("prefix", "asn", "domain", "country", "sector", "country+sector", "global")
ROLES = ("holder", "national", "sectoral", "coordinator", "cc")
CONFIDENCES = ("high", "medium", "low")
HOST_KINDS = (
    "independent", "ministry", "regulator", "police", "intelligence", "military", "company", "university",
)  # fmt: skip
LAW_ENFORCEMENT = ("no", "with-consent", "when-required-by-law", "yes")  # are reports passed on to it?
LINES = ("first", "second")  # answers whoever comes, or other teams
PROMISES = EXPECTED  # what a team may promise to do within a time
SOURCE_KINDS = (
    "steward", "first_party", "observed_header", "registry", "third_party_list", "registry_snapshot",
)  # fmt: skip
MEMBERS = frozenset({"researcher", "owner", "team_contact"})  # roles that see channels for members
STEWARD = "steward"  # the source whose rows people enter here
# The sources of what a team's own staff enter: by themselves, or with the approval of the directory's rule.
TEAM_ITSELF, TEAM_APPROVED = "the team itself", "the team itself, approved by a steward"
OWN_SOURCES = frozenset({STEWARD, TEAM_ITSELF, TEAM_APPROVED})  # no file may speak in their name
LIST_FACTS = frozenset({"languages", "memberships", "names", "tlp", "opt_outs", "intake"})
# Facts that qualify another one: they count only beside it, from the source that says it or from a person.
QUALIFIES = {
    "host_declared_by": "host_kind",
    "law_enforcement_declared_by": "law_enforcement",
    "neutrality_declared_by": "neutrality_policy",
    "rfc2350_date": "rfc2350",
}
# The columns of a team that are facts, and what stands where nobody says one; all other facts are in its profile.
MISSING: dict[str, Any] = {
    "short_name": None, "kind": "other", "country": None, "website": None, "languages": [], "timezone": None,
    "host_kind": None, "memberships": [], "parent": None,
}  # fmt: skip
PAIRED = ("merge", "split", "apart")  # what stewards may say of two entries
PAIRING_STATES = ("open", "applied", "refused", "ended")


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to reach a team; the state is the address's own (shared by every channel that uses it)."""

    kind: str
    value: str
    purpose: str
    preference: int
    state: str = "unverified"
    state_since: str | None = None  # ISO date
    state_evidence: str | None = None
    openpgp_fingerprint: str | None = None
    audience: str = "public"
    origin: str = "imported"
    source: str = ""
    as_of: str = ""  # ISO date of the source
    confidence: str = "medium"
    since: str | None = None  # ISO date on which we first recorded these words of this source
    hours: str | None = None  # in the team's zone: Mo-Fr 08:00-16:30
    reachability: int | None = None  # how far it was seen to reach: 1 receives .. 5 can resolve
    openpgp_pinned: bool = (
        False  # the fingerprint is of a key that stands here, checked; else a source says it
    )


@dataclass(frozen=True, slots=True)
class Responsibility:
    """What a team answers for, as one source says."""

    key: str
    value: str  # 203.0.113.0/24, 203.0.113.0-203.0.113.9, 64500, example.org, AT, energy, AT/energy, *
    role: str
    rank: int
    origin: str = "imported"
    source: str = ""
    as_of: str = ""  # ISO date of the source
    valid_from: str | None = None
    valid_to: str | None = None  # ISO date, the first day on which it no longer holds
    confidence: str = "medium"
    since: str | None = None  # ISO date on which we first recorded these words of this source


@dataclass(frozen=True, slots=True)
class Reception:
    """What a team takes, how, and what it promises; None: nobody says."""

    accepts_private: bool | None = None  # from private persons
    accepts_abroad: bool | None = None
    line: str | None = None
    encryption_required: bool | None = None
    accepts_samples: bool | None = None
    samples_how: str | None = None
    size_limit: int | None = None  # bytes of one message
    tlp: tuple[str, ...] = ()  # labels it honours
    intake: tuple[str, ...] = ()  # of INTAKE
    promise: Mapping[str, str] = field(default_factory=dict)  # ISO 8601 by PROMISES


def reception(profile: Mapping[str, Any]) -> Reception:
    """What a team's profile (facts by field) says of its reception; `encryption` is required or is not."""
    said = {name: profile[name] for name in Reception.__slots__ if profile.get(name) is not None}
    intake = list(said.get("intake", ()))
    if said.get("encryption_required") and "encryption" not in intake:
        intake.append("encryption")
    return Reception(**said | {"intake": tuple(intake), "tlp": tuple(said.get("tlp", ()))})


@dataclass(frozen=True, slots=True)
class Team:
    """A CERT, CSIRT, PSIRT, abuse desk or national PoC."""

    slug: str
    name: str
    short_name: str | None
    kind: str
    country: str | None
    website: str | None = None
    languages: tuple[str, ...] = ()
    timezone: str | None = None
    host_kind: str | None = None  # who hosts it: independent, ministry, regulator, police, intelligence, ...
    opt_outs: tuple[str, ...] = ()  # kinds of report that it does not take: CLASS or CLASS/TYPE
    parent: str | None = None  # the slug of the team above it
    business_hours: str | None = None
    reception: Reception = Reception()
    channels: tuple[Channel, ...] = ()
    responsibilities: tuple[Responsibility, ...] = ()


@dataclass(frozen=True, slots=True)
class Directory:
    """One immutable version of the directory."""

    version: str
    teams: tuple[Team, ...]
    merged: Mapping[str, tuple[str, tuple[str, ...]]] = field(
        default_factory=dict
    )  # old slug -> slug, old names


Row = TypeVar("Row")
# ("fact", slug, field), ("channel", slug, kind, value, purpose), ("responsibility", slug, key, value, role)
Key = tuple[str, ...]


def audiences(roles: Iterable[str]) -> frozenset[str]:
    """Which channels somebody with these roles may see: anybody public ones, who works here more."""
    held = frozenset(roles)
    if "steward" in held:
        return frozenset(AUDIENCES)
    return frozenset({"public", "members"}) if held & MEMBERS else frozenset({"public"})


def precedence(
    origin: str, confidence: str, source_kind: str | None, as_of: str, source: str
) -> tuple[Any, ...]:
    """Sorts statements on one thing, the one in force first.

    Manual before imported; then by confidence, by the kind of source (SOURCE_KINDS, best first), the newer,
    and by name, so that the order never depends on when a row was written.
    """
    return (
        origin != "manual",
        CONFIDENCES.index(confidence),
        SOURCE_KINDS.index(source_kind) if source_kind in SOURCE_KINDS else len(SOURCE_KINDS),
        -int(as_of.replace("-", "").ljust(8, "0") or 0),
        source,
    )


def in_force(
    rows: Iterable[Row],
    identity: Callable[[Row], Any],
    order: Callable[[Row], tuple[Any, ...]],
) -> dict[Any, Row]:
    """The row in force of each thing, what is said first: a manual row overrides imported ones of the same key only."""
    first: dict[Any, Row] = {}
    for row in rows:
        key = identity(row)
        known = first.get(key)
        if known is None or order(row) < order(known):
            first[key] = row
    return first


def facts_in_force(
    rows: Sequence[Row], order: Callable[[Row], tuple[Any, ...]], teller: Callable[[Row], tuple[str, str]]
) -> dict[str, Row]:
    """The row in force of each field, what is said first; `teller` gives (source, origin) of a row with its `field`.

    What qualifies another fact (QUALIFIES) is never paired with another source's: who declares that a team is
    hosted by a ministry says nothing of the police.
    """
    first: dict[str, Row] = in_force(rows, _field, order)
    for name, of in QUALIFIES.items():
        if first.pop(name, None) is None or of not in first:
            continue
        beside = teller(first[of])
        may = [
            row
            for row in rows
            if _field(row) == name and (teller(row) == beside or teller(row)[1] == "manual")
        ]
        first |= in_force(may, _field, order)
    return first


def _field(row: Any) -> str:
    return str(row.field)


def circle(parents: Mapping[str, str], start: str) -> list[str]:
    """The teams met going up from `start` when it leads back to a team met before; empty when it ends."""
    met = [start]
    while (above := parents.get(met[-1])) is not None:
        if above in met:
            return [*met, above]
        met.append(above)
    return []


@dataclass(frozen=True, slots=True)
class Statement:
    """What one source says in one row, beside its key."""

    values: Mapping[str, Any]
    as_of: str = ""
    confidence: str = "medium"

    def text(self) -> str:
        """The statement as a text, equal for equal words: values that are lists have no hash."""
        return repr((self.values, self.as_of, self.confidence))


@dataclass(frozen=True, slots=True)
class Diff:
    """The change from what a source said last to what it says now."""

    added: Mapping[Key, Statement] = field(default_factory=dict)
    changed: Mapping[Key, tuple[Statement, Statement]] = field(default_factory=dict)
    removed: Mapping[Key, Statement] = field(default_factory=dict)
    redated: Mapping[Key, Statement] = field(default_factory=dict)  # the same words under a newer date

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed or self.redated)


def diff(before: Mapping[Key, Statement], after: Mapping[Key, Statement]) -> Diff:
    """What has to happen so that `before` becomes `after`."""
    added: dict[Key, Statement] = {}
    changed: dict[Key, tuple[Statement, Statement]] = {}
    redated: dict[Key, Statement] = {}
    for key, now in after.items():
        then = before.get(key)
        if then is None:
            added[key] = now
        elif _words(then) != _words(now):
            changed[key] = (then, now)
        elif then.as_of != now.as_of:
            redated[key] = now
    return Diff(added, changed, {key: then for key, then in before.items() if key not in after}, redated)


def edited(
    ours: Mapping[Key, Statement], others: Mapping[Key, Statement], wanted: Mapping[Key, Statement]
) -> Diff:
    """What changes in a steward's own rows so that `wanted` is in force over what `others` say.

    What others say in the same words is not said again, and nothing is withdrawn that nobody says.
    """
    after = dict(ours)
    for key, statement in wanted.items():
        beneath = others.get(key)
        if (beneath is None and says_nothing(statement)) or (
            beneath is not None and beneath.values == statement.values
        ):
            after.pop(key, None)
        elif key not in ours or ours[key].values != statement.values:
            after[key] = statement
    return diff(ours, after)


def says_nothing(statement: Statement) -> bool:
    """Whether it only takes away what others say: a row withdrawn, a fact that is none."""
    return bool(statement.values.get("withdrawn")) or statement.values.get("value", True) in (None, [])


def _words(statement: Statement) -> tuple[Mapping[str, Any], str]:
    return statement.values, statement.confidence
