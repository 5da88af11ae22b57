"""The whole ledger, recomputed from what is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Row

from pocdir.core.canonical import b64
from pocdir.db import snapshot
from pocdir.incidents import queries as incidents
from pocdir.ledger import queries
from pocdir.ledger.rules.events import Event, committed, faults, leaf_hash
from pocdir.outreach.queries import projections

BATCH = 500
_FIELDS = (
    "id", "type", "v", "occurred_at", "precision", "recorded_at", "notification", "incident", "team", "actor",
    "claimed_by", "assurance", "evidence_digest", "payload",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verification:
    """What stands in the ledger and what does not fit together.

    `head` is SHA-256 over the RFC 9162 hashes of all leaves in the order of the events' ids: two ledgers with the
    same head hold the same events.
    """

    events: int
    erased: int
    head: str
    faults: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "events": self.events,
            "erased_values": self.erased,
            "head": self.head,
            "faults": list(self.faults),
        }


def verified() -> Verification:
    """Every event, value, trigger and projection checked at one moment of the database."""
    with snapshot():
        return verification()


def verification() -> Verification:
    """The same inside the caller's transaction."""
    found, erased, redacted = [], [], set()
    digest, count = hashlib.sha256(), 0
    for row, values in _stored():
        count += 1
        digest.update(leaf_hash(row.leaf))
        event = Event(**{name: getattr(row, name) for name in _FIELDS})
        said = faults(event, salt=row.salt, inner=row.inner, leaf=row.leaf, values=values)
        found += [f"event {row.id}: {fault}" for fault in said]
        if not said:
            erased += [(row.id, name) for name in committed(row.inner) if name not in values]
        if row.type == "event.redacted":
            redacted.add(row.payload["event"])
    found += [
        f"event {event}: the value {name!r} is gone, and no event.redacted says why"
        for event, name in erased
        if event not in redacted
    ]
    found += [f"trigger {name}: missing or disabled" for name in queries.missing_guards()]
    found += [*incidents.differences(), *projections.differences()]
    return Verification(count, len(erased), f"sha256:{digest.hexdigest()}", tuple(found))


def head() -> tuple[int, str]:
    """How many events there are, and the head over their leaves alone."""
    digest, count = hashlib.sha256(), 0
    for leaf in queries.leaves():
        digest.update(leaf_hash(leaf))
        count += 1
    return count, f"sha256:{digest.hexdigest()}"


def exported() -> Iterator[dict[str, str]]:
    """The leaves as the public log will serve them, in the order of the events' ids."""
    with snapshot():
        for leaf in queries.leaves():
            yield {"leaf": b64(leaf)}


def _stored() -> Iterator[tuple[Row[Any], dict[str, tuple[bytes, Any]]]]:
    rows = queries.stored(BATCH)
    while batch := list(islice(rows, BATCH)):
        values = queries.values_of(row.id for row in batch)
        for row in batch:
            yield row, values.get(row.id, {})
