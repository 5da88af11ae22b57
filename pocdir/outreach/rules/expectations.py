"""Something due by a time: what is expected, when it falls due, and the fact that it did not come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pocdir.core.errors import Invalid
from pocdir.core.times import duration, isoformat
from pocdir.ledger.rules.vocabulary import EXPECTED


@dataclass(frozen=True, slots=True)
class Expected:
    """What the sender asks for, and within which length of time (ISO 8601)."""

    of: str
    within: str


# What a notification of each kind asks for when its sender says nothing, and within which time; None: the workspace's.
ASKED_BY_KIND: Mapping[str, tuple[str, str | None]] = {
    "report": ("acknowledgement", None),
    "follow_up": ("acknowledgement", None),
    "sample_request": ("sample", "PT24H"),
    "referral": ("acknowledgement", None),
    "ping": ("acknowledgement", None),
}
DEFAULT = (Expected("acknowledgement", "P2D"),)


@dataclass(frozen=True, slots=True)
class ExpectationState:
    """One expectation as its events leave it; its id is that of its `expectation.set`.

    `state`: running, lapsed (it fell due, nothing was recorded), escalated (a next step was taken since),
    exhausted (no step is left), paused, stopped (it came, or is asked for no longer). `lapsed_at` is the
    first lapse and stays for good: it was known then, also when an answer of an earlier date arrives later.
    """

    id: str
    of: str
    within: str
    level: int
    due_at: dt.datetime
    state: str
    lapsed_at: dt.datetime | None
    stopped_at: dt.datetime | None


def default_for(kind: str, within: str) -> tuple[Expected, ...]:
    """What a kind of notification asks for by itself; `within` is the workspace's own time for an answer."""
    of, own = ASKED_BY_KIND[kind]
    return (Expected(of, own or within),)


def main_of(kind: str, within: str) -> tuple[Expected, ...]:
    """What a kind of notification asks for, within a time that its sender names."""
    return (Expected(ASKED_BY_KIND[kind][0], within),)


def expected(
    asked: Sequence[Expected] | None, *, answer_asked: bool, default: Sequence[Expected] = DEFAULT
) -> tuple[Expected, ...]:
    """What a new notification expects: what was asked for, else its kind's default.

    A notification for information has no acknowledgement clock, and none that its sender did not ask for. Raises
    Invalid `expectation_invalid` when it asks for one, for the same twice, or for something unknown, and
    Invalid `duration_invalid`.
    """
    if asked is None:
        return tuple(default) if answer_asked else ()
    for index, each in enumerate(asked):
        where = f"expect.{index}"
        if each.of not in EXPECTED:
            raise Invalid(
                "expectation_invalid", f"one of {', '.join(EXPECTED)} is needed", where=f"{where}.of"
            )
        if each.of == "acknowledgement" and not answer_asked:
            raise Invalid(
                "expectation_invalid",
                "what is for information asks for no acknowledgement",
                where=f"{where}.of",
            )
        if each.of in {earlier.of for earlier in asked[:index]}:
            raise Invalid("expectation_invalid", f"{each.of} is asked for twice", where=f"{where}.of")
        duration(each.within)
    return tuple(asked)


def due_at(start: dt.datetime, within: str) -> dt.datetime:
    """The clock's start plus the time given; a due time in the past is valid."""
    return start + duration(within)


def due_lapses(expectations: Iterable[ExpectationState], now: dt.datetime) -> tuple[ExpectationState, ...]:
    """The running ones whose time has passed, the earliest first."""
    due = (each for each in expectations if each.state == "running" and each.due_at <= now)
    return tuple(sorted(due, key=lambda each: (each.due_at, each.id)))


def lapse_payload(expectation: ExpectationState, *, sent_level: str) -> dict[str, Any]:
    """The payload of its `expectation.lapsed`, which occurred at `due_at` whenever it is written down."""
    return {
        "expectation": expectation.id,
        "of": expectation.of,
        "due_at": isoformat(expectation.due_at),
        "level": expectation.level,
        "sent_level": sent_level,
    }


def lapse_key(notification: str, policy_version: str, level: int, of: str, due: dt.datetime) -> str:
    """The idempotency key of a lapse: a worker that runs twice, or late, writes it once."""
    return f"lapse:{notification}:{policy_version}:{level}:{of}:{isoformat(due)}"
