"""What becomes of a team's OpenPGP key, and when its expiry is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from pocdir.core.errors import Invalid
from pocdir.directory.rules.record import Channel
from pocdir.mail.rules.openpgp import REASONS

PROPOSED, PINNED, REFUSED, RETIRED, EXPIRED = STATES = (
    "proposed",  # waits for a steward, or for the end of the delay
    "pinned",  # stands: shown, and used once the guard agrees
    "refused",
    "retired",  # replaced, withdrawn or revoked
    "expired",
)
OPEN = (PROPOSED, PINNED, EXPIRED)  # a copy of the same key is a refreshed one
NOTICE = "key_notice"  # the kind of letter
WARN_DAYS = (60, 30, 7)
_DAY = dt.timedelta(days=1)


def serves(named: Collection[str], emails: Collection[str], stated: str | None) -> list[str]:
    """Which of a team's mail addresses a key serves: those that it names itself, and the one that a person states.

    Raises Invalid `key_serves_nobody`, or `key_address_unknown` where the stated one is not the team's.
    """
    by_lower = {email.lower(): email for email in emails}
    if stated and stated.lower() not in by_lower:
        raise Invalid("key_address_unknown", "the team has no such mail address here", where="address")
    wanted = {*named, *([stated.lower()] if stated else [])}
    found = sorted(email for lower, email in by_lower.items() if lower in wanted)
    if not found:
        message = "it names no mail address of the team; say for which address it is"
        raise Invalid("key_serves_nobody", message, where="address")
    return found


def in_words(reasons: Iterable[str]) -> list[str]:
    """Reasons of the guard as sentences."""
    return [REASONS[reason] for reason in reasons]


def pinned_on(channels: Iterable[Channel], pinned: Mapping[str, str]) -> list[Channel]:
    """A team's channels, mail addresses with the fingerprint that is pinned for them ({address: fingerprint}).

    What a source says of a key that nobody has seen stays what it is: `openpgp_pinned` is not set.
    """
    return [
        replace(it, openpgp_fingerprint=pinned[it.value], openpgp_pinned=True)
        if it.kind == "email" and it.value in pinned
        else it
        for it in channels
    ]


def warning(expires_at: dt.datetime | None, now: dt.datetime) -> int | None:
    """The last threshold (days before the expiry) that was reached; None before the first and after the end."""
    if expires_at is None or not now < expires_at <= now + WARN_DAYS[0] * _DAY:
        return None
    return min(days for days in WARN_DAYS if expires_at <= now + days * _DAY)
