"""The steward's desk: what waits for a person, how harmful it is, and what happens when nobody comes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing that waits: `default` is what happens by itself, `after` so long; None: it stays."""

    harm: int  # the greater, the sooner
    default: str
    after: dt.timedelta | None = None


STAYS, PASSED_BY = "stays", "passed_by"  # neither ends by itself
DAY = dt.timedelta(days=1)
# The one table. A kind that needs no person has no row: what is not here does not stand on the desk.
KINDS: Mapping[str, Kind] = {
    # A report about a country goes nowhere: routing falls to the next contact until somebody finds an address.
    "bouncing_national": Kind(100, PASSED_BY),
    "key_national": Kind(90, STAYS),  # a national team's new key: two stewards, or one and 72 hours
    "proposal_national": Kind(80, "lapses", 90 * DAY),
    "not_confirmed": Kind(70, "unresponsive", 14 * DAY),  # a national team; others move by themselves
    "quarantine": Kind(60, STAYS),  # the old data stays in force
    "reply": Kind(50, "leaves", 30 * DAY),  # a person's words in answer to a letter of ours
    "lead_with_traffic": Kind(45, "leaves", 30 * DAY),  # after the last notification to it
    "key_expiring": Kind(40, "not_used", None),
    "unreachable": Kind(35, "leaves", 90 * DAY),  # another team without a working address
    "key": Kind(25, STAYS),
    "proposal": Kind(20, "lapses", 90 * DAY),
    "unread": Kind(15, "leaves", 30 * DAY),  # a file of a source that could not be read
    "duplicate": Kind(10, "leaves", 90 * DAY),
}


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits: of which team (slug) or source, since when, and where it is settled (a path).

    `default` (of the page's words) applies by itself at `default_at`; None: it stays until a person comes.
    `what` says which one it is: an address, a source.
    """

    kind: str
    harm: int
    slug: str | None
    since: dt.datetime
    default_at: dt.datetime | None
    default: str
    where: str
    what: str | None = None


def waiting(
    kind: str,
    *,
    slug: str | None,
    since: dt.datetime,
    where: str,
    what: str | None = None,
    default_at: dt.datetime | None = None,
) -> Waiting:
    """A thing of a kind of the table; raises KeyError for a kind that has no row."""
    row = KINDS[kind]
    at = default_at or (since + row.after if row.after else None)
    return Waiting(kind, row.harm, slug, since, at, row.default, where, what)


def by_harm(items: Iterable[Waiting], now: dt.datetime) -> list[Waiting]:
    """The most harmful first, of the same harm the one that waits longest; without what its default has settled."""
    open_ones = (it for it in items if it.default_at is None or it.default_at > now)
    return sorted(open_ones, key=lambda it: (-it.harm, it.since, it.slug or "", it.what or "", it.where))
