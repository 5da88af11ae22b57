"""What is said of a webhook, by API, page and command alike."""

from __future__ import annotations

from typing import Any

from pocdir import running
from pocdir.outreach.webhooks import rules
from pocdir.outreach.webhooks.models import QUEUED, Delivery, Webhook


def shown(webhook: Webhook, *, secret: bool = False) -> dict[str, Any]:
    """A webhook; its secret only where it was made just now."""
    names = ("ref", "url", "types", "disabled_because", "failing_since", "created_at")
    return {name: getattr(webhook, name) for name in names} | {
        "enabled": webhook.disabled_at is None,
        "secret": secret_of(webhook) if secret else None,
    }


def secret_of(webhook: Webhook) -> str:
    """What its receiver checks signatures with."""
    service = running.secret()
    return rules.secret_of(service, webhook.ref, webhook.generation)


def message(delivery: Delivery) -> dict[str, Any]:
    """A message as API and page show it."""
    names = ("type", "state", "attempts", "status", "error", "created_at", "settled_at")
    return {name: getattr(delivery, name) for name in names} | {
        "id": f"msg_{delivery.event}",
        "next_attempt_at": delivery.next_attempt_at if delivery.state == QUEUED else None,
    }
