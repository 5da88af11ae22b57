"""The working list as an Atom feed (RFC 4287)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from flask import Response, render_template

from pocdir import running
from pocdir.core import tlp
from pocdir.outreach.presentation.contests import contested_of
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries import snapshots
from pocdir.outreach.queries.feed import Reader
from pocdir.outreach.rules import feed as feeds


def atom(
    reader: Reader, narrowed: Mapping[str, Any], chosen: Mapping[str, str], *, now: dt.datetime
) -> Response:
    """Whom, since when, and what the team set against it; no more of what it is about.

    `narrowed` as snapshots.working_list takes it, `chosen` the same as the arguments of the page.
    """
    found, _total = snapshots.working_list(
        reader, now=now, sort="-due", **narrowed, offset=0, limit=feeds.MOST
    )
    contested = contested_of(found)
    entries = [_entry(each, contested.get(each.row.ref, [])) for each in found]
    text = render_template(
        "outreach/feed.xml",
        workspace=reader,
        state=narrowed["state"],
        chosen=chosen,
        entries=entries,
        updated=max((each["due"] for each in entries), default=None),
        base=running.settings().external_url,
    )
    return Response(text, content_type="application/atom+xml; charset=utf-8")


def _due(each: snapshots.Snapshot) -> dt.datetime:
    """The earliest that has passed without what was asked for, else what runs, else the sending."""
    lapsed = [one.due_at for one in each.expectations if one.state in queries.NOT_ANSWERED]
    due: dt.datetime = min(lapsed, default=each.row.due or each.row.sent_at)
    return due


def _entry(each: snapshots.Snapshot, contested: list[dict[str, Any]]) -> dict[str, Any]:
    row = each.row
    red = tlp.RED in (row.tlp, row.incident_tlp)
    return {
        "ref": row.ref,
        "team": None if red else row.team_name,
        "kind": row.kind,
        "sent_at": row.sent_at,
        "due": _due(each),
        "answered": row.response not in ("awaiting", "receipt"),
        "contested": [it | {"note": None if red else it["note"]} for it in contested],
    }
