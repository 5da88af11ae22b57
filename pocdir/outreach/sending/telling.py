"""Telling a team as NotificationSchema loads it: recorded, and sent from here where that is asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from pocdir.accounts.guards import Principal
from pocdir.core.errors import Conflict, Invalid, Refusal
from pocdir.outreach.actions.notifications import log_as_given
from pocdir.outreach.queries.notifications import (
    ids_of,
    members_notification_to_change,
    notification_to_change,
)
from pocdir.outreach.queries.plans import Routed
from pocdir.outreach.queries.snapshots import snapshot_for_recipient
from pocdir.outreach.sending.actions import require_read, send
from pocdir.outreach.sending.means import means
from pocdir.outreach.sending.queries import last_sending, may_send


def is_offered(workspace_id: int | None) -> bool:
    """Whether this workspace can let the service send: a relay is set up, and it was allowed to."""
    return means().can_send and may_send(workspace_id)


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

    Raises what log_as_given and send raise, Invalid `send_dated`, `plain_text_alone`.
    """
    _require_now(given)
    require_sent(given)
    ref = log_as_given(
        session, given, routed=routed, workspace_id=workspace_id, now=now, actor=actor, key=key
    )
    if given["send"]:
        send_each(session, [ref], given, now=now, actor=actor)
    return ref


def require_rules_read(session: Session, ref: str, given: Mapping[str, Any]) -> None:
    """Refuse what was logged here to a team that does not take it, or against its rules, unless `given` says that
    its sender knows so (`despite_opt_out`, `despite_rules`): the transaction that logged it rolls back.

    Without a notification of this reference nothing is refused. Raises Conflict `opted_out`, `rules_not_met`.
    """
    found = notification_to_change(ref, session)
    if found is not None:
        require_read(
            session, found, despite_rules=given["despite_rules"], despite_opt_out=given["despite_opt_out"]
        )


def send_each(
    session: Session, refs: Iterable[str], given: Mapping[str, Any], *, now: dt.datetime, actor: str
) -> None:
    """Queue the letter of each that was not sent before: a page's button and a repeated request send once.

    `given` has `sent_at`, `people_at_risk` and the rules.SEND_FLAGS. Raises what send raises, Invalid `send_dated`.
    """
    _require_now({**given, "send": True})
    for ref, number in ids_of(list(refs), session).items():
        if last_sending(number, session) is None:
            _send_one(session, ref, given, now=now, actor=actor)


def _send_one(session: Session, ref: str, given: Mapping[str, Any], *, now: dt.datetime, actor: str) -> None:
    """Queue the letter of one among many; its refusal says which team's it is."""
    try:
        send(
            session, ref=ref, now=now, actor=actor, plain_text=given["plain_text"],
            despite_rules=given["despite_rules"], despite_opt_out=given["despite_opt_out"],
            people_at_risk=given["people_at_risk"],
        )  # fmt: skip
    except Refusal as refusal:
        refusal.message = f"{snapshot_for_recipient(ref).row.team_slug}: {refusal.message}"
        raise


def _require_now(given: Mapping[str, Any]) -> None:
    if given["send"] and given["sent_at"] is not None:
        message = "what this service sends is sent now; leave the time out"
        raise Invalid("send_dated", message, where="sent_at")


def require_sent(given: Mapping[str, Any]) -> None:
    """Refuse `plain_text` without `send`: logged alone, a clock would run for what never left.

    Raises Invalid `plain_text_alone`.
    """
    if given["plain_text"] and not given["send"]:
        message = "plain text is for what is sent from here: say that it is sent too, or leave it out"
        raise Invalid("plain_text_alone", message, where="plain_text")


def try_again(
    session: Session, viewer: Principal, ref: str, given: Mapping[str, Any], *, now: dt.datetime
) -> bool:
    """Make the letter of a notification of the caller's workspace anew; whether it is queued.

    Raises NotFound `notification_unknown`, Conflict `not_sent_here`, and what send raises.
    """
    found = members_notification_to_change(ref, viewer, session)
    if last_sending(found.id, session) is None:
        message = "its sender has sent it: what this service did not send it does not send again"
        raise Conflict("not_sent_here", message)
    return send(session, ref=ref, now=now, actor=viewer.actor, **given)
