"""What is known about teams, as frozen values: one version of the directory."""

from __future__ import annotations

from dataclasses import dataclass

TEAM_KINDS = (
    "national", "governmental", "sectoral", "academic", "provider", "vendor", "regional", "coordinator",
    "military", "other",
)  # fmt: skip
CHANNEL_KINDS = ("email", "phone", "form", "api", "signal", "matrix", "postal")
PURPOSES = ("incident", "vulnerability", "sample", "emergency", "general")
AUDIENCES = ("public", "members", "stewards")
ADDRESS_STATES = ("unverified", "verified", "due", "in-check", "unresponsive", "bouncing", "withdrawn")
DEAD_STATES = frozenset({"bouncing", "withdrawn"})
RESPONSIBILITY_KEYS = ("prefix", "asn", "domain", "country", "sector", "country+sector", "global")
ROLES = ("holder", "national", "sectoral", "coordinator", "cc")
ORIGINS = ("manual", "imported")
CONFIDENCES = ("high", "medium", "low")


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


@dataclass(frozen=True, slots=True)
class Responsibility:
    """What a team answers for, as one source says."""

    key: str
    value: str  # normalised: 203.0.113.0/24, 203.0.113.0-203.0.113.9, 64500, example.org, AT, energy, AT/energy, *
    role: str
    rank: int
    origin: str = "imported"
    source: str = ""
    as_of: str = ""  # ISO date of the source
    valid_from: str | None = None
    valid_to: str | None = None  # ISO date, the first day on which it no longer holds


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
    channels: tuple[Channel, ...] = ()
    responsibilities: tuple[Responsibility, ...] = ()


@dataclass(frozen=True, slots=True)
class Directory:
    """One immutable version of the directory."""

    version: str
    teams: tuple[Team, ...]
