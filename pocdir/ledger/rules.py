"""Events as evidence: canonical form, salted commitments and the leaf that tells nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pocdir.core.canonical import b64, canonical_json, sha256
from pocdir.core.times import isoformat

PRECISIONS = ("exact", "minute", "day", "bounded")
CLAIMANTS = ("service", "sender", "recipient", "clock", "remote_mta", "steward", "team")
ASSURANCES = ("S", "A0", "A1", "A2", "A3", "A4", "A5")
SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Event:
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
    payload: Mapping[str, Any] = field(default_factory=dict)
    sealed: Mapping[str, Any] = field(default_factory=dict)
    evidence_digest: str | None = None
    idempotency_key: str | None = None
    log_index: int | None = None


def commitment(salt: bytes, value: Any) -> str:
    """SHA-256(salt || canonical JSON of the value), base64."""
    return b64(sha256(salt + canonical_json(value)))


def inner_event(event: Event, salts: Mapping[str, bytes]) -> dict[str, Any]:
    """What the leaf commits to: every sealed value stands as its commitment; `salts` has one per sealed name."""
    return {
        "id": event.id,
        "type": event.type,
        "v": event.v,
        "occurred_at": isoformat(event.occurred_at),
        "precision": event.precision,
        "recorded_at": isoformat(event.recorded_at),
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
    return canonical_json({"digest": b64(sha256(event_salt + inner)), "v": 1})
