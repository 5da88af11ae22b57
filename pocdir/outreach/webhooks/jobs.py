"""What the worker does for webhooks: look up who listens, and hand each message over."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from flask import current_app

from pocdir.config import Settings
from pocdir.core import clock
from pocdir.core.errors import Refusal
from pocdir.db import db, transaction
from pocdir.ledger.queries import event_by_id
from pocdir.outreach.webhooks import actions, queries, rules, sending
from pocdir.outreach.webhooks.models import Delivery

BATCH = 200


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


def deliver(now: dt.datetime, *, go_on: Callable[[], bool] = lambda: True, most: int = 1000) -> int:
    """Send what may go now, one after the other, no transaction open meanwhile; returns how many were taken."""
    settings: Settings = current_app.extensions["pocdir"]
    taken = 0
    for _ in range(most if settings.webhooks != rules.OFF else 0):
        if not go_on():
            break
        with transaction() as session:
            delivery = actions.claim(session, now=max(now, clock.now()))
            ref = delivery.id if delivery else None
        if ref is None:
            break
        status, error = _attempt(ref, settings)
        with transaction() as session:
            kept = session.get_one(Delivery, ref, populate_existing=True)
            actions.settle(
                session, kept, status=status, error=error, domain=settings.mail_domain, now=clock.now()
            )
        taken += error is None
    return taken


def _attempt(ref: int, settings: Settings) -> tuple[int | None, str | None]:
    """(status, None where it was taken), or what went wrong."""
    session = db.session()
    delivery = session.get_one(Delivery, ref, populate_existing=True)
    webhook, now = delivery.webhook, clock.now()
    try:
        target = rules.target_of(webhook.url, settings.webhooks)
    except Refusal as refusal:  # the operator's rules are stricter now
        return None, str(refusal)
    body, message = _body(delivery, settings, now), f"msg_{delivery.event}"
    secret = rules.secret_of(settings.secret_key.encode(), webhook.ref, webhook.generation)
    db.session.remove()  # no reader waits for a slow receiver
    try:
        status = sending.post(
            target,
            body,
            rules.headers(secret, message, body, now),
            inside=rules.networks(settings.webhook_networks),
        )
    except sending.NotSentError as error:
        return None, str(error)
    return status, None if 200 <= status < 300 else f"answered {status}"


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
    return rules.body_of(event, red=queries.is_red(db.session(), event), links=links)
