"""What is said of a proposal, by API and pages alike."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Any

from pocdir.db import db
from pocdir.directory.proposals import queries
from pocdir.directory.proposals.models import Proposal
from pocdir.directory.proposals.rules import OPEN, is_own_words, items_of, renewed
from pocdir.directory.queries import entries
from pocdir.directory.queries.entries import EVERYBODY


def shown(proposal: Proposal, audiences: AbstractSet[str]) -> dict[str, Any]:
    """The values of a proposal's answer, for somebody who may see channels for these audiences."""
    told = {
        "ref": proposal.ref, "team": proposal.team.slug, "by": proposal.by, "note": proposal.note,
        "state": proposal.state, "revision": proposal.revision, "approvals": len(proposal.approvals),
        "changes": [it for it in proposal.changes if _is_seen(it, audiences)], "missing": 0, "not_before": None,
        "proposed_at": proposal.proposed_at, "due_at": proposal.due_at, "settled_at": proposal.settled_at,
        "reason": proposal.reason,
    }  # fmt: skip
    if proposal.state != OPEN:
        return told
    decision = queries.decision_of(proposal, db.session())
    waits = decision.needed.delay and not decision.is_due(proposal.noticed_at)
    return told | {"missing": decision.missing, "not_before": decision.not_before if waits else None}


def is_stale(proposal: Proposal) -> bool:
    """Whether the entry has changed in what the proposal touches since it was last shown."""
    standing = queries.standing(entries.entry(proposal.team.slug, audiences=EVERYBODY))
    changes = items_of(proposal.changes)
    return renewed(changes, standing) != changes


def is_at_once(proposal: Proposal) -> bool:
    """Whether it took effect without anybody's approval."""
    return is_own_words(items_of(proposal.changes))


def _is_seen(change: dict[str, Any], audiences: AbstractSet[str]) -> bool:
    if change["field"] != "channel":
        return True
    return all(side is None or side["audience"] in audiences for side in (change["before"], change["after"]))
