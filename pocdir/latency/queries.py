"""The notifications behind a figure, each with its start and its end as the ledger tells them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from flask import current_app
from sqlalchemy import func, select

from pocdir.accounts.queries import team_id_of
from pocdir.core.batches import batches
from pocdir.core.codes import name_of
from pocdir.db import Line, db
from pocdir.directory.models import Team
from pocdir.directory.queries.reading import entries_called, whole_of
from pocdir.incidents.models import Incident
from pocdir.incidents.rules.record import ENDS, closing
from pocdir.latency.rules import (
    ANSWERED,
    UNDATED,
    Curve,
    Group,
    Incidence,
    Promise,
    cumulative_incidence,
    group,
    survival_curve,
    within_promise,
)
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.rules.events import Event
from pocdir.ledger.rules.vocabulary import SENT_LEVELS
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import Viewer, seen_by
from pocdir.outreach.rules.corrections import counting
from pocdir.outreach.rules.fold import First, Firsts, State, Verdict, is_undated, level_for_others, state_of

LEVELS = (  # by their names in Firsts
    "delivered", "receipt", "acknowledgement", "answer", "remediation_claimed", "remediation_observed",
)  # fmt: skip
# Nobody who was told for information owes one of these; a test message is no report.
ASKED_FOR = ("receipt", "acknowledgement", "answer")
REMEDIATION = ("remediation_claimed", "remediation_observed")
NEVER_HAPPENED = ("mistake", "duplicate")
MET, EVERY = RULES = ("met", "all")  # which reports: as their teams have asked for them, or all
TEAMS_LEVEL = "P2"  # the lowest that counts in what a team is shown of itself
MOST_FOLDS = 20_000  # kept in memory, some 3 kB each
_FOLDS = "pocdir.latency_folds"
NO_PROMISES: Mapping[str, float] = MappingProxyType({})

_N, _T, _E, _I = (model.__table__.c for model in (Notification, Team, LedgerEvent, Incident))


class Record(NamedTuple):
    """What the events of one notification say: as it was sent, whether that holds, what came of it, and when
    it ended in another way than by an answer.
    """

    sent: Event
    happened: bool
    state: State
    level_for_others: str
    ended: Mapping[str, dt.datetime]


@dataclass(frozen=True, slots=True)
class Case:
    """One notification in a figure: `seconds` from the clock's start to its end.

    `end`: `answered` (it reached the level), `undated` (it did, nobody knows when, or the recipient alone says so
    of a past time: it is followed from the start to the start, the last moment at which it surely was open), one of
    `OTHER_ENDS`, or None: still open.
    """

    ref: str
    entry: int  # the row of the entry that it went to
    team: str
    team_name: str
    kind: str
    country: str | None
    channel: str
    sent_at: dt.datetime
    seconds: float
    end: str | None
    verdict: Verdict
    state: State
    meets_rules: bool = True  # those of its team for reports, as they stood when it was logged

    @property
    def answered(self) -> bool:
        """Whether it reached the level at a known time."""
        return self.end == ANSWERED

    @property
    def may_be_automatic(self) -> bool:
        """Whether all that answered it may have been a machine: the matrix counts it, no time does."""
        first = self.state.first.acknowledgement
        return first is not None and first.may_be_automatic


class Counted(NamedTuple):
    """The cases of a figure, and how many more there are that did not meet their team's rules for reports."""

    cases: list[Case]
    left_out: int


def cases(
    viewer: Viewer,
    *,
    level: str,
    now: dt.datetime,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    team: str | None = None,
    teams: Collection[str] | None = None,
    sent_level: str | None = None,
) -> list[Case]:
    """The cases of a figure as known at `now` (nothing recorded later counts), in the order they were logged.

    Sent at `since` or later and before `until`; `team`, or `teams`: only notifications to these slugs. What
    was sent, when, how and whether an answer was asked for is read from the ledger, never from the
    notification's row. What could not be delivered is followed until it bounced: from then on nobody could
    answer it, and that is the directory's doing. It is counted, apart. `sent_level` None: lowest_level. What did
    not meet its team's rules is among them: see counted. Raises NotFound `team_unknown`.
    """
    if team is not None:
        team_id_of(db.session(), team)
    wanted = teams if team is None else (team,)
    rows = _notifications(viewer, wanted)
    known, closed = _known(viewer, now, wanted), _closed(viewer, now)
    lowest = SENT_LEVELS.index(sent_level or lowest_level(viewer))
    found = []
    for row in rows:
        told = known.get(row.ref)
        if told is None or not told.happened or not _is_asked(told.sent, level, since, until):
            continue
        sure = told.state.sent_level if viewer.workspace_id is not None else told.level_for_others
        if SENT_LEVELS.index(sure) >= lowest:
            found.append(_case(row, told, level, now, closed.get(told.sent.incident or "")))
    return found


def lowest_level(viewer: Viewer) -> str:
    """From which sent level on a reader's figures count: a workspace sees all of its own, a team what is proven."""
    return SENT_LEVELS[0] if viewer.workspace_id is not None else TEAMS_LEVEL


