"""Every change to webhooks and their messages; each act of a person leaves a line in the log, without the secret."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence

import structlog
from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from pocdir.accounts.models import Workspace
from pocdir.core.errors import Conflict, Invalid
from pocdir.core.refs import new_ref
from pocdir.db import inserts_once, table_of
from pocdir.driver import execute_many
from pocdir.ledger.models import EventReader, UnreadEvent
from pocdir.ledger.queries import event_by_id
from pocdir.ledger.rules.vocabulary import VOCABULARY
from pocdir.mail.actions import enqueue
from pocdir.outreach.webhooks import queries, rules
from pocdir.outreach.webhooks.models import CLAIMED, DEAD, QUEUED, SENT, Delivery, Webhook

READER = "webhooks"
LEASE = dt.timedelta(minutes=5)
_ONCE = inserts_once(table_of(Delivery))
_READER_ONCE = inserts_once(table_of(EventReader))
_log = structlog.get_logger("pocdir.webhooks")


def subscribe(
    session: Session,
    *,
    workspace_id: int,
    url: str,
    types: Sequence[str],
    mode: str,
    now: dt.datetime,
    actor: str,
) -> Webhook:
    """Raises Invalid `webhook_url_invalid`, `event_unknown`, Forbidden `webhooks_off`, Conflict `webhooks_too_many`."""
    rules.target_of(url, mode)
    for each in types:
        if each not in VOCABULARY:
            raise Invalid("event_unknown", f"{each[:60]!r} is no event of this service", where="types")
    # Two at once count one after the other.
    session.get_one(Workspace, workspace_id, with_for_update={"key_share": True})
    if len(queries.webhooks(workspace_id, session)) >= rules.MOST:
        raise Conflict("webhooks_too_many", f"a workspace has at most {rules.MOST} webhooks")
    webhook = Webhook(
        ref=new_ref(now),
        workspace_id=workspace_id,
        url=url,
        types=sorted(set(types)),
        created_at=now,
        created_by=actor,
    )
    session.add(webhook)
    session.flush()
    _listen(session)
    _log.info("webhook made", webhook=webhook.ref, workspace=workspace_id, actor=actor)
    return webhook


def renew_secret(session: Session, webhook: Webhook, *, actor: str) -> None:
    """Give a webhook another secret from now on; the old one signs nothing more."""
    webhook.generation += 1
    session.flush()
    _log.info("webhook secret renewed", webhook=webhook.ref, actor=actor)


def enable(session: Session, webhook: Webhook, *, actor: str) -> None:
    """Switch a webhook on again; what was given up goes again when `retry` says so."""
    webhook.disabled_at = webhook.disabled_because = webhook.failing_since = webhook.paused_until = None
    webhook.failures = 0
    session.flush()
    _listen(session)
    _log.info("webhook enabled", webhook=webhook.ref, actor=actor)


def disable(session: Session, webhook: Webhook, *, because: str, now: dt.datetime, actor: str) -> None:
    """Switch a webhook off: nothing more goes there, and what waits is given up."""
    webhook.disabled_at, webhook.disabled_because = now, because
    session.execute(
        update(Delivery)
        .where(Delivery.webhook_id == webhook.id, Delivery.state.in_((QUEUED, CLAIMED)))
        .values(state=DEAD, settled_at=now, lease_until=None, error="the webhook was switched off")
    )
    session.flush()
    _listen(session)
    _log.info("webhook disabled", webhook=webhook.ref, because=because, actor=actor)


def remove(session: Session, webhook: Webhook, *, actor: str) -> None:
    """Forget it and its messages."""
    session.execute(delete(Delivery).where(Delivery.webhook_id == webhook.id))
    session.delete(webhook)
    session.flush()
    _listen(session)
    _log.info("webhook removed", webhook=webhook.ref, actor=actor)


def retry(session: Session, webhook: Webhook, *, now: dt.datetime) -> int:
    """Everything that was given up goes again; returns how many."""
    done = session.execute(
        update(Delivery)
        .where(Delivery.webhook_id == webhook.id, Delivery.state == DEAD)
        .values(state=QUEUED, attempts=0, next_attempt_at=now, settled_at=None)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def send_test(session: Session, webhook: Webhook, *, now: dt.datetime) -> str:
    """Queue a message that says nothing happened; returns its id."""
    ref = new_ref(now)
    session.add(
        Delivery(
            webhook_id=webhook.id,
            event=ref,
            type=rules.TEST,
            state=QUEUED,
            next_attempt_at=now,
            created_at=now,
        )
    )
    session.flush()
    return ref


def fan_out(session: Session, *, limit: int, now: dt.datetime) -> int:
    """A message for every webhook that listens, of the events that were appended since; returns how many events."""
    unread = queries.unread(session, limit)
    rows = []
    for event in filter(None, (event_by_id(ref, session) for ref in unread)):
        owner = queries.workspace_of(session, event)
        for each in queries.webhooks(owner, session) if owner is not None else ():
            if each.disabled_at is None and (not each.types or event.type in each.types):
                about = {"webhook_id": each.id, "event": event.id, "type": event.type}
                rows.append(
                    about | {"state": QUEUED, "attempts": 0, "next_attempt_at": now, "created_at": now}
                )
    if rows:
        connection = session.connection()
        execute_many(connection, _ONCE[connection.dialect.name], rows)
    session.execute(delete(UnreadEvent).where(UnreadEvent.event.in_(unread)))
    return len(unread)


def claim(
    session: Session, *, now: dt.datetime, busy: Collection[int] = (), full: Collection[int] = ()
) -> Delivery | None:
    """The next message, for this worker alone until its lease ends; none of these webhooks and workspaces."""
    delivery = queries.due(session, now=now, busy=busy, full=full)
    if delivery is not None:
        delivery.state, delivery.lease_until = CLAIMED, now + LEASE
        delivery.attempts += 1
        session.flush()
    return delivery


def settle(
    session: Session,
    delivery: Delivery,
    *,
    status: int | None,
    error: str | None,
    domain: str,
    now: dt.datetime,
) -> None:
    """Write down what became of an attempt; `status` of the answer, or None and the `error`.

    Who has switched the webhook off meanwhile has given the message up and needs no letter about it.
    """
    webhook = queries.webhook_to_change(delivery.webhook_id, session)
    if webhook is None:  # removed meanwhile, and its messages with it
        return
    session.refresh(delivery)
    given_up = webhook.disabled_at is not None or delivery.state == DEAD
    delivery.lease_until, delivery.status, delivery.error = None, status, error and error[:200]
    if status is not None and 200 <= status < 300:
        delivery.state, delivery.settled_at = SENT, now
        webhook.failing_since = webhook.paused_until = None
        webhook.failures = 0
        return
    if given_up:
        delivery.state, delivery.settled_at = DEAD, delivery.settled_at or now
        return
    pause = rules.pause_after(delivery.attempts)
    if pause is None:
        delivery.state, delivery.settled_at = DEAD, now
    else:
        delivery.state, delivery.next_attempt_at = QUEUED, now + pause
    webhook.failing_since = webhook.failing_since or now
    if rules.is_theirs(status):
        webhook.failures += 1
        last = rules.PAUSES[min(webhook.failures, 4) - 1]
        webhook.paused_until = now + dt.timedelta(seconds=last)
    if status == rules.GONE:
        disable(session, webhook, because="gone", now=now, actor="service")
    elif now - webhook.failing_since >= rules.GIVEN_UP_AFTER:
        disable(session, webhook, because="failing", now=now, actor="service")
    if webhook.disabled_at is not None:
        _send_notices(session, webhook, domain=domain, now=now)
    session.flush()


def tidy(session: Session, *, now: dt.datetime) -> int:
    """Forget what was settled long enough ago; returns how many."""
    over = Delivery.settled_at <= now - rules.KEPT
    return int(session.execute(delete(Delivery).where(over)).rowcount)  # type: ignore[attr-defined]


def _send_notices(session: Session, webhook: Webhook, *, domain: str, now: dt.datetime) -> None:
    why = (
        "its receiver answered 410 Gone"
        if webhook.disabled_because == "gone"
        else "no message was taken for five days"
    )
    for email in queries.owners_addresses(webhook.workspace_id, session):
        if email.endswith("@localhost"):
            continue
        enqueue(
            session,
            kind="webhook_disabled",
            to=email,
            subject="A webhook was switched off",
            body=f"A webhook of your workspace was switched off: {why}.\n\n{webhook.url}\n\n"
            "What it missed is kept for 30 days. Switch it on again on the page of your webhooks.\n",
            key=f"webhook:{webhook.ref}:{now.isoformat()}:{email}"[:200],
            domain=domain,
            now=now,
        )


def _listen(session: Session) -> None:
    """Say to the ledger whether anybody wants to hear of new events; without, appending one writes no more.

    One after the other: who counts sees what the one before has changed.
    """
    reader = select(EventReader.name).where(EventReader.name == READER).with_for_update()
    while session.scalar(reader) is None:
        connection = session.connection()
        connection.execute(_READER_ONCE[connection.dialect.name], {"name": READER})
    listening = session.scalar(select(func.count()).select_from(Webhook).where(Webhook.disabled_at.is_(None)))
    if not listening:
        session.execute(delete(EventReader).where(EventReader.name == READER))
        # A worker that reads some now takes those away itself.
        unread = select(UnreadEvent.event).with_for_update(skip_locked=True)
        session.execute(delete(UnreadEvent).where(UnreadEvent.event.in_(unread)))
