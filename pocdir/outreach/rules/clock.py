"""The clock of one expectation while its events are read, and the letter that it is about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pocdir.core.times import duration, moment
from pocdir.ledger.rules.events import Event

NOT_NOTICED = dt.timedelta(hours=1)  # a letter that waits no longer than this moves no due time
_QUEUED = ("message.queued", "message.stale")
_LEFT = ("message.submitted", "delivery.relayed", "delivery.delivered", "delivery.expanded")


class Outgoing(NamedTuple):
    """A letter that the service sends: when it was first to go, and when one first left; none: None."""

    queued_at: dt.datetime | None
    left_at: dt.datetime | None

    @property
    def never_left(self) -> bool:
        return self.queued_at is not None and self.left_at is None


def outgoing_of(order: Sequence[Event]) -> Outgoing:
    """By the events of a notification in their order."""
    queued = next((event.occurred_at for event in order if event.type in _QUEUED), None)
    left = next((event.occurred_at for event in order if event.type in _LEFT), None)
    return Outgoing(queued, left if queued is not None else None)


class Clock:
    """One expectation while its events are read in their order."""

    def __init__(self, start: Event, outgoing: Outgoing) -> None:
        self.start, self.outgoing = start, outgoing
        self.said_at = start.occurred_at  # when the due time was last named
        self.has_left = False
        self.within: str = start.payload["within"]
        self.level: int = start.payload.get("level", 1)
        given = start.payload.get("due_at")
        self.due_at = moment(given) if given else start.occurred_at + duration(self.within)
        self.paused_at: dt.datetime | None = None
        self.lapses: list[dt.datetime] = []
        self.steps: dict[str, dt.datetime] = {}
        self.stops: list[dt.datetime] = []

    def is_meant(self, event: Event) -> bool:
        """Whether the event names this expectation, or names none and came after it was set.

        A lapse also speaks of its twin: the same asked for by the same time falls due once.
        """
        named = event.payload.get("expectation")
        if event.type == "expectation.lapsed" and named != self.start.id:
            twin = (self.start.payload["of"], self.level, self.due_at)
            return (event.payload.get("of"), event.payload.get("level"), event.occurred_at) == twin
        return named == self.start.id or (named is None and event.occurred_at >= self.start.occurred_at)

    def hear(self, event: Event) -> None:
        """Every event that is meant, in its order."""
        if self.outgoing.left_at is not None and event.occurred_at >= self.outgoing.left_at:
            self.go_out()
        if event.type == "expectation.changed":
            self._change(event)
        elif event.type == "expectation.paused" and self.paused_at is None:
            self.paused_at = event.occurred_at
        elif event.type == "expectation.resumed" and self.paused_at is not None:
            self._resume(event, self.paused_at)
        elif event.type == "expectation.lapsed":
            self.lapses.append(event.occurred_at)
        elif event.type in ("escalation.step_taken", "escalation.exhausted"):
            self.steps[event.type] = event.occurred_at

    def state(self) -> str:
        if self.paused_at is not None:
            return "paused"
        # A lapse speaks of the due time of its day: once that was moved on, the clock runs again.
        if not self.lapses or self.lapses[-1] < self.due_at:
            return "running"
        for step, word in (("escalation.exhausted", "exhausted"), ("escalation.step_taken", "escalated")):
            if step in self.steps and self.steps[step] >= self.lapses[-1]:
                return word
        return "lapsed"

    def go_out(self) -> None:
        """Once the letter has left: what it waited for long is added, since nobody could read it meanwhile."""
        queued_at, left_at = self.outgoing
        if self.has_left or queued_at is None or left_at is None:
            return
        self.has_left = True
        waited = left_at - max(queued_at, self.said_at)
        if waited > NOT_NOTICED:
            self.due_at += waited

    def _change(self, event: Event) -> None:
        payload: Mapping[str, object] = event.payload
        if "state" in payload:
            self.stops.append(event.occurred_at)
        before = self.within
        self.within = str(payload.get("within", before))
        self.level = int(str(payload.get("level", self.level)))
        if "due_at" in payload:
            self.due_at, self.said_at = moment(str(payload["due_at"])), event.occurred_at
        else:
            self.due_at += duration(self.within) - duration(before)

    def _resume(self, event: Event, paused_at: dt.datetime) -> None:
        """The pause is added to the time left; what was due before the pause stays due."""
        if "due_at" in event.payload:
            self.due_at = moment(event.payload["due_at"])
        elif paused_at < self.due_at:
            self.due_at += event.occurred_at - paused_at
        self.paused_at = None