def counted(found: list[Case], rules: str = MET) -> Counted:
    """Those of a figure (`rules` MET: without what did not meet its team's rules; EVERY: all)."""
    kept = found if rules == EVERY else [each for each in found if each.meets_rules]
    return Counted(kept, len(found) - len(kept))


def _meets_rules(told: Record) -> bool:
    return not told.sent.payload.get("rules_not_met")


def teams_told(viewer: Viewer) -> list[tuple[str, str]]:
    """(slug, name) of the teams that were told, by name: what a reader may narrow the figures to."""
    statement = (
        select(_T.slug, _T.name)
        .where(_T.id.in_(select(whole_of(_N.team_id)).where(seen_by(viewer), _N.kind != "ping")))
        .order_by(_T.folded_name)
    )
    return [(row.slug, row.name) for row in db.session.execute(statement)]


def first_of(first: Firsts, level: str) -> First | None:
    """The event that first reached the level; what a machine may have posted stays out of the figures."""
    mark: First | None = getattr(first, level)
    return mark if mark is not None and not mark.may_be_automatic else None


def _is_asked(sent: Event, level: str, since: dt.datetime | None, until: dt.datetime | None) -> bool:
    payload = sent.payload
    if payload.get("kind") == "ping" or (level in ASKED_FOR and not payload.get("answer_asked", True)):
        return False
    return (since is None or sent.occurred_at >= since) and (until is None or sent.occurred_at < until)


def _happened(events: list[Event]) -> bool:
    """Not logged by mistake, or that was taken back."""
    if not any(event.type == "notification.withdrawn" for event in events):
        return True
    return not any(
        event.type == "notification.withdrawn" and event.payload.get("reason", "mistake") in NEVER_HAPPENED
        for event in counting(events)
    )


def _ended(sent: Event, events: list[Event], state: State) -> dict[str, dt.datetime]:
    """When it could not arrive any more, and when the team said that it is not for them; from the start where
    it is not known when.
    """
    failed, misdirected = state.verdict.response == "undeliverable", state.response == "misdirected"
    found: dict[str, dt.datetime] = {}
    if not failed and not misdirected:  # most: what counts need not be sorted out again
        return found
    for event in counting(events):
        at = sent.occurred_at if is_undated(event) else event.occurred_at
        if event.type == "delivery.failed" and failed:
            found["undeliverable"] = at
        elif (
            event.type == "response.misdirected" and misdirected and not event.payload.get("may_be_automatic")
        ):
            found["misdirected"] = at
    return found


def _end(
    told: Record, level: str, reached: First | None, until: dt.datetime
) -> tuple[str | None, dt.datetime]:
    """How and when following it ended. A word that it is not for them is an answer, and excludes what they
    would do about it.
    """
    if reached is not None and reached.is_bounded:
        return UNDATED, told.sent.occurred_at
    if reached is not None and reached.at <= until:
        return ANSWERED, reached.at
    ended = [
        (at, end)
        for end, at in told.ended.items()
        if at <= until and (end != "misdirected" or level in REMEDIATION)
    ]
    at, end = min(ended, default=(until, None))
    return end, at


def _case(row: Line, told: Record, level: str, now: dt.datetime, closed_at: dt.datetime | None) -> Case:
    sent, state = told.sent, told.state
    reached, start = first_of(state.first, level), state.first.handed_over
    # A delivery report or ticket mail does not start the clock that it stops.
    of_itself = start is None or (reached is not None and start.event == reached.event)
    began = sent.occurred_at if of_itself or start is None or start.is_bounded else start.at
    followed_to = min(moment for moment in (now, state.withdrawn_at, closed_at) if moment is not None)
    end, ended_at = _end(told, level, reached, followed_to)
    return Case(
        ref=row.ref,
        entry=row.team_id,
        team=row.slug,
        team_name=row.name,
        kind=row.kind,
        country=row.country,
        channel=sent.payload.get("channel", "other"),
        sent_at=sent.occurred_at,
        seconds=max(0.0, (ended_at - began).total_seconds()),
        end=end,
        verdict=state.verdict,
        state=state,
        meets_rules=_meets_rules(told),
    )


def _notifications(viewer: Viewer, teams: Collection[str] | None) -> Sequence[Line]:
    """Whose they are, and to whom."""
    statement = (
        select(_N.ref, _N.team_id, _T.slug, _T.name, _T.kind, _T.country)
        .select_from(_N.id.table)
        .join(_T.id.table, _T.id == whole_of(_N.team_id))
        .where(seen_by(viewer))
        .order_by(_N.id)
    )
    if teams is not None:
        statement = statement.where(_N.team_id.in_(entries_called(teams)))
    return db.session.execute(statement).all()


def _closed(viewer: Viewer, now: dt.datetime) -> dict[str, dt.datetime]:
    """By reference of those incidents that were closed, as known at `now`: until when they were followed."""
    theirs = select(_I.ref).join(_N.ref.table, _N.incident_id == _I.id).where(seen_by(viewer))
    columns = (_E.incident, _E.id, _E.type, _E.occurred_at, _E.claimed_by, _E.payload)
    statement = select(*columns).where(
        _E.notification.is_(None), _E.incident.in_(theirs), _E.type.in_(ENDS), _E.recorded_at <= now
    )
    ends: dict[str, list[Event]] = {}
    for row in db.session.execute(statement):
        ends.setdefault(row.incident, []).append(Event(**row._mapping, recorded_at=now, actor=""))
    return {ref: at for ref, of_one in ends.items() if (at := closing(of_one)["closed_at"]) is not None}


