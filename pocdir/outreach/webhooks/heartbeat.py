"""A sign of life to a monitor elsewhere: it comes only while the worker goes round and nothing is past due."""

from __future__ import annotations

import datetime as dt

import structlog

from pocdir import running
from pocdir.outreach.queries.notifications import last_tick
from pocdir.outreach.queries.past_due import is_past_due
from pocdir.outreach.webhooks import rules, sending

EVERY = 60.0  # seconds
LATE = dt.timedelta(seconds=90)
ANYWHERE = rules.networks("0.0.0.0/0,::/0")  # the operator alone says where
_log = structlog.get_logger("pocdir.heartbeat")


def beat(now: dt.datetime) -> int:
    """POST `{}` to POCDIR_HEARTBEAT_URL; 0 where there is nothing to be glad about, or nobody took it."""
    settings = running.settings()
    tick = last_tick()
    if not settings.heartbeat_url or tick is None or now - tick > LATE or is_past_due(now - LATE):
        return 0
    target = rules.target_of(settings.heartbeat_url, rules.HTTP)
    try:
        status = sending.post(target, b"{}", {}, inside=ANYWHERE)
    except sending.NotSentError as refused:
        _log.warning("heartbeat not sent", why=str(refused))
        return 0
    return int(200 <= status < 300)
