"""The state of a notification: what its events say together, on axes that never answer for each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pocdir.ledger.rules.events import CLOCK_SKEW, Event
from pocdir.ledger.rules.vocabulary import SENT_LEVELS
from pocdir.outreach.rules.clock import Clock, outgoing_of
from pocdir.outreach.rules.corrections import counting
from pocdir.outreach.rules.expectations import ExpectationState

TRANSPORT = (
    "none", "logged", "queued", "submitted", "relayed", "delivered", "delayed", "stale", "failed", "mixed",
)  # fmt: skip
RESPONSE = (
    "awaiting", "receipt", "acknowledged", "engaged", "misdirected", "declined", "passed_on", "contested",
)  # fmt: skip
OUTCOME = ("unknown", "claimed", "observed", "relapsed")
CLOCK = ("lapsed", "escalated", "exhausted", "running", "paused", "stopped", "none")

_ANSWERS = {
    "response.accepted": "engaged",
    "response.info_requested": "engaged",
    "outcome.remediation_claimed": "engaged",
    "response.misdirected": "misdirected",
    "response.declined": "declined",
    "response.passed_on": "passed_on",
    "response.contested": "contested",
}
# The last is the service's word that a person has answered in the same thread: it proves no sending.
ACKNOWLEDGING = frozenset({"ack.given", "reply.human", *_ANSWERS, "thread.answered"})
REMEDIED = ("outcome.remediation_claimed", "outcome.remediation_observed")
_ARRIVED = {"delivery.relayed": "relayed", "delivery.expanded": "relayed", "delivery.delivered": "delivered"}
_UNDER_WAY = {
    "notification.logged": "logged",
    "message.queued": "queued",
    "message.submitted": "submitted",
    "delivery.delayed": "delayed",
    "message.stale": "stale",
}
_BEGINNINGS = ("logged", "queued")
_NOT_GONE = ("queued", "stale")
_BY_BEARER = ("A2", "A3", "A4", "A5")


class First(NamedTuple):
    """The first event of a level, how sure it is, and whether a machine may have made it."""

    at: dt.datetime
    event: str
    assurance: str | None
    may_be_automatic: bool
    is_bounded: bool = False  # it is known to have come by `at`, and not when


@dataclass(frozen=True, slots=True)
class Firsts:
    """When each level was first reached; None: not recorded."""

    handed_over: First | None
    delivered: First | None
    receipt: First | None
    acknowledgement: First | None
    answer: First | None
    remediation_claimed: First | None
    remediation_observed: First | None


class Verdict(NamedTuple):
    """The cell of the matrix: (no_answer, observed) is "no answer recorded, yet the devices went quiet"."""

    response: str  # one of RESPONSE_GROUPS
    outcome: str  # observed, claimed, none, unknown


@dataclass(frozen=True, slots=True)
class State:
    """What the counting events of one notification say together.

    transport
        `none`, `logged` (the sender's word), `queued`, `submitted` (our server's 250), `delayed`, `stale`
        (given up unsent): the last word about the last attempt while nothing has ended. Then `relayed`,
        `delivered`, `failed` (nothing arrived), and `mixed`: something arrived and something failed, neither
        erases the other. After a failure a later attempt under way shows as such.
    response
        `awaiting`, `receipt` (ticket mail, a robot's), `acknowledged` (a person's word), `engaged` (accepted,
        asked for more, or done), or the side exits `misdirected declined passed_on contested`: the last
        answer holds.
    outcome
        `unknown`, `claimed`, `observed`, `relapsed`: what the sender measured outweighs what was claimed.
    clock
        of all expectations the one that needs a person most, in the order of `CLOCK`; `none`: nothing is due.
    sent_level
        the best evidence that it was sent, P0 to P4, never lowered, whatever is taken back later.
    due
        the earliest time at which a running expectation falls due.
    acknowledgements
        every one with its assurance, so that levels can be kept apart.
    unsent
        the service was to send it, and it never left: until it is tried again no clock runs.

    No sealed value is read: erasing a person's words changes no state.
    """

    transport: str
    response: str
    outcome: str
    clock: str
    sent_level: str
    expectations: tuple[ExpectationState, ...]
    due: dt.datetime | None
    first: Firsts
    acknowledgements: tuple[First, ...]
    withdrawn_at: dt.datetime | None
    unsent: bool

    @property
    def has_gone(self) -> bool:
        """Whether anybody can have read it: what waits in our outbox, or never left it, is in no figure."""
        return self.transport not in _NOT_GONE

    @property
    def verdict(self) -> Verdict:
        """Response and outcome as the matrix counts them."""
        response = response_group(self.response, self.transport)
        return Verdict(response, "none" if self.outcome == "relapsed" else self.outcome)


RESPONSE_GROUPS = ("answered", "ticket_only", "no_answer", "undeliverable")


def response_group(response: str, transport: str) -> str:
    """A response as pages, matrix and API count it: one of RESPONSE_GROUPS."""
    if response == "receipt":
        return "ticket_only"
    if response != "awaiting":
        return "answered"
    return "undeliverable" if transport in ("failed", "stale") else "no_answer"


def state_of(events: Iterable[Event]) -> State:
    """The state of one notification, the same for any order of arrival and any repetition of its events."""
    every = list(events)
    order = counting(every)
    withdrawn_at = _at(_first(order, "notification.withdrawn"))
    transport = _transport(order)
    unsent = transport in ("stale", "failed") and outgoing_of(order).never_left
    expectations = tuple(
        _expectation(event, order, withdrawn_at, unsent) for event in order if event.type == "expectation.set"
    )
    acknowledgements = tuple(_marks(event for event in order if event.type in ACKNOWLEDGING))
    return State(
        transport=transport,
        response=_response(order),
        outcome=_outcome(order),
        clock=min((each.state for each in expectations), key=CLOCK.index, default="none"),
        sent_level=SENT_LEVELS[max(map(_sent_level, every), default=0)],
        expectations=expectations,
        due=min((each.due_at for each in expectations if each.state == "running"), default=None),
        first=_firsts(order, acknowledgements),
        acknowledgements=acknowledgements,
        withdrawn_at=withdrawn_at,
        unsent=unsent,
    )


def _transport(order: Sequence[Event]) -> str:
    arrived = {_ARRIVED[event.type] for event in order if event.type in _ARRIVED}
    failed = [event for event in order if event.type == "delivery.failed"]
    if arrived:
        return "mixed" if failed else "delivered" if "delivered" in arrived else "relayed"
    under_way = [event for event in order if event.type in _UNDER_WAY]
    latest = max(map(_attempt, under_way), default=0)
    if failed and max(map(_attempt, failed)) >= latest:
        return "failed"
    last = [_UNDER_WAY[event.type] for event in under_way if _attempt(event) == latest]
    # Logging and queuing are one act of one moment, and begin what the others go on with.
    later = [word for word in last if word not in _BEGINNINGS]
    return later[-1] if later else max(last, key=_BEGINNINGS.index, default="none")


def _response(order: Sequence[Event]) -> str:
    answers = [_ANSWERS[event.type] for event in order if event.type in _ANSWERS]
    if answers:
        return answers[-1]
    if any(event.type in ACKNOWLEDGING for event in order):
        return "acknowledged"
    return "receipt" if any(map(_is_receipt, order)) else "awaiting"


def _outcome(order: Sequence[Event]) -> str:
    word = "unknown"
    for event in order:
        if event.type == "outcome.remediation_observed":
            word = "observed"
        elif event.type == "outcome.relapsed":
            word = "relapsed"
        elif event.type == "outcome.remediation_claimed" and word != "observed":
            word = "claimed"
    return word


def _sent_level(event: Event) -> int:
    """What this event proves about the sending; the sender's own word proves nothing."""
    if event.claimed_by not in ("service", "remote_mta", "recipient"):
        return 0
    by_recipient = event.claimed_by == "recipient" and event.assurance in _BY_BEARER
    if event.type in ACKNOWLEDGING and by_recipient and not _may_be_automatic(event):
        return 4
    if event.type.startswith(("delivery.", "disposition.", "reply.")):
        return 3 if event.claimed_by != "service" else 0  # our own relay's refusal: nothing was sent
    if event.type == "message.submitted":
        return 2 if event.payload.get("hop") == "recipient_mx" else 1
    return 1 if event.type == "message.copied" else 0


