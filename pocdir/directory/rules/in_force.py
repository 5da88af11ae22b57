"""What is in force of a team, and what of that a change would take from what the team has confirmed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from pocdir.directory.rules import record as rules
from pocdir.directory.rules.approval import NATIONAL
from pocdir.directory.rules.record import Key, Statement

Value = tuple[str, str]  # kind and value of an address
# Who sees which audiences: everybody, people who work here, stewards.
VIEWS = (
    frozenset({"public"}),
    frozenset({"public", "members"}),
    frozenset(rules.AUDIENCES),
)


class Row(Protocol):
    """One statement on a team, with what decides whether it is in force."""

    @property
    def key(self) -> Key: ...
    @property
    def statement(self) -> Statement: ...
    @property
    def origin(self) -> str: ...
    @property
    def entry(self) -> str: ...  # the slug of the entry that it is said of
    def order(self) -> tuple[object, ...]: ...


@dataclass(frozen=True, slots=True)
class Place:
    """A channel in force, and where it stands among the others of its purpose."""

    address: Value
    purpose: str
    preference: int
    audience: str
    fingerprint: str | None
    origin: str

    def order(self) -> tuple[int, int, int, str]:
        """Sorts the places of one purpose, those of one preference by what does not change with the day."""
        origin, kind = rules.ORIGINS.index(self.origin), rules.CHANNEL_KINDS.index(self.address[0])
        return self.preference, origin, kind, self.address[1]

    def may_precede(self, other: Place) -> bool:
        """Whether it may be tried before the other one: of one preference either may, as their states move."""
        return self.preference <= other.preference


@dataclass(frozen=True, slots=True)
class InForce:
    """What decides where mail to a team goes.

    `kind` is national where one of the team's entries is; None where nobody names the team any more.
    """

    kind: str | None
    places: tuple[Place, ...]

    def served(self, purpose: str, audiences: AbstractSet[str]) -> dict[Value, Place]:
        """Who is tried for a purpose, the first one first: where the team names none for it, its general ones."""
        seen = [place for place in self.places if place.audience in audiences]
        found = [it for it in seen if it.purpose == purpose] or [it for it in seen if it.purpose == "general"]
        return {place.address: place for place in sorted(found, key=Place.order)}


def in_force_of(rows: Iterable[Row]) -> InForce:
    """What is in force of one team, from every statement on it and on the entries that are part of it."""
    told = [row for row in rows if row.key[0] == "channel" or row.key[0] == "fact"]
    first = rules.in_force(told, lambda row: (row.key[0], *row.key[2:]), lambda row: row.order())
    kind = first.get(("fact", "kind"))
    is_named = any(what == "fact" for what, *_ in first)
    missing = "other" if is_named else None
    stands = kind.statement.values["value"] or missing if kind is not None else missing
    return InForce(
        NATIONAL if _is_national(told) else stands,
        tuple(_place(row) for of, row in first.items() if of[0] == "channel" and _stands(row)),
    )


def _is_national(rows: Iterable[Row]) -> bool:
    kinds = [row for row in rows if row.key[0] == "fact" and row.key[2] == "kind"]
    of_entries = rules.in_force(kinds, lambda row: row.entry, lambda row: row.order())
    return any(row.statement.values["value"] == NATIONAL for row in of_entries.values())


def _stands(row: Row) -> bool:
    return not row.statement.values.get("withdrawn")


def _place(row: Row) -> Place:
    words = row.statement.values
    _, _, kind, value, purpose = row.key
    return Place(
        (kind, value),
        purpose,
        words.get("preference", 1),
        words.get("audience", "public"),
        words.get("openpgp_fingerprint"),
        row.origin,
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """A team that has confirmed something, before and after a change; `slug` is that of an entry that changes."""

    slug: str
    before: InForce
    after: InForce
    confirmed: frozenset[Value]  # that the team itself confirmed
    pinned: Mapping[Value, str]  # the fingerprint of the key that is pinned for an address


Loss = tuple[str, Mapping[str, str]]  # a code of doubts.py, and its values


def losses(entry: Entry) -> list[Loss]:
    """What the change would take from what the team has confirmed, each thing once; empty when it may be made.

    Addresses that it confirmed stay, for the purposes and readers that they have, in their order, and nobody else's
    comes before one of them; where none was named for a purpose, none that it has not confirmed comes in. Their keys
    stay, and those that are pinned; and a national team stays national.
    """
    found: dict[tuple[str, str], Loss] = {}
    for code, values in (*_addresses(entry), *_keys(entry), *_kind(entry)):
        found.setdefault((code, values.get("value", "")), (code, values))
    return [*found.values()]


def _addresses(entry: Entry) -> Iterator[Loss]:
    for purpose in rules.PURPOSES:
        for audiences in VIEWS:
            before = entry.before.served(purpose, audiences)
            after = entry.after.served(purpose, audiences)
            yield from _left_out(before, after, entry, purpose)
            for address in _newly_first(before, after, entry.confirmed):
                yield "displaced", {"value": address[1]}
            if not before and entry.confirmed:
                for address in _unconfirmed_first(after, entry.confirmed):
                    yield "purpose", {"value": address[1], "purpose": purpose}


def _left_out(
    before: Mapping[Value, Place], after: Mapping[Value, Place], entry: Entry, purpose: str
) -> Iterator[Loss]:
    """Confirmed addresses that are tried no more; one that stood in for a purpose gives way to confirmed ones only."""
    left = {place.address for place in entry.after.places}
    for address, place in before.items():
        if address not in entry.confirmed or address in after:
            continue
        if place.purpose == purpose:
            yield "changes" if address in left else "vanishes", {"value": address[1]}
            continue
        for other in after:
            if other not in entry.confirmed:
                yield "displaced", {"value": other[1]}


def _newly_first(
    before: Mapping[Value, Place], after: Mapping[Value, Place], confirmed: AbstractSet[Value]
) -> list[Value]:
    """The addresses that come before a confirmed one and did not."""
    found = []
    for address in (it for it in before if it in confirmed and it in after):
        for other in (it for it in after if it != address):
            if _precedes(other, address, after, confirmed) and not (
                other in before and _precedes(other, address, before, confirmed)
            ):
                found.append(other)
    return found


def _precedes(one: Value, other: Value, places: Mapping[Value, Place], confirmed: AbstractSet[Value]) -> bool:
    if one in confirmed:
        return places[one].order() < places[other].order()
    return places[one].may_precede(places[other])


def _unconfirmed_first(after: Mapping[Value, Place], confirmed: AbstractSet[Value]) -> list[Value]:
    firm = [place for address, place in after.items() if address in confirmed]
    return [
        address
        for address, place in after.items()
        if address not in confirmed and (not firm or any(place.may_precede(it) for it in firm))
    ]


def _keys(entry: Entry) -> Iterator[Loss]:
    """Beside a confirmed address, or one whose key is pinned, the key that stands stays."""
    then, now = _fingerprints(entry.before.places), _fingerprints(entry.after.places)
    for address in sorted(entry.confirmed | set(entry.pinned)):
        if address not in {place.address for place in entry.after.places}:
            continue
        before, after = then.get(address, set()), now.get(address, set())
        stands = {entry.pinned[address]} if address in entry.pinned else before
        if stands and after != before and not (after and after <= stands):
            yield "key", {"value": address[1]}


def _fingerprints(places: Sequence[Place]) -> dict[Value, set[str]]:
    found: dict[Value, set[str]] = {}
    for place in places:
        if place.fingerprint:
            found.setdefault(place.address, set()).add(place.fingerprint)
    return found


def _kind(entry: Entry) -> Iterator[Loss]:
    """The kind decides how many stewards look at an address: nobody takes it away unseen."""
    if entry.before.kind == NATIONAL and entry.after.kind not in (NATIONAL, None):
        yield "kind", {}
