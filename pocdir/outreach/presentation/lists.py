"""Notifications and incidents in lists: what waits, what was told, and the numbers of what became of them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from flask import url_for
from flask_babel import gettext as _

from pocdir.outreach.escalation.queries import next_steps
from pocdir.outreach.escalation.rules.targets import other_channel
from pocdir.outreach.presentation.contests import contested_of
from pocdir.outreach.presentation.notification import described
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.snapshots import Snapshot, of_incidents
from pocdir.outreach.rules.fold import RESPONSE_GROUPS, response_group
from pocdir.routing.queries import index


def counted(snapshots: Sequence[Snapshot]) -> dict[str, int]:
    """How many were told (not withdrawn); of these answered, got ticket mail only, nothing, or bounced.

    `not_due`: those without an answer whose time for one has not passed.
    """
    standing = [each.row for each in snapshots if each.row.withdrawn_at is None]
    groups = Counter(response_group(row.response, row.transport) for row in standing)
    return {
        "told": len(standing),
        "withdrawn": len(snapshots) - len(standing),
        "not_due": sum(
            row.clock in ("running", "paused") and response_group(row.response, row.transport) == "no_answer"
            for row in standing
        ),
        **{name: groups[name] for name in RESPONSE_GROUPS},
    }


def incident_rows(rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Incidents as the list shows them, with the numbers of what became of their notifications."""
    told: dict[int, list[Snapshot]] = {}
    for each in of_incidents([incident.id for incident, _assets in rows]):
        told.setdefault(each.row.incident_id, []).append(each)
    names = ("ref", "title", "tlp", "rsit_class", "rsit_type", "people_at_risk", "created_at", "closed_at")
    return [
        {name: getattr(incident, name) for name in names}
        | {"assets": assets}
        | counted(told.get(incident.id, []))
        for incident, assets in rows
    ]


def working_list(found: Sequence[Snapshot], *, now: dt.datetime) -> list[dict[str, Any]]:
    """What waits, each with the time asked for (the earliest that passed), its age, and the next step.

    `step` is that of its policy (target, due_at, state, approved), None without one; then there is a `next` to do by
    hand, once its time is over.
    """
    listed = []
    steps = next_steps([each.row.id for each in found])
    contested = contested_of(found)
    followed = queries.addresses_of_follow_ups([each.row.id for each in found])
    for each in found:
        lapsed = [one.due_at for one in each.expectations if one.state in queries.NOT_ANSWERED]
        values = described(each, sent={}, contested=contested)
        listed.append(
            values
            | {
                "due": min(lapsed, default=each.row.due),
                "waiting": (now - each.row.sent_at).total_seconds(),
                "step": steps.get(each.row.id),
                "next": _by_hand(values, followed.get(each.row.id, ()))
                if lapsed or each.row.transport in ("failed", "stale")
                else None,
            }
        )
    return listed


def _by_hand(values: dict[str, Any], followed: Collection[tuple[str, str]]) -> dict[str, str]:
    """What there is to do without a policy's step: another address of the team that works, or another contact.

    `followed`: over which addresses it was followed up.
    """
    team, channel, ref = values["team"]["slug"], values["channel"], values["ref"]
    if other_channel(index().indexed_team(team), {(channel["kind"], channel["value"]), *followed}):
        return {"text": _("Try another address"), "href": url_for("outreach.notify", team=team, parent=ref)}
    text = _("No further step known: choose a contact")
    return {"text": text, "href": url_for("outreach.notify", kind="referral", parent=ref)}


def told_rows(found: Sequence[Snapshot], senders: Mapping[int, str]) -> list[dict[str, Any]]:
    """What was told to a team, a line each: who wrote, about what, and what is recorded of the answer."""
    names = ("ref", "kind", "sent_at", "tlp", "subject", "response", "withdrawn_at")
    return [
        {name: getattr(each.row, name) for name in names}
        | {
            "workspace": senders[each.row.workspace_id],
            "assets": len(each.row.assets),
            "asked_for": min((one.due_at for one in each.expectations), default=None),
        }
        for each in found
    ]
