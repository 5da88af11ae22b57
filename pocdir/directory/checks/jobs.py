"""What the worker does so that the directory stays true; every step once, however often it goes round."""

from __future__ import annotations

import datetime as dt

from flask import current_app

from pocdir.config import Settings
from pocdir.db import transaction
from pocdir.directory.checks import actions, queries, received
from pocdir.directory.checks.letters import post
from pocdir.directory.checks.models import Check
from pocdir.directory.office import office
from pocdir.directory.rules import checks as rules
from pocdir.mail.queries import unreported

EVERY = dt.timedelta(minutes=15)
LETTERS = (*rules.KINDS, *rules.REMINDER.values())
_LOOKED = "pocdir.checks_looked_at"


def note_letters(now: dt.datetime) -> int:
    """Write down what became of our letters; returns how many."""
    noted = 0
    while True:
        with transaction() as session:
            ended = unreported(session, kinds=LETTERS)
            for mail in ended:
                actions.note_sent(session, mail, now=now)
        noted += len(ended)
        if not ended:
            return noted


def read_mail(now: dt.datetime) -> int:
    """Read what came in and answers a letter, where the command that took it in has not; returns how many."""
    read = 0
    while received.read_next(now=now, secret=office().secret):
        read += 1
    return read


def keep_true(now: dt.datetime) -> int:
    """Every quarter of an hour: what grew old falls due, what is due is asked, reminded, closed, and counts in the
    end; returns how many steps were taken."""
    looked: dt.datetime | None = current_app.extensions.get(_LOOKED)
    if looked is not None and looked <= now < looked + EVERY:
        return 0
    settings: Settings = current_app.extensions["pocdir"]
    confirm_after = dt.timedelta(seconds=settings.confirm_after)
    done = _grow_old(now, confirm_after) + _go_on(now)
    if not settings.demo and (settings.confirmations or settings.pings):
        teams = queries.standings()
        if settings.confirmations:
            done += _ask(rules.CONFIRMATION, queries.to_ask(teams, now, confirm_after), now)
        if settings.pings:
            done += _ask(rules.PING, queries.to_ping(teams, now, settings.pings), now)
    current_app.extensions[_LOOKED] = now
    return done


def _grow_old(now: dt.datetime, confirm_after: dt.timedelta) -> int:
    with transaction() as session:
        old = queries.grown_old(now, confirm_after)
        for row in old:
            since = row.state_since or now - confirm_after
            evidence = f"not confirmed since {since:%Y-%m-%d}"
            actions.grow_old(session, kind=row.kind, value=row.value, evidence=evidence, now=now)
    return len(old)


def _go_on(now: dt.datetime) -> int:
    """Close, remind and settle what is under way."""
    done = 0
    with transaction() as session:
        asked, ended = queries.under_way(session), queries.unsettled(session)
        used = queries.in_use({_whole(check) for check in (*asked, *ended)})

        def in_use(check: Check) -> bool:
            return (_whole(check), check.address.kind, check.address.value) in used

        for check in asked:
            if actions.close_what_ended(session, check, in_use=in_use(check), now=now):
                done += 1
            elif check.sent_at is not None and check.reminded_at is None:
                course = rules.course(check.kind, check.sent_at, check.team.timezone)
                if course.reminded_at <= now:
                    done += actions.remind(session, check, post=post(), now=now)
        for check in ended:
            done += actions.settle(session, check, in_use=in_use(check), now=now)
    return done


def _whole(check: Check) -> int:
    return check.team.merged_into_id or check.team_id


def _ask(kind: str, slugs: list[str], now: dt.datetime) -> int:
    asked = 0
    for slug in slugs:
        with transaction() as session:
            asked += actions.ask(session, slug=slug, kind=kind, post=post(), now=now) is not None
    return asked
