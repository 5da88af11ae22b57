"""What a row of the spreadsheet becomes: a notification, its facts, and the keys by which both are known again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable
from typing import NamedTuple

from pocdir.core.canonical import canonical_json, sha256
from pocdir.core.text import fold
from pocdir.core.times import isoformat
from pocdir.ledger.rules.events import Event
from pocdir.outreach.rules.corrections import counting
from pocdir.outreach.rules.spreadsheet import Row


class Fact(NamedTuple):
    """What a row says came after the sending. `bounded`: it says yes and no more, so it is known by `at`."""

    type: str
    at: dt.datetime
    precision: str
    key: str

    @property
    def is_bare(self) -> bool:
        """Whether no date stands there."""
        return self.precision == "bounded"


def row_key(row: Row) -> str:
    """The key of a row: the same contact, date and subject (and team, where one is named) are the same notification.

    Only what the row says counts: a directory that changed meanwhile makes no second notification of it.
    """
    at = isoformat(row.written_at or row.sent_at)
    named = fold(row.team) if row.team else None
    return sha256(canonical_json([named, row.contact.lower(), at, row.precision, row.title])).hex()


def facts_of(row: Row, *, now: dt.datetime) -> list[Fact]:
    """What came after, as far as the row says so; a bare yes is known by now, no sooner."""
    found = []
    for type_, said, precision in (
        ("delivery.failed", row.bounced, row.bounced_precision),
        ("ack.given", row.answered, row.answered_precision),
    ):
        if isinstance(said, dt.datetime):
            parts = [row_key(row), type_, isoformat(said), precision]
            found.append(Fact(type_, said, precision, sha256(canonical_json(parts)).hex()))
        elif said:
            parts = [row_key(row), type_, "yes"]
            at = max(now, row.sent_at)
            found.append(Fact(type_, at, "bounded", sha256(canonical_json(parts)).hex()))
    return found


def still_new(facts: Iterable[Fact], events: Iterable[Event], keys: Collection[str]) -> list[Fact]:
    """The facts that are not recorded yet: neither brought before (`keys`) nor standing among the events.

    A bare yes adds nothing where the like is recorded already; a date adds what a bare yes left open.
    """
    standing = counting(list(events))
    return [
        fact
        for fact in facts
        if fact.key not in keys
        and not any(
            event.type == fact.type
            and (fact.is_bare or (event.occurred_at == fact.at and event.precision != "bounded"))
            for event in standing
        )
    ]
