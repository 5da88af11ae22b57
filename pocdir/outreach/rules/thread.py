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
WHY = "taken back where it was said"
# What may change who has answered: an answer, or what takes it back.
SPEAKING = ACKNOWLEDGING | {"event.corrected", "ack.retracted", "classification.corrected"}


@dataclass(frozen=True, slots=True)
class Word:
    """An answer given to one notification of a thread."""

    notification: str
    mark: First
    in_substance: bool

    @property
    def payload(self) -> dict[str, Any]:
        return {
            "notification": self.notification, "answer": self.mark.event, "in_substance": self.in_substance or None,
            "may_be_automatic": self.mark.may_be_automatic or None,
        }  # fmt: skip


def words(notification: str, events: Iterable[Event]) -> list[Word]:
    """What was answered to this notification itself and counts, oldest first."""
    return [
        Word(notification, marked(event), is_answer(event))
        for event in counting(events)
        if event.type in ACKNOWLEDGING and event.type != ANSWERED
    ]


def settle(
    notification: str, sent_at: dt.datetime, events: Sequence[Event], said: Mapping[str, Sequence[Word]]
) -> tuple[list[Word], list[Event]]:
    """What the thread has answered to this notification and is not written there, and what is and was taken back.

    An answer from before it was sent is no answer to it. `said` holds the words of each member of the thread.
    """
    standing = [event for event in counting(events) if event.type == ANSWERED]
    wanted = {
        word.mark.event: word
        for ref, its in said.items()
        for word in its
        if ref != notification and word.mark.at >= sent_at
    }
    known = {event.payload["answer"] for event in standing}
    fresh = [word for answer, word in wanted.items() if answer not in known]
    return fresh, [event for event in standing if event.payload["answer"] not in wanted]
