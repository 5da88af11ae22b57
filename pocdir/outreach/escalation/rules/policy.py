"""A policy: the steps of a path, and when each falls due."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import isodate

from pocdir.core.canonical import canonical_json
from pocdir.core.errors import Invalid
from pocdir.core.times import duration
from pocdir.ledger.rules.vocabulary import CONTENTS, TARGETS
from pocdir.outreach.escalation.rules.calendar import Calendar

CLOCKS = ("elapsed", "working")
MOST_STEPS, MOST_REPEATS = 12, 5
SHORTEST_DAY = 60  # minutes: else a long wait never ends
LONGEST = {"elapsed": dt.timedelta(days=365), "working": dt.timedelta(hours=500)}
NOTHING = dt.timedelta(0)


@dataclass(frozen=True, slots=True)
class Wait:
    """How long: elapsed, or in working hours of whom the notification went to."""

    length: dt.timedelta
    clock: str = "elapsed"

    def end(self, start: dt.datetime, calendar: Calendar) -> dt.datetime:
        """When it is over; never before it began."""
        return calendar.after(start, self.length) if self.clock == "working" else start + self.length


@dataclass(frozen=True, slots=True)
class Step:
    """One step as its author wrote it; `number` counts from 1, repeats count once."""

    number: int
    wait: Wait
    target: str
    content: str
    approval: bool
    repeat: int


@dataclass(frozen=True, slots=True)
class Policy:
    """Steps in their order; `levels` has each as often as it is repeated, level 1 first.

    `rest`: how long after the last step the path counts as walked to its end. `outcome_within`: how long after
    an answer the sender wants to be reminded that no outcome is recorded; None: never. `contact`: whom the
    reader of a letter can call.
    """

    name: str
    steps: tuple[Step, ...]
    rest: Wait
    hours: tuple[dt.time, dt.time]
    outcome_within: str | None = None
    contact: str | None = None

    @property
    def levels(self) -> tuple[Step, ...]:
        return tuple(step for step in self.steps for _ in range(step.repeat + 1))


def policy(given: Mapping[str, Any]) -> Policy:
    """A policy from what PolicySchema loads, or from `definition()` of one that is kept.

    Raises Invalid `policy_invalid`, with the place in `where`.
    """
    steps = given["steps"]
    if not 1 <= len(steps) <= MOST_STEPS:
        raise Invalid("policy_invalid", f"from 1 to {MOST_STEPS} steps are right", where="steps")
    opens, closes = (_time(text, "hours") for text in given["hours"])
    if closes.hour * 60 + closes.minute < opens.hour * 60 + opens.minute + SHORTEST_DAY:
        message = "the working day begins before it ends, by an hour at least"
        raise Invalid("policy_invalid", message, where="hours")
    within = given["outcome_within"]
    if within is not None:
        duration(within)
    return Policy(
        name=given["name"],
        steps=tuple(_step(number, step) for number, step in enumerate(steps, 1)),
        rest=Wait(_wait(given["rest"], "elapsed", "rest")),
        hours=(opens, closes),
        outcome_within=within,
        contact=given["contact"],
    )


def _step(number: int, given: Mapping[str, Any]) -> Step:
    where = f"steps.{number - 1}"
    for name, choices in (("clock", CLOCKS), ("target", TARGETS), ("content", CONTENTS)):
        if given[name] not in choices:
            raise Invalid("policy_invalid", f"one of {', '.join(choices)} is needed", where=f"{where}.{name}")
    if not 0 <= given["repeat"] <= MOST_REPEATS:
        raise Invalid("policy_invalid", f"from 0 to {MOST_REPEATS} repeats", where=f"{where}.repeat")
    return Step(
        number=number,
        wait=Wait(_wait(given["wait"], given["clock"], f"{where}.wait"), given["clock"]),
        target=given["target"],
        content=given["content"],
        approval=given["approval"],
        repeat=given["repeat"],
    )


def _wait(text: str, clock: str, where: str) -> dt.timedelta:
    """A length of time that may be none."""
    try:
        parsed = isodate.parse_duration(text.strip())
    except (isodate.ISO8601Error, ValueError, OverflowError, ArithmeticError):
        parsed = None
    if not isinstance(parsed, dt.timedelta) or parsed < NOTHING:
        message = f"{text[:40]!r} is no length of time; write P2D, PT8H or PT0S (no months or years)"
        raise Invalid("policy_invalid", message, where=where)
    if parsed > LONGEST[clock]:
        raise Invalid("policy_invalid", "at most a year, or 500 working hours", where=where)
    return parsed


def _time(text: str, where: str) -> dt.time:
    try:
        time = dt.time.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is not None:
        message = "a time of day such as 09:00 is needed, without a zone: it is the recipient's"
        raise Invalid("policy_invalid", message, where=where)
    return time


def definition(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a policy: every name, as it was written."""
    names = ("name", "contact", "hours", "outcome_within", "rest")
    step_names = ("wait", "clock", "target", "content", "approval", "repeat")
    steps = [{name: step[name] for name in step_names} for step in given["steps"]]
    return {name: given[name] for name in names} | {"steps": steps}


def digest(definition: Mapping[str, Any]) -> str:
    """What a version is known by: nobody changes it afterwards unseen."""
    return "sha256:" + hashlib.sha256(canonical_json(dict(definition))).hexdigest()


def slug_of(name: str) -> str:
    """`National first` is `national-first`; raises Invalid `policy_invalid` when no letter or digit is left."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:60].strip("-")
    if not slug:
        raise Invalid("policy_invalid", "a name with letters (a-z) or digits is right", where="name")
    return slug


@dataclass(frozen=True, slots=True)
class Due:
    """A step of the timetable: when it falls due if nothing is recorded until then."""

    level: int
    step: Step
    due_at: dt.datetime


def timetable(
    policy: Policy, start: dt.datetime, calendar: Calendar, *, not_before: dt.datetime | None = None
) -> tuple[Due, ...]:
    """When each step falls due, counted from `start`: the time for which the answer was asked for.

    The times never go back, and a wait in working hours ends within them. `not_before` is an embargo.
    """
    return tuple(_dues(policy.levels, start, calendar, not_before))


def _dues(
    levels: Sequence[Step], start: dt.datetime, calendar: Calendar, not_before: dt.datetime | None
) -> Iterator[Due]:
    at = start
    for level, step in enumerate(levels, 1):
        at = held(step.wait.end(at, calendar), not_before)
        yield Due(level, step, at)


def held(due_at: dt.datetime, not_before: dt.datetime | None) -> dt.datetime:
    """No step before the end of an embargo."""
    return due_at if not_before is None else max(due_at, not_before)
