"""The path of one notification: what its events and its policy say together about the next step."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from pocdir.core.times import moment
from pocdir.ledger.rules.events import Event
from pocdir.outreach.escalation.rules.calendar import Calendar
from pocdir.outreach.escalation.rules.policy import NOTHING, Policy, Step, Wait, held
from pocdir.outreach.rules.corrections import counting
from pocdir.outreach.rules.fold import State

CLIMBING = frozenset({"acknowledgement", "answer", "sample"})  # what is asked of a person, not of the world
NO_TARGET = ("no_contact", "opted_out")
STATES = ("none", "ahead", "due", "paused", "answered", "withdrawn", "exhausted")


@dataclass(frozen=True, slots=True)
class Rung:
    """A level of the path: `ahead`, `due`, `taken`, `skipped`, or `passed` (a later one was decided on)."""

    level: int
    step: Step
    due_at: dt.datetime
    state: str
    recorded: bool = False  # its step_due stands in the ledger
    decided_at: dt.datetime | None = None
    reason: str | None = None  # why it was skipped
    approved: bool = False  # an owner of the workspace has agreed to it


@dataclass(frozen=True, slots=True)
class Path:
    """Where a notification stands on its policy's path.

    state
        `none` (nothing is asked for any more), `ahead` (the next step is still to come), `due` (one is
        suggested, nobody has decided), `paused`, `answered` (for good), `withdrawn`, `exhausted`.
    look_at
        when the next thing is to be written down: a step that falls due, or the end of the path; None: nothing.
    """

    state: str
    rungs: tuple[Rung, ...] = ()
    look_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None

    @property
    def open(self) -> tuple[Rung, ...]:
        """The steps that a person may decide on: those due (to the end of the path and after it), and the next one."""
        if self.state not in ("ahead", "due", "exhausted"):
            return ()
        due = [rung for rung in self.rungs if rung.state == "due"]
        ahead = [rung for rung in self.rungs if rung.state == "ahead"]
        return (*due, *ahead[:1])

    @property
    def next(self) -> Rung | None:
        return self.open[0] if self.open else None


@dataclass(frozen=True, slots=True)
class Followed:
    """What became of the messages that steps sent out: an answer ends the path; one that came back, or that its reader
    says is not for it, skips the wait."""

    answered_at: dt.datetime | None = None
    failed: Mapping[int, dt.datetime] = field(default_factory=dict)  # by level


NOT_FOLLOWED = Followed()
NOTHING_FORESEEN: Mapping[int, str] = MappingProxyType({})


def path_of(
    policy: Policy,
    ref: str,
    events: Sequence[Event],
    state: State,
    *,
    calendar: Calendar,
    now: dt.datetime,
    not_before: dt.datetime | None = None,
    followed: Followed = NOT_FOLLOWED,
    nobody: Mapping[int, str] = NOTHING_FORESEEN,
) -> Path:
    """The path under this policy (`ref` is its version's), the same for any order of arrival of the events.

    A step's wait is counted from the time for which the answer was asked for, then from the step before: from
    when a person took it, else from when it fell due; nothing falls due before the policy was chosen. Who skips a
    step before the next one fell due skips the wait after it; so do a message that came back, and a step for which
    nobody was found. `nobody`: the levels for which nobody would be found, as the directory stands, and why (one of
    NO_TARGET); the path is then the one that follows when their time comes.
    """
    order = counting(events)
    own = [event for event in order if _is_of(event, ref)]
    begins = _begin(state)
    for event in own:
        if event.type == "escalation.set":
            not_before = held(event.occurred_at, not_before)
    rungs, ends_at = _rungs(
        _Walk(policy, calendar, now, not_before, order, own, followed, _failed_at(order, state), nobody),
        begins,
    )
    word = _ended(own, state, followed) or _stands(order, state, rungs, begins)
    if word not in ("ahead", "due"):
        return Path(word, rungs if word != "none" else (), None, ends_at)
    waits = (rung.due_at for rung in rungs if rung.state in ("ahead", "due") and not rung.recorded)
    return Path(word, rungs, min(waits, default=ends_at), ends_at)


@dataclass(frozen=True, slots=True)
class _Begin:
    at: dt.datetime
    at_once: bool  # there is nothing to wait for


@dataclass(frozen=True, slots=True)
class _Walk:
    policy: Policy
    calendar: Calendar
    now: dt.datetime
    not_before: dt.datetime | None
    order: Sequence[Event]
    own: Sequence[Event]
    followed: Followed
    failed_at: dt.datetime | None
    nobody: Mapping[int, str]

    def due(self, base: _Begin, wait: Wait) -> dt.datetime:
        """When a wait that begins there is over, the time of pauses added."""
        due_at = base.at if base.at_once else wait.end(base.at, self.calendar)
        for begins, ends in _pauses(self.order):
            if begins < due_at and ends > base.at:
                due_at += ends - max(begins, base.at)
                if wait.clock == "working":
                    due_at = self.calendar.after(due_at, NOTHING)
        return held(due_at, self.not_before)


def embargo(events: Sequence[Event]) -> dt.datetime | None:
    """Before when no step was to be, as was said when the policy that is followed last was chosen."""
    chosen = [event for event in events if event.type == "escalation.set"]
    said = max(chosen, key=lambda event: event.id).payload.get("not_before") if chosen else None
    return moment(said) if said else None


def _is_of(event: Event, ref: str) -> bool:
    return event.type.startswith("escalation.") and event.payload.get("policy") == ref


def _begin(state: State) -> _Begin | None:
    """When the path begins: at the time for which an answer was asked for."""
    asked = (each.due_at for each in state.expectations if each.of in CLIMBING and each.state != "stopped")
    first = min(asked, default=None)
    return _Begin(first, at_once=False) if first is not None else None


def _failed_at(order: Sequence[Event], state: State) -> dt.datetime | None:
    """When nothing had arrived for good: then there is nothing to wait for."""
    if state.transport != "failed":
        return None
    return min((event.occurred_at for event in order if event.type == "delivery.failed"), default=None)


def _rungs(walk: _Walk, begins: _Begin | None) -> tuple[tuple[Rung, ...], dt.datetime | None]:
    """Every level, and when the path ends; without a beginning those that were recorded while it had one."""
    base = begins
    rungs: list[Rung] = []
    taken_at: dt.datetime | None = None
    for level, step in enumerate(walk.policy.levels, 1):
        due_at = walk.due(base or _Begin(walk.now, True), step.wait)
        recorded = _first(walk.own, "escalation.step_due", level)
        if recorded and taken_at and recorded.occurred_at <= taken_at:
            # It fell due before an earlier step was taken, and now waits for the answer to that one.
            recorded = _first(walk.own, "escalation.step_due", level, since=due_at)
        if base is None and recorded is None:
            continue
        due_at = recorded.occurred_at if recorded else due_at
        if recorded is None and level == 1 and walk.failed_at is not None:
            due_at = held(min(due_at, walk.failed_at), walk.not_before)
        rung = _rung(walk, level, step, due_at, recorded is not None)
        rungs.append(rung)
        taken_at = rung.decided_at if rung.state == "taken" else taken_at
        base = _after(walk, rung) if base else None
    decided = [rung.level for rung in rungs if rung.state in ("taken", "skipped")]
    last = max(decided, default=0)
    shown = tuple(_passed(rung) if rung.level < last else rung for rung in rungs)
    return shown, walk.due(base, walk.policy.rest) if base else None


def _rung(walk: _Walk, level: int, step: Step, due_at: dt.datetime, recorded: bool) -> Rung:
    for type_, state in (("escalation.step_taken", "taken"), ("escalation.step_skipped", "skipped")):
        event = _first(walk.own, type_, level)
        if event is not None:
            at = event.occurred_at
            return Rung(level, step, min(due_at, at), state, recorded, at, event.payload.get("reason"))
    if level in walk.nobody:
        return Rung(level, step, due_at, "skipped", recorded, due_at, walk.nobody[level])
    approved = _first(walk.own, "escalation.step_approved", level) is not None
    state = "due" if recorded or due_at <= walk.now else "ahead"
    return Rung(level, step, due_at, state, recorded, approved=approved)


def _passed(rung: Rung) -> Rung:
    if rung.state in ("taken", "skipped"):
        return rung
    return Rung(rung.level, rung.step, rung.due_at, "passed", recorded=True)


def _after(walk: _Walk, rung: Rung) -> _Begin:
    """From where the wait of the next one counts."""
    if rung.reason in NO_TARGET:
        return _Begin(rung.due_at, at_once=True)
    levels = walk.policy.levels
    wait = levels[rung.level].wait if rung.level < len(levels) else walk.policy.rest
    base = _Begin(rung.due_at, at_once=False)
    following = walk.due(base, wait)
    failed = walk.followed.failed.get(rung.level)
    if rung.decided_at is not None and (rung.state == "taken" or rung.decided_at < following):
        base = _Begin(rung.decided_at, at_once=rung.state == "skipped")
        following = walk.due(base, wait)
    if failed is not None and rung.due_at <= failed < following:
        base = _Begin(failed, at_once=True)
    return base


def _first(own: Sequence[Event], type_: str, level: int, *, since: dt.datetime | None = None) -> Event | None:
    found = (e for e in own if e.type == type_ and e.payload.get("level") == level)
    return next((e for e in found if since is None or e.occurred_at >= since), None)


def _ended(own: Sequence[Event], state: State, followed: Followed) -> str | None:
    if state.withdrawn_at is not None:
        return "withdrawn"
    by_child = any(
        event.type == "escalation.step_skipped" and event.payload["reason"] == "answered" for event in own
    )
    if state.acknowledgements or followed.answered_at is not None or by_child:
        return "answered"
    return "exhausted" if any(event.type == "escalation.exhausted" for event in own) else None


def _stands(order: Sequence[Event], state: State, rungs: Sequence[Rung], begins: _Begin | None) -> str:
    paused = any(each.state == "paused" for each in state.expectations if each.of in CLIMBING)
    if paused and not (state.unsent and state.transport == "failed" and not _is_paused(order)):
        return "paused"
    if begins is None:
        return "none"
    return "due" if any(rung.state == "due" for rung in rungs) else "ahead"


def _is_paused(order: Sequence[Event]) -> bool:
    """Whether somebody has paused the clock: what was refused on its way out has paused by itself, and climbs."""
    said = [event.type for event in order if event.type in ("expectation.paused", "expectation.resumed")]
    return said[-1:] == ["expectation.paused"]


def _pauses(order: Sequence[Event]) -> list[tuple[dt.datetime, dt.datetime]]:
    """Pauses that have ended; while one lasts the path as a whole is paused."""
    found, since = [], None
    for event in order:
        if event.type == "expectation.paused" and since is None:
            since = event.occurred_at
        elif event.type == "expectation.resumed" and since is not None:
            found.append((since, event.occurred_at))
            since = None
    return found
