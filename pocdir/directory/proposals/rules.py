"""What a proposal changes, item by item against what stands, and the link that calls it off."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from pocdir.core import tokens
from pocdir.core.canonical import canonical_json
from pocdir.core.errors import Gone, NotFound
from pocdir.directory.rules import approval
from pocdir.directory.rules.doubts import NATIONAL_ROLES

OPEN, APPLIED, REFUSED, WITHDRAWN, CANCELLED, SUPERSEDED, LAPSED = STATES = (
    "open",  # waits for stewards, or for its time
    "applied",  # what it asked for was entered
    "refused",  # by a steward, with a reason
    "withdrawn",  # by whoever proposed it
    "cancelled",  # through a link that went to an address on record
    "superseded",  # what it asked for stands already, by other ways
    "lapsed",  # nobody decided for a long time
)
TEAM, STEWARD = PROPOSERS = ("team", "steward")
# What a team says of itself, of which nobody else could know better: it takes effect at once.
OWN_WORDS = frozenset({"opt_outs", "intake", "promise"})
MOST_OPEN = 10  # of one team at a time
MOST_GUARDED = 1  # of these each goes to every address on record

PURPOSE = "proposal"
LINK_LASTS = dt.timedelta(days=90)
_PAYLOAD_BYTES = 16 + 4 + 4

# ("fact", field), ("channel", kind, value, purpose) or ("responsibility", key, value, role)
Identity = tuple[str, ...]
Pair = tuple[str, str]  # kind and value of an address
Words = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is to change; None before: nobody says it, None after: it is taken away."""

    of: Identity
    before: Words | None
    after: Words | None

    def as_dict(self) -> dict[str, Any]:
        """The change as the ledger and the pages have it: field, of, before, after."""
        kind, *rest = self.of
        field = rest.pop(0) if kind == "fact" else kind
        return {"field": field, "of": rest, "before": self.before, "after": self.after}


def items_of(changes: Iterable[Mapping[str, Any]]) -> list[Item]:
    """The items that `as_dict` wrote."""
    return [Item(_identity(it["field"], it["of"]), it["before"], it["after"]) for it in changes]


def _identity(field: str, rest: Sequence[str]) -> Identity:
    return (field, *rest) if field in ("channel", "responsibility") else ("fact", field)


def items(standing: Mapping[Identity, Words], wanted: Mapping[Identity, Words | None]) -> list[Item]:
    """What has to change so that `wanted` stands (None: no longer stands), in a fixed order."""
    return [
        Item(of, standing.get(of), after)
        for of, after in sorted(wanted.items(), key=lambda each: each[0])
        if standing.get(of) != after and not (of not in standing and _says_nothing(after))
    ]


def _says_nothing(words: Words | None) -> bool:
    return words is None or words.get("value", True) in (None, [])


def renewed(changes: Iterable[Item], standing: Mapping[Identity, Words]) -> list[Item]:
    """A proposal's changes against what stands now; those that are fulfilled are left out."""
    return items(standing, {item.of: item.after for item in changes})


def concerned(changes: Iterable[Item]) -> frozenset[str]:
    """What of the entry changes, in the words of the approval rule."""
    return frozenset().union(*(_concerned(item) for item in changes))


def _concerned(item: Item) -> frozenset[str]:
    if item.of == ("fact", "kind"):
        becomes = (item.after or {}).get("value")
        return frozenset({approval.NATION if becomes == approval.NATIONAL else approval.KIND})
    if item.of[0] == "fact":
        return frozenset({approval.OTHER})
    if item.of[0] != "channel":
        return frozenset({approval.OTHER})
    if item.before is None or item.after is None:
        return frozenset({approval.ADDRESS})
    changed = {name for name in item.after if item.after[name] != item.before.get(name)}
    # Which address comes first, and who may see it, decides where mail goes as the address itself does.
    address = {approval.ADDRESS} if changed & {"preference", "audience"} else set()
    key = {approval.KEY} if "openpgp_fingerprint" in changed else set()
    return frozenset(address | key or {approval.OTHER})


def codes(changes: Iterable[Item]) -> frozenset[str]:
    """The country codes for which somebody would answer as holder or national team, otherwise, or no longer."""
    return frozenset(item.of[2] for item in changes if _is_of_a_code(item))


def beside(changes: Iterable[Item], slug: str, firm: Mapping[str, AbstractSet[str]]) -> dict[str, str]:
    """The codes, by the teams that are `firm` there (by code), for which the team `slug` would answer beside them."""
    given = {item.of[2] for item in changes if _is_of_a_code(item) and item.after is not None}
    return {
        other: code
        for code in sorted(given)
        if slug not in firm.get(code, ())
        for other in firm.get(code, ())
    }


def ends(changes: Iterable[Item], slug: str, firm: Mapping[str, AbstractSet[str]]) -> bool:
    """Whether the team `slug` is firm itself and would answer for a code otherwise, or no longer."""
    touched = {item.of[2] for item in changes if _is_of_a_code(item) and item.before is not None}
    return any(slug in firm.get(code, ()) for code in touched)


def _is_of_a_code(item: Item) -> bool:
    return item.of[:2] == ("responsibility", "country") and item.of[3] in NATIONAL_ROLES


def is_own_words(changes: Iterable[Item]) -> bool:
    """Whether nothing changes but what the team publishes of itself: it needs nobody's approval."""
    return all(item.of[0] == "fact" and item.of[1] in OWN_WORDS for item in changes)


def cancel_token(secret: bytes, ref: str, *, address_id: int, address: Pair, expires: dt.datetime) -> str:
    """The token of a notice's link; `address` is (kind, value).

    It lives until it expires or the change is settled, whatever becomes of the address meanwhile: else whoever may take
    an address out of use could silence the objection that the link is for.
    """
    payload = (
        uuid.UUID(ref).bytes + int(expires.timestamp()).to_bytes(4, "big") + address_id.to_bytes(4, "big")
    )
    return tokens.sign(secret, PURPOSE, payload, _bound(address))


def claimed_by_token(token: str) -> tuple[str, int]:
    """(proposal, address) that a token names *before* it is checked; raises NotFound `link_unknown`."""
    payload = _payload(token)
    return str(uuid.UUID(bytes=payload[:16])), int.from_bytes(payload[20:], "big")


def check_token(secret: bytes, token: str, *, address: Pair, now: dt.datetime) -> None:
    """Raises NotFound `link_unknown` (forged), Gone `link_expired`."""
    payload = _payload(token)
    if not tokens.is_signed(secret, PURPOSE, token, _bound(address)):
        raise link_unknown()
    if now.timestamp() >= int.from_bytes(payload[16:20], "big"):
        raise Gone("link_expired", "this link has come to its end")


def link_unknown() -> NotFound:
    """One answer for whatever is not a link of ours."""
    return NotFound("link_unknown", "this link is not one of ours, or its contact has changed since")


def _payload(token: str) -> bytes:
    payload = tokens.payload_of(token)
    if payload is None or len(payload) != _PAYLOAD_BYTES:
        raise link_unknown()
    return payload


def _bound(address: Pair) -> str:
    return canonical_json(list(address)).decode()