def level_for_others(events: Iterable[Event]) -> str:
    """The sent level on which figures may rest that others than the workspace see: the recipient's link, which the
    sender held too, proves nothing to them."""
    return SENT_LEVELS[
        max((_sent_level(event) for event in events if event.payload.get("via") != "page"), default=0)
    ]


def _firsts(order: Sequence[Event], acknowledgements: Sequence[First]) -> Firsts:
    answers = _marks(event for event in order if event.type in _ANSWERS or event.payload.get("in_substance"))
    claims = _marks(event for event in order if event.type == "outcome.remediation_claimed")
    receipts = _marks(event for event in order if _is_receipt(event))
    return Firsts(
        handed_over=_handed_over(order, acknowledgements),
        delivered=_first(order, "delivery.delivered"),
        receipt=receipts[0] if receipts else None,
        acknowledgement=_surest(acknowledgements),
        answer=_surest(answers),
        remediation_claimed=_surest(claims),
        remediation_observed=_first(order, "outcome.remediation_observed"),
    )


def _handed_over(order: Sequence[Event], acknowledgements: Sequence[First]) -> First | None:
    """The clock's start by the best evidence: the recipient's server or robot, our server, the sender's word.

    Evidence that came after the acknowledgement (a late delivery report) says nothing about the start.
    """
    answered_at = acknowledgements[0].at if acknowledgements else None
    in_time = [event for event in order if answered_at is None or event.occurred_at <= answered_at]
    by_recipient = (*_ARRIVED, "reply.automatic", "message.submitted")
    for low, types in ((2, by_recipient), (1, ("message.submitted", "message.copied"))):
        for event in in_time:
            if event.type in types and _sent_level(event) >= low:
                return marked(event)
    return _first(order, "notification.logged")


