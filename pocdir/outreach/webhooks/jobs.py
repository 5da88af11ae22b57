"""What the worker does for webhooks: look up who listens, and hand each message over."""

from __future__ import annotations

import datetime as dt
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from queue import SimpleQueue
from typing import NamedTuple

import structlog

from pocdir import running
from pocdir.config import Settings
from pocdir.core import clock
from pocdir.core.errors import Refusal
from pocdir.db import db, transaction
from pocdir.ledger.queries import event_by_id
from pocdir.outreach.presentation.contests import contest_events
from pocdir.outreach.webhooks import actions, queries, rules, sending
from pocdir.outreach.webhooks.models import Delivery

BATCH = 200
ABREAST = 8  # receivers that are told at once
SHARE = 2  # of one workspace: what it names may be slow
_log = structlog.get_logger("pocdir.webhooks")


def queue(now: dt.datetime) -> int:
    """Fan new events out to the webhooks that listen; returns how many events."""
    done = 0
    while True:
        with transaction() as session:
            found = actions.fan_out(session, limit=BATCH, now=now)
        done += found
        if found < BATCH:
            return done


def tidy(now: dt.datetime) -> int:
    """Forget messages that were settled long ago."""
    with transaction() as session:
        return actions.tidy(session, now=now)


class _Attempt(NamedTuple):
    """One message under way: whose it is, and what goes where."""

    delivery: int
    webhook: int
    workspace: int
    target: rules.Target | None
    body: bytes
    headers: Mapping[str, str]
    error: str | None = None


_Answer = tuple[_Attempt, int | None, str | None]


def deliver(now: dt.datetime, *, go_on: Callable[[], bool] = lambda: True, most: int = 1000) -> int:
    """Send what may go now to several receivers side by side, to each one message after the other; returns how many
    were taken.

    Nothing but the sending itself happens in other threads, and no transaction is open meanwhile.
    """
    settings = running.settings()
    answers, under_way = SimpleQueue[_Answer](), list[_Attempt]()
    left, taken = most if settings.webhooks != rules.OFF else 0, 0
    while True:
        while len(under_way) < ABREAST and left and go_on():
            attempt = _next(settings, under_way, max(now, clock.now()))
            if attempt is None:
                break
            left -= 1
            under_way.append(attempt)
            sender = (attempt, rules.networks(settings.webhook_networks), answers)
            threading.Thread(target=_send, args=sender, name="pocdir-webhook", daemon=True).start()
        if not under_way:
            return taken
        attempt, status, error = answers.get()
        under_way.remove(attempt)
        with transaction() as session:
            kept = session.get(Delivery, attempt.delivery, populate_existing=True)
            if kept is not None:  # else its webhook was removed meanwhile
                actions.settle(
                    session, kept, status=status, error=error, domain=settings.mail_domain, now=clock.now()
                )
        taken += error is None


def _next(settings: Settings, under_way: Sequence[_Attempt], now: dt.datetime) -> _Attempt | None:
    """The next message, claimed; none to a receiver that is being told, nor to a workspace that has its share."""
    busy = {each.webhook for each in under_way}
    shares = Counter(each.workspace for each in under_way)
    full = {workspace for workspace, count in shares.items() if count >= SHARE}
    with transaction() as session:
        delivery = actions.claim(session, now=now, busy=busy, full=full)
        ref = delivery.id if delivery else None
    if ref is None:
        return None
    delivery = db.session().get_one(Delivery, ref, populate_existing=True)
    webhook, now = delivery.webhook, clock.now()
    about = (ref, webhook.id, webhook.workspace_id)
    try:
        target = rules.target_of(webhook.url, settings.webhooks)
    except Refusal as refusal:  # the operator's rules are stricter now
        return _Attempt(*about, None, b"", {}, str(refusal))
    body, message = _body(delivery, settings, now), f"msg_{delivery.event}"
    secret = rules.secret_of(running.secret(), webhook.ref, webhook.generation)
    db.session.remove()  # no reader waits for a slow receiver
    return _Attempt(*about, target, body, rules.headers(secret, message, body, now))


def _send(attempt: _Attempt, inside: Sequence[rules.Network], answers: SimpleQueue[_Answer]) -> None:
    """Hand one message over and say what came of it: a status, or in words what went wrong."""
    status, error = None, attempt.error
    try:
        if attempt.target is not None:
            status = sending.post(attempt.target, attempt.body, attempt.headers, inside=inside)
            error = None if 200 <= status < 300 else f"answered {status}"
    except sending.NotSentError as refused:
        error = str(refused)
    except Exception:  # somebody waits for the answer
        _log.exception("webhook not sent")
        error = "it could not be sent"
    answers.put((attempt, status, error))


def _body(delivery: Delivery, settings: Settings, now: dt.datetime) -> bytes:
    event = event_by_id(delivery.event)
    if event is None:
        return rules.test_body(now, delivery.webhook.ref)
    base = settings.external_url
    links = {
        "url": f"{base}/notifications/{event.notification}"
        if event.notification
        else f"{base}/incidents/{event.incident}"
    }
    about = event.notification or ""
    contested = contest_events([about])[about] if about else []
    return rules.body_of(event, red=queries.is_red(db.session(), event), contested=contested, links=links)
