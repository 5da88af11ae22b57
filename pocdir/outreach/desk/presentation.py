"""What is said of a team's own desk, by API and pages alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pocdir.core import tlp
from pocdir.core.errors import Invalid
from pocdir.core.times import duration
from pocdir.directory.formats import records
from pocdir.directory.queries import entries
from pocdir.directory.rules.record import PROMISES
from pocdir.ledger.rules.vocabulary import NOTIFICATION_KINDS
from pocdir.outreach.desk import queries
from pocdir.outreach.desk.digests import addresses
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
    """What was told to a team, one by one, of notifications that come some at once."""
    for part in parts:
        yield from told(part)


def own_words(said: Mapping[str, Any]) -> dict[str, Any]:
    """What a team publishes of itself, as the boxes of its desk hold it."""
    opted_out = said["opt_outs"]
    return {
        "declines": [kind for kind in NOTIFICATION_KINDS if kind in opted_out],
        "classes": " ".join(each for each in opted_out if each not in NOTIFICATION_KINDS),
        "intake": said["intake"],
    } | {f"promise.{name}": (said["promise"] or {}).get(name) or "" for name in PROMISES}


def lengths_refused(promise: Mapping[str, str]) -> dict[str, list[str]]:
    """What is wrong with the lengths of time of a promise, each by its own box."""
    wrong: dict[str, list[str]] = {}
    for name, length in promise.items():
        try:
            if length:
                duration(length)
        except Invalid as refusal:
            wrong[f"promise.{name}"] = [refusal.message]
    return wrong


def facts_of(typed: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that the boxes say; raises Invalid with the fact in `where`."""
    opted_out = [*typed["declines"], *typed["classes"].replace(",", " ").split()]
    return records.facts(
        {
            "opt_outs": [each for each in dict.fromkeys(opted_out) if each],
            "intake": [each for each in typed["intake"] if each],
            "promise": {name: length for name, length in typed["promise"].items() if length} or None,
        }
    )


def desk(team_id: int) -> dict[str, Any]:
    """A team's desk: what it says of itself, and the daily mail that it has asked for."""
    slug, digest = queries.slug_of(team_id), queries.digest_of(team_id)
    entry = entries.entry(slug, audiences=queries.ITS_OWN)
    said = entries.said(entry.team)
    return {name: said[name] for name in ("opt_outs", "intake", "promise")} | {
        "team": slug,
        "takes": queries.takes_of(team_id),
        "digest": {"hour": digest.hour, "address": digest.address} if digest else None,
        "addresses": addresses(entry),
    }