def _expectation(
    start: Event, order: Sequence[Event], withdrawn_at: dt.datetime | None, unsent: bool
) -> ExpectationState:
    clock = Clock(start, outgoing_of(order))
    for event in order:
        if event.type.startswith(("expectation.", "escalation.")) and clock.is_meant(event):
            clock.hear(event)
    clock.go_out()
    stops = [*clock.stops, _stopped_by_answer(start, order), withdrawn_at]
    stopped_at = min((at for at in stops if at is not None), default=None)
    return ExpectationState(
        id=start.id,
        of=start.payload["of"],
        within=clock.within,
        level=clock.level,
        due_at=clock.due_at,
        state="stopped" if stopped_at else "paused" if unsent else clock.state(),
        lapsed_at=clock.lapses[0] if clock.lapses else None,
        stopped_at=stopped_at,
    )


def _stopped_by_answer(start: Event, order: Sequence[Event]) -> dt.datetime | None:
    """When an answer stopped the clock; a sample is given out of our sight: only `met` says that it came."""
    of = start.payload["of"]
    if of == "acknowledgement":
        # At any time: after an acknowledgement nothing asks for one again.
        return next((event.occurred_at for event in order if event.type in ACKNOWLEDGING), None)
    stopping: Callable[[Event], bool] = {
        "answer": is_answer,
        "remediation": lambda event: event.type in REMEDIED,
    }.get(of, lambda event: False)
    after = (event for event in order if event.occurred_at >= start.occurred_at)
    return next((event.occurred_at for event in after if stopping(event)), None)


def is_answer(event: Event) -> bool:
    """Whether an event answers in substance, or elsewhere as the recipient says; that it was received is none."""
    return event.type in _ANSWERS or bool(event.payload.get("already") or event.payload.get("in_substance"))


def _is_receipt(event: Event) -> bool:
    return event.type == "reply.automatic" and event.payload.get("subclass") == "receipt"


def _attempt(event: Event) -> int:
    return int(event.payload.get("attempt", 1))


def _may_be_automatic(event: Event) -> bool:
    return bool(event.payload.get("may_be_automatic", False))


def is_undated(event: Event) -> bool:
    """Whether no time may be taken from it: none was known, or it is the recipient's word alone for a past time."""
    return event.precision == "bounded" or _is_backdated(event)


def _is_backdated(event: Event) -> bool:
    """A coarser precision excuses nothing here: it is the recipient who chooses it."""
    by_recipient_alone = event.claimed_by == "recipient" and event.assurance != "S"
    return by_recipient_alone and event.recorded_at - event.occurred_at > CLOCK_SKEW


def marked(event: Event) -> First:
    """When it counts as given, and what it is worth."""
    at = event.recorded_at if _is_backdated(event) else event.occurred_at
    return First(at, event.id, event.assurance, _may_be_automatic(event), is_undated(event))


def _marks(events: Iterable[Event]) -> list[First]:
    """The earliest first; of two known by the same moment the one that has a time."""
    return sorted(map(marked, events), key=lambda mark: (mark.at, mark.is_bounded))


def _first(order: Sequence[Event], type_: str) -> First | None:
    return next(iter(_marks(event for event in order if event.type == type_)), None)


def _at(first: First | None) -> dt.datetime | None:
    return first.at if first else None


def _surest(marks: Sequence[First]) -> First | None:
    """The first that a person surely made; else the first."""
    sure = [mark for mark in marks if not mark.may_be_automatic]
    return next(iter(sure or marks), None)