def _known(viewer: Viewer, now: dt.datetime, teams: Collection[str] | None) -> dict[str, Record]:
    """By reference, what the events recorded by `now` say.

    Events are never changed and the sets known at two times lie in one another: how many there are, and the
    last, tells whether the fold that is kept in memory still holds.
    """
    statement = (
        select(_E.notification, func.count().label("events"), func.max(_E.id).label("last"))
        .join(_N.ref.table, _N.ref == _E.notification)
        .where(seen_by(viewer), _E.recorded_at <= now)
        .group_by(_E.notification)
    )
    if teams is not None:
        statement = statement.where(_N.team_id.in_(entries_called(teams)))
    marks = {row.notification: (row.events, row.last) for row in db.session.execute(statement)}
    folds: dict[str, tuple[tuple[int, str], Record]] = current_app.extensions.setdefault(_FOLDS, {})
    held = {ref: fold for ref in marks if (fold := folds.get(ref)) is not None and fold[0] == marks[ref]}
    found = {ref: told for ref, (_, told) in held.items()}
    for ref, events in _events([ref for ref in marks if ref not in held], now).items():
        sent = next((event for event in events if event.type == "notification.logged"), None)
        if sent is not None:
            state = state_of(events)
            level, ended = level_for_others(events), _ended(sent, events, state)
            found[ref] = Record(sent, state.has_gone and _happened(events), state, level, ended)
    if len(folds) > MOST_FOLDS:
        folds.clear()
    folds.update({ref: (marks[ref], found[ref]) for ref in found.keys() - held.keys()})
    return found


def _events(refs: Sequence[str], now: dt.datetime) -> dict[str, list[Event]]:
    """By notification: only what the fold reads, and no sealed value; no figure rests on a person's words."""
    columns = (
        _E.notification, _E.incident, _E.id, _E.type, _E.occurred_at, _E.recorded_at, _E.precision, _E.claimed_by,
        _E.assurance, _E.payload,
    )  # fmt: skip
    found: dict[str, list[Event]] = {}
    for batch in batches(refs):
        statement = select(*columns).where(_E.notification.in_(batch), _E.recorded_at <= now)
        for row in db.session.execute(statement):
            event = Event(**row._mapping, actor="")
            found.setdefault(row.notification, []).append(event)
    return found


def figures(
    found: Iterable[Case], by: str | None, promised: Mapping[str, float] = NO_PROMISES
) -> list[Group]:
    """Survival figures of the cases in groups, by the group's key (so that no order praises or blames).

    `promised`: by reference, the seconds that the team had promised (promises.promised).
    """
    groups = grouped(found, by)
    if by is None and not groups:
        groups["all"] = ("all", [])
    return [
        group(key, label, curve(its), [each.end for each in its], _within_promise(its, promised))
        for key, (label, its) in sorted(groups.items())
    ]


def _within_promise(found: Sequence[Case], promised: Mapping[str, float]) -> Promise:
    its = [each for each in found if each.ref in promised]
    return within_promise(
        [each.seconds for each in its], [each.answered for each in its], [promised[each.ref] for each in its]
    )


def may_be_automatic(found: Iterable[Case]) -> int:
    """How many of those that the matrix counts as answered may have been answered by a machine alone."""
    return sum(each.may_be_automatic for each in found)


def answered_later(found: Iterable[Case]) -> int:
    """How many of those that the matrix counts as answered were answered when they were followed no longer: the case
    was closed, or the notification withdrawn. For the level `acknowledgement`.
    """
    return sum(
        each.end is None and each.verdict.response == "answered" and not each.may_be_automatic
        for each in found
    )


def grouped(found: Iterable[Case], by: str | None) -> dict[str, tuple[str, list[Case]]]:
    """By key, the group's label and its cases."""
    groups: dict[str, tuple[str, list[Case]]] = {}
    for each in found:
        key, label = _key(each, by)
        groups.setdefault(key, (label, []))[1].append(each)
    return groups


def curve(found: Sequence[Case]) -> Curve:
    """The survival curve of the cases: of those that could still be answered, the share still open."""
    return survival_curve([each.seconds for each in found], [each.answered for each in found])


def incidence(found: Sequence[Case]) -> Incidence:
    """How all that was sent ended, each end apart."""
    ends = [None if each.end == UNDATED else each.end for each in found]
    return cumulative_incidence([each.seconds for each in found], ends)


def _key(each: Case, by: str | None) -> tuple[str, str]:
    if by == "team":
        return each.team, each.team_name
    if by == "country":
        return each.country or "", name_of(each.country) if each.country else "no country"
    key = {None: "all", "kind": each.kind, "channel": each.channel, "month": f"{each.sent_at:%Y-%m}"}[by]
    return key, key
