"""A follow-up and what it follows are one thread: what a person answers to one of them answers the others too."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pocdir.ledger.rules.events import Event
from pocdir.outreach.rules.corrections import counting
from pocdir.outreach.rules.fold import ACKNOWLEDGING, First, is_answer, marked

ANSWERED = "thread.answered"
# What may change who has answered: an answer, or what takes it back.
SPEAKING = ACKNOWLEDGING | {"event.corrected", "ack.retracted", "classification.corrected"}


@dataclass(frozen=True, slots=True)
class Word:
    """An answer given to one notification of a thread."""

    notification: str
    mark: First
    in_substance: bool
    said_at: dt.datetime  # as its event says, which a recipient may have put back
    is_elsewhere: bool  # the matter was answered elsewhere: that stops a clock, and is no first answer

    @property
    def order(self) -> tuple[dt.datetime, bool, str]:
        return self.mark.at, self.mark.is_bounded, self.mark.event

    @property
    def payload(self) -> dict[str, Any]:
        return {
            "notification": self.notification, "answer": self.mark.event, "in_substance": self.in_substance or None,
            "may_be_automatic": self.mark.may_be_automatic or None,
        }  # fmt: skip


def words(notification: str, events: Iterable[Event]) -> list[Word]:
    """What was answered to this notification itself and counts, oldest first."""
    return [
        Word(
            notification,
            marked(event),
            is_answer(event),
            event.occurred_at,
            bool(event.payload.get("already")),
        )
        for event in counting(events)
        if event.type in ACKNOWLEDGING and event.type != ANSWERED
    ]


def settle(
    notification: str, sent_at: dt.datetime, events: Sequence[Event], said: Mapping[str, Sequence[Word]]
) -> tuple[list[Word], list[Event]]:
    """What the thread has answered to this notification and is not written there, and what is and was taken back.

    An answer from before it was sent is no answer to it, and one after which nothing is new is not written.
    `said` holds the words of each member of the thread.
    """
    counted = counting(events)
    standing = [event for event in counted if event.type == ANSWERED]
    theirs = [
        word for ref, its in said.items() for word in its if ref != notification and word.mark.at >= sent_at
    ]
    known = {event.payload["answer"] for event in standing}
    asked = [event.occurred_at for event in counted if event.type == "expectation.set"]
    fresh = [word for word in _telling(said[notification], theirs, asked) if word.mark.event not in known]
    in_force = {word.mark.event for word in theirs}
    return fresh, [event for event in standing if event.payload["answer"] not in in_force]


def _telling(own: Sequence[Word], theirs: Sequence[Word], asked: Sequence[dt.datetime]) -> list[Word]:
    """Of the others' words those that say something new, oldest first.

    The first that acknowledges and the first in substance, each also of those that no machine may have made, and
    the first in substance since each thing that was asked. Where an own word is first, none.
    """
    mine = {word.mark.event for word in own}
    told = sorted([*own, *theirs], key=lambda word: word.order)
    answers = [word for word in told if word.in_substance]
    first_answers = [word for word in answers if word.mark.event not in mine or not word.is_elsewhere]
    lists = [told, first_answers]
    lists += [[word for word in its if not word.mark.may_be_automatic] for its in lists]
    at = {word.mark.event: word.said_at if word.mark.event in mine else word.mark.at for word in answers}
    lists += [[word for word in answers if at[word.mark.event] >= start] for start in set(asked)]
    first = {its[0].mark.event for its in lists if its} - mine
    return [word for word in told if word.mark.event in first]
