"""The same fact recorded about many notifications, each accepted or refused by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core.errors import Refusal
from pocdir.outreach.actions.facts import record_fact
from pocdir.outreach.actions.threads import keep_threads
from pocdir.outreach.queries import notifications as queries
from pocdir.outreach.queries.notifications import Viewer
from pocdir.outreach.rules.posting import check_readable, claim_of
from pocdir.outreach.rules.thread import SPEAKING


@dataclass(frozen=True, slots=True)
class Done:
    """What became of one: its new event, or why not."""

    ref: str
    event: str | None
    refused: Mapping[str, str] | None  # code, detail

    def as_dict(self) -> dict[str, Any]:
        return {"ref": self.ref, "event": self.event, "refused": self.refused}


def record_for_many(
    session: Session,
    refs: Sequence[str],
    viewer: Viewer,
    *,
    type: str,
    payload: Mapping[str, Any],
    now: dt.datetime,
    actor: str,
    occurred_at: dt.datetime | None = None,
    precision: str = "exact",
    once: str = "",
) -> list[Done]:
    """One event for each, in the order asked, each reference once; a refused one leaves nothing behind.

    A foreign notification is refused like one that does not exist. With `once`, the same word from the same actor
    gives the events that stand.
    """
    own = queries.lock_own(refs, viewer, session)
    done, changed = [], []
    for ref in dict.fromkeys(refs):
        try:
            with session.begin_nested():
                row = queries.own_notification_to_record(ref, viewer, session, among=own)
                check_readable(payload)
                claimed_by, assurance = claim_of(type, queries.poster_of(viewer, row) or "")
                event = record_fact(
                    session, row, type=type, payload=payload, now=now, actor=actor, claimed_by=claimed_by,
                    assurance=assurance, occurred_at=occurred_at, precision=precision,
                    scope=f"many:{actor}:{type}" if once else None, key=f"{once}:{ref}" if once else None,
                    keeps_thread=False,
                )  # fmt: skip
            changed.append(row)
            done.append(Done(ref, event.id, None))
        except Refusal as refusal:
            done.append(Done(ref, None, {"code": refusal.code, "detail": refusal.message}))
    if type in SPEAKING:
        keep_threads(session, [row.id for row in changed], now=now)
    return done
