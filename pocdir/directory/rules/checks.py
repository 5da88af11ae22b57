"""When a team is asked about its own entry, by which letter, and when that ends; four letters a year in all."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pocdir.core.times import zone_or_utc
from pocdir.directory.rules.record import DEAD_STATES, Channel

CONFIRMATION, PING = KINDS = ("confirmation", "ping")
# How a check ends. The first two are a person's word; the last three are no word of the team's and count for nothing:
# its mail bounces, our letter did not leave, we ended it.
CONFIRMED, ANSWERED, UNANSWERED, UNDELIVERABLE, UNSENT, ENDED = RESULTS = (
    "confirmed", "answered", "unanswered", "undeliverable", "unsent", "ended",
)  # fmt: skip

# Every kind of letter to a team about its own entry: all of them together keep within the four a year.
REMINDER = {kind: f"{kind}_reminder" for kind in KINDS}
KEY_EXPIRY = "key_expiry"
LETTERS = (*KINDS, *REMINDER.values(), KEY_EXPIRY)
MOST_A_YEAR = 4
YEAR = dt.timedelta(days=365)

DAY, WEEK = dt.timedelta(days=1), dt.timedelta(weeks=1)
REMINDED_AFTER = 14 * DAY  # a confirmation; a ping after three working days
CLOSED_AFTER = {CONFIRMATION: 28 * DAY, PING: 14 * DAY}
GRACE = (
    14 * DAY
)  # from there until the address counts as unresponsive: the team and the stewards see it first
PING_REMINDED_AFTER = 3  # working days
UNSENT_BY = 14 * DAY  # a letter that has not left by then would speak of a day that is gone
UNSENT_AGAIN = 30 * DAY
FRESH = 60 * DAY  # who answered within this time is not tested
AT_ONCE = dt.timedelta(seconds=60)  # so soon after a letter it is a mail scanner that presses buttons

# Working days nearly everywhere, whichever two days the weekend has: no path of the code asks for the country.
WORKING = (0, 1, 2, 3)
HOURS = range(9, 16)  # in the team's zone
SPREAD = 2  # weeks over which those due on one day are asked; after a first import of everybody:
FIRST_SPREAD = 8
PING_EVERY = {1: 54 * WEEK, 2: 27 * WEEK}  # by tests a year: whole weeks, so that no 365 days see a third
PING_APART = 26 * WEEK  # a moment that a team's new zone has moved does not bring a test too soon
_EPOCH = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)  # a Monday; where every period of tests is counted from
_PURPOSES = ("incident", "general", "emergency", "vulnerability", "sample")


def letters_left(written: Iterable[dt.datetime], now: dt.datetime) -> int:
    """How many letters about its own entry a team may still get today, from when those before were written."""
    return max(0, MOST_A_YEAR - sum(at > now - YEAR for at in written))


# How many letters must be left before one is written: a test never takes what a confirmation may need.
NEEDED = {CONFIRMATION: 1, REMINDER[CONFIRMATION]: 1, PING: 3, REMINDER[PING]: 2, KEY_EXPIRY: 1}


def may_write(kind: str, written: Iterable[dt.datetime], now: dt.datetime) -> bool:
    """Whether the year's letters leave room for one of this kind (of LETTERS)."""
    return letters_left(written, now) >= NEEDED[kind]


def due_at(last: dt.datetime, confirm_after: dt.timedelta) -> dt.datetime:
    """When the next confirmation is due; `last`: the last one, a test answered, or the entry's first import."""
    return last + confirm_after


def slot(slug: str, start: dt.datetime, *, weeks: int, zone: str | None) -> dt.datetime:
    """A team's own moment within so many weeks of the first Monday at or after `start`: spread over weeks, working days
    and the hours of its zone (UTC where none is known), the same whenever it is asked for."""
    there = zone_or_utc(zone)
    number = int.from_bytes(hashlib.sha256(slug.encode()).digest()[:8], "big")
    number, week = divmod(number, weeks)
    number, weekday = divmod(number, len(WORKING))
    number, hour = divmod(number, len(HOURS))
    first = start.astimezone(there).date()
    monday = first + dt.timedelta(days=-first.weekday() % 7)
    day = monday + dt.timedelta(weeks=week, days=WORKING[weekday])
    local = dt.datetime.combine(day, dt.time(HOURS[hour], number % 60), there)
    return local.astimezone(dt.UTC)


def ask_at(slug: str, due: dt.datetime, *, first: bool, zone: str | None) -> dt.datetime:
    """When a team is asked whose confirmation is due; `first`: it has never confirmed."""
    return slot(slug, due, weeks=FIRST_SPREAD if first else SPREAD, zone=zone)


def ping_at(slug: str, now: dt.datetime, *, a_year: int, zone: str | None) -> dt.datetime:
    """The moment of a team's test in the period in which `now` lies, past or to come."""
    every = PING_EVERY[a_year]
    period = (now - _EPOCH) // every
    return slot(slug, _EPOCH + period * every, weeks=every // WEEK - 1, zone=zone)


def is_ping_time(
    slug: str, now: dt.datetime, *, a_year: int, zone: str | None, answered_at: dt.datetime | None
) -> bool:
    """Whether a team is to be tested now: within a week of its moment, and it has not answered of late."""
    fresh = answered_at is not None and now - answered_at < FRESH
    moment = ping_at(slug, now, a_year=a_year, zone=zone)
    return not fresh and moment <= now < moment + WEEK


def working_days_after(at: dt.datetime, days: int, zone: str | None) -> dt.datetime:
    """The moment so many working days (WORKING) after `at`, at the same hour in the team's zone."""
    moment = at.astimezone(zone_or_utc(zone))
    while days:
        moment += DAY
        days -= moment.weekday() in WORKING
    return moment.astimezone(dt.UTC)


DECLINED = "test/test"  # among the kinds of report that a team does not take (RSIT)
DECLINING = frozenset({"test", DECLINED, "ping"})


def declines_tests(opt_outs: Iterable[str]) -> bool:
    """Whether a team wants no reachability tests."""
    return not DECLINING.isdisjoint(opt_outs)


@dataclass(frozen=True, slots=True)
class Course:
    """What becomes of a check after its letter was sent, if nobody answers."""

    reminded_at: dt.datetime
    closed_at: dt.datetime
    unresponsive_at: dt.datetime


def course(kind: str, sent_at: dt.datetime, zone: str | None) -> Course:
    """The days of a check; a letter's own clock starts when it was sent, never when it was queued."""
    if kind == PING:
        reminded = working_days_after(sent_at, PING_REMINDED_AFTER, zone)
    else:
        reminded = sent_at + REMINDED_AFTER
    closed = sent_at + CLOSED_AFTER[kind]
    return Course(reminded, closed, closed + GRACE)


def address_to_ask(channels: Sequence[Channel]) -> Channel | None:
    """Where a team is asked: a mail address in use, by purpose, preference and value; None: there is none.

    One that did not answer comes after all that may.
    """
    mail = [it for it in channels if it.kind == "email" and it.state not in DEAD_STATES]
    return min(
        mail,
        key=lambda it: (
            it.state == "unresponsive", _PURPOSES.index(it.purpose), it.preference, it.value,
        ),
        default=None,
    )  # fmt: skip


def may_be_automatic(posted_at: dt.datetime, sent_at: dt.datetime | None) -> bool:
    """Whether a machine may have posted it: within a minute of our sending."""
    return sent_at is not None and posted_at - sent_at < AT_ONCE
