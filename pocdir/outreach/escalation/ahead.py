"""Where many notifications stand on their paths, in as many statements as for one."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from typing import Any

import structlog
from sqlalchemy.orm import Session

from pocdir.core.errors import Refusal
from pocdir.ledger.queries import events_of_notifications
from pocdir.outreach.desk.queries import consents_of
from pocdir.outreach.escalation import around, presentation, queries, returned
from pocdir.outreach.escalation.by_itself import Facts, outlook_of, standing_of
from pocdir.outreach.escalation.models import NotificationPath
from pocdir.outreach.escalation.queries import Around, Looked
from pocdir.outreach.escalation.rules.by_itself import UNFORESEEN
from pocdir.outreach.escalation.rules.targets import Coming, Target
from pocdir.outreach.models import Notification
from pocdir.outreach.replies.queries import waiting_on
from pocdir.outreach.sending.queries import keys_for, may_send
from pocdir.routing.rules.index import Index

_log = structlog.get_logger("pocdir.outreach")


def ahead(
    refs: Sequence[str], session: Session, *, workspace_id: int, known: Index, now: dt.datetime
) -> dict[str, dict[str, Any]]:
    """By reference the step of each that really comes next (`coming`), and whether it goes out by itself.

    Of the workspace's notifications (as many as a page has) whose policy was approved beforehand, as
    deciding.path_shown says it of one. What cannot be worked out is left out.
    """
    told = around.approved(refs, session, workspace_id)
    found = _coming(told, session, known, now)
    to = {it.target for _, _, it in found if isinstance(it.target, Target) and not it.rung.recorded}
    consents = consents_of({each.team for each in to}, session) if to else {}
    keys = keys_for({(each.team, each.value) for each in to}, now)
    mail = waiting_on([each.ref for each, _, _ in found], session) if found else set()
    others = returned.over_other_channel([each.id for each, _, _ in found], session)
    slugs = around.slugs([each.team_id for each, _, _ in found], session)
    allowed = may_send(workspace_id, session)
    shown = {}
    for each, looked, coming in found:
        standing, target = None, coming.target
        if target in to and isinstance(target, Target):
            facts = Facts(
                slugs[each.team_id], keys[target.team, target.value], each.ref in mail, each.id in others
            )
            consent = consents.get(target.team)
            standing = standing_of(each, looked, coming.rung, target, consent, facts, known, is_first=True)
        shown[each.ref] = {"coming": presentation.shown_coming(coming)} | outlook_of(
            looked, coming, standing, may_send=allowed
        )
    return shown


def _coming(
    told: Sequence[tuple[Notification, NotificationPath]], session: Session, known: Index, now: dt.datetime
) -> list[tuple[Notification, Looked, Coming]]:
    """What comes next for each for which there is something to come."""
    if not told:
        return []
    events = events_of_notifications([each.ref for each, _ in told], session)
    steps = [ref for each, row in told for ref in queries.led_to(events[each.ref], row.policy.ref)]
    later = events_of_notifications(steps, session) if steps else {}
    notifications = [each for each, _ in told]
    places = around.places([each.id for each in notifications], session)
    same = around.same(notifications, session)
    today, found = now.date(), []
    for each, row in told:
        try:
            looked = Looked(each, row, session, now, events[each.ref], Around(places[each.id], later))
            reported = queries.reported_of(each, same[each.id])
            coming = queries.coming_of(
                looked, now, partial(queries.target_for, told=reported, known=known, on=today)
            )
        except (Refusal, *UNFORESEEN):
            _log.exception("path cannot be worked out", notification=each.ref)
            continue
        if coming is not None:
            found.append((each, looked, coming))
    return found
