"""Events as evidence: canonical form, salted commitments and the leaf that tells nothing."""

from __future__ import annotations

import datetime as dt
import hmac
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from pocdir.core.canonical import b64, canonical_json, sha256
from pocdir.core.times import isoformat

PRECISIONS = ("exact", "minute", "day", "bounded")
CLAIMANTS = ("service", "sender", "recipient", "clock", "remote_mta", "steward", "team")
ASSURANCES = ("S", "A0", "A1", "A2", "A3", "A4", "A5")
SALT_BYTES = 16
CLOCK_SKEW = dt.timedelta(minutes=5)  # by which the clocks of two honest parties may differ
EVIDENCE = "evidence_digest"  # the sealed value that holds the digest as it was sent; the event has it keyed
# What the triggers of each table refuse; on PostgreSQL TRUNCATE besides.
GUARDED = {"events": ("update", "delete"), "event_values": ("update",)}


_NOTHING: Mapping[str, Any] = {}


class Event(NamedTuple):
    """An immutable fact: what happened (`occurred_at`), and since when we know it (`recorded_at`).

    `payload` is for everybody who may see the event; `sealed` holds the personal or TLP-bound values, which the
    ledger keeps as commitments only.
    """

    id: str
    type: str
    occurred_at: dt.datetime
    recorded_at: dt.datetime
    claimed_by: str
    actor: str
    v: int = 1
    precision: str = "exact"
    assurance: str | None = None
    notification: str | None = None
    incident: str | None = None
    team: str | None = None
    payload: Mapping[str, Any] = _NOTHING
    sealed: Mapping[str, Any] = _NOTHING
    evidence_digest: str | None = None
    idempotency_key: str | None = None
    log_index: int | None = None


def commitment(salt: bytes, value: Any) -> str:
    """SHA-256(salt || canonical JSON of the value), base64."""
    return b64(sha256(salt + canonical_json(value)))


def keyed_digest(event_salt: bytes, digest: str) -> str:
    """What is kept of a digest of content: HMAC-SHA-256 of its text under the event's salt.

    Nobody guesses short content from it without the salt, nor sees that two events speak of the same content.
    """
    return "hmac-sha256:" + hmac.digest(event_salt, digest.encode(), "sha256").hex()


def inner_event(event: Event, salts: Mapping[str, bytes]) -> dict[str, Any]:
    """What the leaf commits to: every sealed value stands as its commitment; `salts` has one per sealed name."""
    recorded_at = isoformat(event.recorded_at)
    at_once = event.occurred_at is event.recorded_at
    return {
        "id": event.id,
        "type": event.type,
        "v": event.v,
        "occurred_at": recorded_at if at_once else isoformat(event.occurred_at),
        "precision": event.precision,
        "recorded_at": recorded_at,
        "notification": event.notification,
        "incident": event.incident,
        "team": event.team,
        "actor": event.actor,
        "claimed_by": event.claimed_by,
        "assurance": event.assurance,
        "evidence_digest": event.evidence_digest,
        "payload": dict(event.payload),
        "sealed": {name: commitment(salts[name], value) for name, value in event.sealed.items()},
    }


def leaf_data(event_salt: bytes, inner: bytes) -> bytes:
    """The outer leaf, the only thing the public log serves: a salted digest of the inner event."""
    return f'{{"digest":"{b64(sha256(event_salt + inner))}","v":1}}'.encode()  # in canonical form


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of a leaf (RFC 9162, section 2.1.1)."""
    return sha256(b"\0" + leaf)


def committed(inner: bytes) -> dict[str, str]:
    """The commitments that a stored inner event makes, by name; raises ValueError when it cannot be read."""
    try:
        sealed = json.loads(inner)["sealed"]
        return {str(name): str(value) for name, value in sealed.items()}
    except (KeyError, TypeError, AttributeError):
        raise ValueError("no inner event") from None


def faults(
    event: Event, *, salt: bytes, inner: bytes, leaf: bytes, values: Mapping[str, tuple[bytes, Any]]
) -> list[str]:
    """What does not fit together in a stored event: its columns, its kept values (salt, value), inner, leaf.

    A value that was erased is taken at its commitment; whether it might be erased is not judged here.
    """
    found = []
    try:
        said = json.loads(inner)
        sealed = committed(inner)
    except ValueError:
        return ["its inner event cannot be read"]
    sealed |= {name: commitment(value_salt, value) for name, (value_salt, value) in values.items()}
    stands = inner_event(event._replace(sealed={}), {}) | {"sealed": sealed}
    if canonical_json(stands) != inner:
        fields = [name for name in stands if stands[name] != said.get(name)]
        found.append(f"differs from what it committed to in {', '.join(fields) or 'its form'}")
    if leaf_data(salt, inner) != leaf:
        found.append("its leaf is not that of its inner event")
    return found
