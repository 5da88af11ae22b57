"""What led a report to the wrong team, and where it should go instead."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from pocdir.core.errors import Invalid
from pocdir.core.text import fold
from pocdir.directory.proposals.queries import standing
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import EVERYBODY
from pocdir.ledger.rules.events import Event
from pocdir.outreach.models import Notification
from pocdir.outreach.queries.notifications import teams_by_id
from pocdir.outreach.rules import corrections
from pocdir.routing.queries import index, question
from pocdir.routing.rules.index import Index
from pocdir.routing.rules.question import answered

MOST_LOOKED_UP = 50  # assets
# A whole country or sector is not given up because of one report: there the routing was too coarse, not wrong.
CORRECTABLE = ("prefix", "asn", "domain")


class Basis(NamedTuple):
    """A responsibility by which routing comes to a team."""

    key: str
    value: str


class Instead(NamedTuple):
    """Whom the recipient names, in its own words; `team` is the slug of a team that these words lead to, `channel` its
    address (kind, value) where they name one of the directory's."""

    ask: str
    team: str | None
    channel: tuple[str, str] | None = None


def bases_of(notification: Notification, *, on: dt.date) -> list[Basis]:
    """The team's responsibilities by which a lookup of the assets leads to it today, in the order of the assets."""
    known, slug = index(), _slug(notification)
    asked, found = question(known, on=on), []
    for asset in notification.assets[:MOST_LOOKED_UP]:
        try:
            answer = answered(known, asset["value"], asked)
        except Invalid:
            continue
        found += [it.basis for it in answer.contacts if it.team.slug == slug and it.basis.key in CORRECTABLE]
    return list(dict.fromkeys(Basis(it.key, it.value) for it in found))


def responsibilities(notification: Notification, bases: Sequence[Basis]) -> list[tuple[str, ...]]:
    """The team's own rows of these bases, as a proposal names them."""
    entry = entries.entry(_slug(notification), audiences=EVERYBODY)
    return [of for of in standing(entry) if of[0] == "responsibility" and of[1:3] in bases]


def asked_instead(events: Sequence[Event], *, own: str, on: dt.date) -> Instead | None:
    """Whom the recipient (`own`: its slug) last named when it said that a report is not for it."""
    said = [it for it in corrections.counting(events) if it.type == "response.misdirected"]
    named = str(said[-1].sealed.get("ask") or "") if said else ""
    if not said:
        return None
    known = index()
    if named and (found := _in_directory(known, named, own)):
        return found
    try:
        contacts = answered(known, named, question(known, on=on)).contacts if named else ()
    except Invalid:
        contacts = ()
    return Instead(named, next((it.team.slug for it in contacts if it.team.slug != own), None))


def _in_directory(known: Index, named: str, own: str) -> Instead | None:
    """The team of which the words name a public address, else its slug or whole name."""
    words = {word.strip("<>()[],;:.'\"").lower().removeprefix("mailto:") for word in named.split()}
    by_name = None
    for slug, indexed in known.indexed.items():
        if slug == own:
            continue
        for channel in indexed.team.channels:
            if channel.audience == "public" and channel.value.lower() in words:
                return Instead(named, slug, (channel.kind, channel.value))
        if slug == named.strip().lower() or fold(indexed.team.name) == fold(named):
            by_name = Instead(named, slug)
    return by_name


def _slug(notification: Notification) -> str:
    team = teams_by_id([notification.team_id])[notification.team_id]
    return index().merged.get(team.slug, team.slug)
