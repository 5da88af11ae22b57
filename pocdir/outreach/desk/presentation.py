"""What is said of a team's own desk, by API and pages alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pocdir.core import tlp
from pocdir.outreach.queries import parcels
from pocdir.outreach.queries.snapshots import Snapshot
from pocdir.outreach.queries.told import senders

_AS_SENT = (
    "ref", "kind", "sent_at", "tlp", "language", "subject", "body", "assets", "answer_asked", "response",
    "created_at", "withdrawn_at",
)  # fmt: skip


def told(found: Sequence[Snapshot]) -> list[dict[str, Any]]:
    """What was told to a team, each as its letter said it: nothing of its incident under a stricter label."""
    names = senders(found)
    files = parcels.of_notifications([each.row.id for each in found])
    return [
        _told(each)
        | {
            "sender": names[each.row.workspace_id],
            "parcels": [parcels.shown(parcel) for parcel in files[each.row.id]],
        }
        for each in found
    ]


def _told(each: Snapshot) -> dict[str, Any]:
    row = each.row
    may_tell = row.incident_tlp is not None and tlp.is_at_least(row.tlp, row.incident_tlp)
    return {name: getattr(row, name) for name in _AS_SENT} | {
        "since": (row.detected_from if may_tell else None) or row.sent_at,
        "class": row.rsit_class if may_tell else None,
        "type": row.rsit_type if may_tell else None,
        "channel": {"kind": row.channel_kind, "value": row.channel_value},
        "expect": [{"of": one.of, "due_at": one.due_at} for one in each.expectations],
    }


def in_parts(parts: Iterator[list[Snapshot]]) -> Iterator[dict[str, Any]]:
    """The same of what comes some at once."""
    for part in parts:
        yield from told(part)
