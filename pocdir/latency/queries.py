"""The notifications behind a figure, each with its start and its end as the ledger tells them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select

from pocdir.core.codes import name_of
from pocdir.db import db
from pocdir.directory.models import Team
from pocdir.latency.rules import Curve, Group, group, survival_curve
from pocdir.ledger.models import LedgerEvent
from pocdir.ledger.rules import Event
from pocdir.outreach.models import Notification
from pocdir.outreach.rules.fold import Firsts, State, Verdict, state_of
from pocdir.outreach.rules.vocabulary import SENT_LEVELS

LEVELS = {
    "delivered": "delivered",
    "receipt": "receipt",
    "acknowledgement": "acknowledgement",
    "answer": "answer",
    "remediation_claimed": "remediation_claimed",
    "remediation_observed": "remediation_observed",
}
# Nobody who was told for information owes one of these; a test message is no report.
ASKED_FOR = ("receipt", "acknowledgement", "answer")
NEVER_HAPPENED = ("mistake", "duplicate")

_N, _T, _E = Notification.__table__.c, Team.__table__.c, LedgerEvent.__table__.c


class Viewer(Protocol):
    """Whose notifications: a workspace's own, or those addressed to a team."""

    @property
    def workspace_id(self) -> int | None: ...
    @property
    def team_id(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Case:
    """One notification in a figure: `seconds` from the clock's start to the end, `answered` or still open."""

    ref: str
    team: str
    team_name: str
    kind: str
    country: str | None
    channel: str
    sent_at: dt.datetime
    seconds: float
    answered: bool
    verdict: Verdict
    state: State


def cases(
    viewer: Viewer,
    *,
    level: str,
    now: dt.datetime,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    team: str | None = None,
    teams: Collection[str] | None = None,
    sent_level: str = "P0",
) -> list[Case]:
    """The cases of a figure as known at `now` (nothing recorded later counts), in the order they were logged.

    `team`, or `teams`: only notifications to these slugs.
    """
    wanted = teams if team is None else (team,)
    statement = (
        select(
            _N.ref, _N.sent_at, _N.channel_kind, _N.answer_asked, _N.kind.label("notification_kind"), _T.slug,
            _T.name, _T.kind, _T.country,
        )
        .join(_T.slug.table, _T.id == _N.team_id)
        .where(_N.created_at <= now, _N.kind != "ping")
        .order_by(_N.id)
    )  # fmt: skip
    if viewer.workspace_id is None:
        statement = statement.where(_N.team_id == viewer.team_id)
    else:
        statement = statement.where(_N.workspace_id == viewer.workspace_id)
    if since is not None:
        statement = statement.where(_N.sent_at >= since)
    if until is not None:
        statement = statement.where(_N.sent_at < until)
    if wanted is not None:
        statement = statement.where(_T.slug.in_(wanted))
    rows = db.session.execute(statement).all()
    events = _events(viewer, now, wanted)
    lowest = SENT_LEVELS.index(sent_level)
    found = []
    for row in rows:
        known = events.get(row.ref, [])
        if _never_happened(known) or (level in ASKED_FOR and not row.answer_asked):
            continue
        state = state_of(known)
        if SENT_LEVELS.index(state.sent_level) < lowest:
            continue
        found.append(_case(row, state, level, now))
    return found


def _case(row: Any, state: State, level: str, now: dt.datetime) -> Case:
    start = state.first.handed_over.at if state.first.handed_over else row.sent_at
    reached = first_of(state.first, level)
    end = reached if reached is not None else min(now, state.withdrawn_at or now)
    return Case(
        ref=row.ref,
        team=row.slug,
        team_name=row.name,
        kind=row.kind,
        country=row.country,
        channel=row.channel_kind,
        sent_at=row.sent_at,
        seconds=max(0.0, (end - start).total_seconds()),
        answered=reached is not None,
        verdict=state.verdict,
        state=state,
    )


def first_of(first: Firsts, level: str) -> dt.datetime | None:
    """When the level was first reached; what a machine may have posted stays out of the figures."""
    mark = getattr(first, LEVELS[level])
    return mark.at if mark is not None and not mark.may_be_automatic else None


def _never_happened(events: Iterable[Event]) -> bool:
    return any(
        event.type == "notification.withdrawn" and event.payload.get("reason", "mistake") in NEVER_HAPPENED
        for event in events
    )


def _events(viewer: Viewer, now: dt.datetime, teams: Collection[str] | None) -> Mapping[str, list[Event]]:
    """By notification, without their sealed values: no figure rests on a person's words."""
    own = (
        _N.team_id == viewer.team_id
        if viewer.workspace_id is None
        else _N.workspace_id == viewer.workspace_id
    )
    statement = (
        select(
            _E.id, _E.type, _E.v, _E.occurred_at, _E.precision, _E.recorded_at, _E.notification, _E.incident,
            _E.team, _E.actor, _E.claimed_by, _E.assurance, _E.payload,
        )
        .join(_N.ref.table, _N.ref == _E.notification)
        .where(own, _E.recorded_at <= now)
    )  # fmt: skip
    if teams is not None:
        statement = statement.join(_T.slug.table, _T.id == _N.team_id).where(_T.slug.in_(teams))
    found: dict[str, list[Event]] = {}
    for row in db.session.execute(statement):
        found.setdefault(row.notification, []).append(Event(**row._mapping))
    return found


def figures(found: Iterable[Case], by: str | None) -> list[Group]:
    """Survival figures of the cases in groups, by the group's key (so that no order praises or blames)."""
    groups: dict[str, tuple[str, list[Case]]] = {}
    for case in found:
        key, label = _key(case, by)
        groups.setdefault(key, (label, []))[1].append(case)
    if by is None and not groups:
        groups["all"] = ("all", [])
    return [group(key, label, curve(cases)) for key, (label, cases) in sorted(groups.items())]


def curve(found: Sequence[Case]) -> Curve:
    """The survival curve of the cases."""
    return survival_curve([case.seconds for case in found], [case.answered for case in found])


def _key(case: Case, by: str | None) -> tuple[str, str]:
    if by == "team":
        return case.team, case.team_name
    if by == "country":
        return case.country or "", name_of(case.country) if case.country else "no country"
    key = {None: "all", "kind": case.kind, "channel": case.channel, "month": f"{case.sent_at:%Y-%m}"}[by]
    return key, key
