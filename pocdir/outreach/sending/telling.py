"""Telling a team as NotificationSchema loads it: recorded, and sent from here where that is asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from pocdir.core.errors import Invalid
from pocdir.outreach.actions.notifications import log_as_given
from pocdir.outreach.queries.notifications import ids_of
from pocdir.outreach.queries.plans import Routed
from pocdir.outreach.sending.actions import send
from pocdir.outreach.sending.queries import last_sending


def tell(
    session: Session,
    given: Mapping[str, Any],
    *,
    routed: Routed,
    workspace_id: int,
    now: dt.datetime,
    actor: str,
    key: str | None = None,
) -> str:
    """Record a notification and, with `send`, queue its letter, in one transaction; returns its reference.

    Raises what log_as_given and send raise, Invalid `send_dated`.
    """
    _require_now(given)
    ref = log_as_given(
        session, given, routed=routed, workspace_id=workspace_id, now=now, actor=actor, key=key
    )
    if given["send"]:
        send_each(session, [ref], given, now=now, actor=actor)
    return ref


def send_each(
    session: Session, refs: Iterable[str], given: Mapping[str, Any], *, now: dt.datetime, actor: str
) -> None:
    """Queue the letter of each that was not sent before: a page's button and a repeated request send once.

    `given` has `sent_at`, `plain_text`, `people_at_risk`. Raises what send raises, Invalid `send_dated`.
    """
    _require_now({**given, "send": True})
    for ref, number in ids_of(list(refs), session).items():
        if last_sending(number, session) is None:
            send(
                session, ref=ref, now=now, actor=actor, plain_text=given["plain_text"],
                people_at_risk=given["people_at_risk"],
            )  # fmt: skip


def _require_now(given: Mapping[str, Any]) -> None:
    if given["send"] and given["sent_at"] is not None:
        message = "what this service sends is sent now; leave the time out"
        raise Invalid("send_dated", message, where="sent_at")
