"""A synthetic year of outreach: who was told what, and what came of it, all of it drawn from a seed number."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

HOUR, DAY = dt.timedelta(hours=1), dt.timedelta(days=1)
YEAR = 365 * DAY
SENDER, BEARER, SERVICE, MTA = ("sender", "S"), ("recipient", "A2"), ("service", "A0"), ("remote_mta", "A0")

EMAIL = "researcher@demo.example"  # whose year it is
TALK = "Sinkhole hits: no answer, yet devices no longer seen"
_KINDS = (
    ("malicious-code", "infected-system", "Sinkhole hits of a banking trojan"),
    ("malicious-code", "infected-system", "Sinkhole hits of a loader"),
    ("malicious-code", "c2-server", "Command servers on rented hosts"),
    ("vulnerable", "vulnerable-system", "Mail servers without a fix for a known hole"),
    ("vulnerable", "ddos-amplifier", "Open resolvers that amplify"),
    ("vulnerable", "potentially-unwanted-accessible", "Databases open to everybody"),
    ("fraud", "phishing", "Phishing pages for a payment service"),
    ("intrusion-attempts", "brute-force", "Password guessing from these addresses"),
    ("intrusions", "application-compromise", "Shops with a card skimmer"),
    ("information-content-security", "data-leak", "Leaked credentials of employees"),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One event of a notification, claimed by (whom, with which assurance)."""

    at: dt.datetime
    type: str
    by: tuple[str, str]
    payload: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watch:
    """A measuring window of a sinkhole, and who called in when."""

    begin: dt.datetime
    end: dt.datetime
    seen: tuple[tuple[str, dt.datetime], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notification and what came of it; `expect` is (of, within); `parent` its place in the case."""

    team: str
    sent_at: dt.datetime
    channel: tuple[str, str]
    assets: tuple[str, ...] = ()
    kind: str = "report"
    answer_asked: bool = True
    expect: tuple[tuple[str, str], ...] | None = None
    parent: int | None = None
    facts: tuple[Fact, ...] = ()
    watched: tuple[Watch, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """One incident with its notifications, in the order in which they were sent."""

    title: str
    kind: tuple[str, str]
    opened_at: dt.datetime
    closed_at: dt.datetime | None
    notices: tuple[Notice, ...]
    controls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Habit:
    """How a team behaves, drawn from its slug and the seed alone: nothing else about it is looked at."""

    answers: float
    median: float  # seconds
    spread: float
    tickets: float
    bounces: float
    acts: float
    channel: tuple[str, str]


def year(
    seed: int, teams: Sequence[str], talk_team: str, *, notifications: int, incidents: int, until: dt.datetime
) -> Iterator[Case]:
    """The cases of the year before `until`, oldest first; the same for the same arguments.

    One of the incidents is the talk's: it has two notifications, both to `talk_team`.
    """
    draw = Random(f"pocdir demo {seed}")  # noqa: S311 - repeatable on purpose, and no secret
    habits = {slug: _habit(seed, slug) for slug in teams}
    starts = sorted(until - YEAR + (YEAR - 5 * DAY) * draw.random() for _ in range(incidents - 1))
    talk_at = until - 60 * DAY
    shares = [(notifications - 2) // (incidents - 1)] * (incidents - 1)
    for place in range((notifications - 2) % (incidents - 1)):
        shares[place] += 1
    cases = [
        _case(draw, n, at, share, habits, until)
        for n, (at, share) in enumerate(zip(starts, shares, strict=True))
    ]
    yield from sorted(
        [*cases, talk(talk_team, habits[talk_team].channel, talk_at)], key=lambda case: case.opened_at
    )


def talk(team: str, channel: tuple[str, str], at: dt.datetime) -> Case:
    """Never answered, and within 48 hours the devices were no longer seen; asked for a sample, again nothing."""
    devices = tuple(f"203.0.113.{n}" for n in range(10, 34))
    controls = tuple(f"198.51.100.{n}" for n in range(10, 30))
    # Told about, the last one calls in 21 hours after; of those nobody was told about a few go by themselves.
    last = {value: at + (4 + n * 18 / len(devices)) * HOUR for n, value in enumerate(devices)}
    last |= {value: at + (20 + n * 9) * HOUR for n, value in enumerate(controls[::3])}
    report = Notice(
        team=team, sent_at=at, channel=channel, assets=devices, watched=_watched((*devices, *controls), last, at),
        expect=(("acknowledgement", "P2D"), ("remediation", "P2D")),
    )  # fmt: skip
    request = Notice(
        team=team, sent_at=at + 50 * HOUR, channel=channel, kind="sample_request", parent=0,
        expect=(("sample", "PT24H"),),
    )  # fmt: skip
    kind = ("malicious-code", "infected-system")
    return Case(TALK, kind, at - 2 * HOUR, None, (report, request), controls)


def _watched(values: Sequence[str], last: dict[str, dt.datetime], at: dt.datetime) -> tuple[Watch, ...]:
    """Twelve hours each, from an hour before the sending for four days: who is alive calls in every three hours."""
    windows = []
    for number in range(8):
        begin = at - HOUR + number * 12 * HOUR
        calls = [begin + step * 3 * HOUR for step in range(4)]
        seen = [(value, call) for call in calls for value in values if call <= last.get(value, call)]
        windows.append(Watch(begin, begin + 12 * HOUR, tuple(seen)))
    return tuple(windows)


def _habit(seed: int, slug: str) -> _Habit:
    draw = Random(f"pocdir demo {seed} {slug}")  # noqa: S311 - as above
    host = f"{slug[:50].strip('-')}.example"
    channels = (
        ("email", f"reports@{host}"),
        ("form", f"https://{host}/report"),
        ("phone", f"+1 555 01{draw.randrange(100):02}"),
    )
    channel = draw.choices(channels, weights=(88, 8, 4))[0]
    return _Habit(
        answers=draw.uniform(0.3, 0.95),
        median=math.exp(draw.uniform(math.log(2 * 3600), math.log(8 * 86400))),
        spread=draw.uniform(0.6, 1.5),
        tickets=draw.uniform(0, 0.8) if channel[0] == "email" else 0,
        bounces=draw.choice((0, 0, 0, 0.02, 0.1, 0.3)) if channel[0] == "email" else 0,
        acts=draw.uniform(0.3, 0.9),
        channel=channel,
    )


def _case(
    draw: Random, place: int, at: dt.datetime, share: int, habits: dict[str, _Habit], until: dt.datetime
) -> Case:
    """Reports to as many teams as there are at most, then follow-ups to some of them a week later."""
    class_, type_, title = _KINDS[place % len(_KINDS)]
    teams = draw.sample(sorted(habits), min(share, len(habits)))
    follow_ups = draw.choices(range(len(teams)), k=share - len(teams))
    closed_at = at + draw.uniform(60, 150) * DAY if draw.random() < 0.4 else None
    closed_at = closed_at if closed_at and closed_at < until else None
    notices = [
        _notice(draw, team, habits[team], _soon(draw, at, 2 * HOUR, until), f"{place:x}:{n:x}", until)
        for n, team in enumerate(teams)
    ]
    notices.sort(key=lambda notice: notice.sent_at)
    for parent in follow_ups:
        first = notices[parent]
        later = _soon(draw, first.sent_at + 7 * DAY, 2 * DAY, until)
        more = _notice(draw, first.team, habits[first.team], later, f"{place:x}:{parent:x}", until)
        notices.append(_follow_up(more, parent))
    return Case(f"{title} ({place + 1})", (class_, type_), at, closed_at, tuple(notices))


def _follow_up(notice: Notice, parent: int) -> Notice:
    return Notice(
        team=notice.team, sent_at=notice.sent_at, channel=notice.channel, assets=notice.assets, kind="follow_up",
        answer_asked=notice.answer_asked, parent=parent, facts=notice.facts,
    )  # fmt: skip


def _notice(
    draw: Random, team: str, habit: _Habit, sent_at: dt.datetime, place: str, until: dt.datetime
) -> Notice:
    devices = _devices(draw, place)
    asked = draw.random() > 0.05
    facts = [*_sending(draw, habit, sent_at)]
    if draw.random() < 0.005:
        facts = [Fact(sent_at + HOUR, "notification.withdrawn", SENDER, {"reason": "mistake"})]
    elif not any(fact.type == "delivery.failed" for fact in facts):
        facts += _answers(draw, habit, sent_at, len(devices))
        facts += _outcome(draw, habit, sent_at, len(devices))
    known = sorted((fact for fact in facts if fact.at < until), key=lambda fact: fact.at)
    return Notice(
        team=team,
        sent_at=sent_at,
        channel=habit.channel,
        assets=devices,
        answer_asked=asked,
        facts=tuple(known),
    )


def _sending(draw: Random, habit: _Habit, sent_at: dt.datetime) -> Iterator[Fact]:
    """How sure it is that it was sent: the sender's word, a copy, a server's 250, a delivery report; or a bounce."""
    if habit.channel[0] != "email":
        return
    soon = sent_at + draw.uniform(5, 300) * dt.timedelta(seconds=1)
    word = draw.random()
    if draw.random() < habit.bounces:
        yield Fact(soon, "delivery.failed", MTA, {"action": "failed", "status": "5.1.1"})
    elif word > 0.5:
        yield Fact(soon, "message.submitted", SERVICE, {"hop": "recipient_mx", "kind": "email"})
        if word > 0.8:
            yield Fact(
                soon + HOUR / 60, "delivery.delivered", MTA, {"action": "delivered", "status": "2.0.0"}
            )
    elif word > 0.35:
        yield Fact(soon, "message.copied", SERVICE)


def _answers(draw: Random, habit: _Habit, sent_at: dt.datetime, devices: int) -> Iterator[Fact]:
    if draw.random() < habit.tickets:
        ticket = {"subclass": "receipt", "ticket": f"#{draw.randrange(10**6)}"}
        yield Fact(sent_at + draw.uniform(6, 30) * HOUR / 60, "reply.automatic", BEARER, ticket)
    elif draw.random() < 0.04:
        away = {"subclass": "out_of_office"}
        yield Fact(sent_at + draw.uniform(6, 30) * HOUR / 60, "reply.automatic", BEARER, away)
    if draw.random() > habit.answers:
        return
    delay = math.exp(draw.gauss(math.log(habit.median), habit.spread))
    at = sent_at + max(0.2, min(delay / 3600, 5000)) * HOUR
    by = BEARER if draw.random() < 0.6 else SENDER
    word = draw.random()
    if word < 0.55:
        yield Fact(at, "ack.given", by, {"via": "email"})
        at += draw.uniform(1, 72) * HOUR
    if word < 0.08 or 0.55 <= word < 0.65:
        yield Fact(at, "response.passed_on", by, {"count": draw.randint(1, 9)})
    elif word < 0.2 or word >= 0.85:
        yield Fact(at, "response.accepted", by)
    elif 0.65 <= word < 0.75:
        yield Fact(at, "reply.human", by)
    elif 0.75 <= word < 0.78:
        yield Fact(at, "response.misdirected", by)
    elif 0.78 <= word < 0.8:
        yield Fact(at, "response.contested", by, {"note": "These addresses were not ours at that time."})
    elif 0.8 <= word < 0.85:
        yield Fact(at, "response.info_requested", by)
    if draw.random() < 0.2:
        yield Fact(at + draw.uniform(2, 200) * HOUR, "outcome.remediation_claimed", by, {"count": devices})


def _outcome(draw: Random, habit: _Habit, sent_at: dt.datetime, devices: int) -> Iterator[Fact]:
    """Devices go, told or not: whether somebody answered is not looked at."""
    if draw.random() > habit.acts * 0.6:
        return
    at = sent_at + draw.uniform(12, 600) * HOUR
    measured = {"count": devices, "all": devices, "method": "sinkhole"}
    yield Fact(at, "outcome.remediation_observed", SENDER, measured)
    if draw.random() < 0.06:
        yield Fact(at + draw.uniform(3, 40) * DAY, "outcome.relapsed", SENDER, measured | {"count": 1})


def _devices(draw: Random, place: str) -> tuple[str, ...]:
    """Addresses of the blocks that are kept for documentation (RFC 5737, RFC 3849)."""
    count = draw.randint(1, 6)
    if draw.random() < 0.3:
        return tuple(f"2001:db8:{place}::{n:x}" for n in range(1, count + 1))
    block = draw.choice(("192.0.2", "198.51.100", "203.0.113"))
    return tuple(f"{block}.{n}" for n in sorted(draw.sample(range(1, 255), count)))


def _soon(draw: Random, at: dt.datetime, within: dt.timedelta, until: dt.datetime) -> dt.datetime:
    """A whole second some time after `at`, and not after the year's end."""
    moment = min(at + within * draw.random(), until - HOUR)
    return moment.replace(microsecond=0)
