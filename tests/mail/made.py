"""Letters for tests."""

from __future__ import annotations

import datetime as dt
from typing import Any

from pocdir.db import transaction
from pocdir.mail.actions import Queued, enqueue


def queued(now: dt.datetime, **given: Any) -> Queued:
    """One letter in the outbox, in a transaction of its own."""
    letter: dict[str, Any] = {
        "kind": "confirmation",
        "to": "cert@example.org",
        "subject": "Please confirm your entry",
        "body": "Dear colleagues,\n\nis this still right?\n",
        "key": "confirmation:cert:2026",
        "domain": "pocdir.example",
        "team": "cert",
    }
    with transaction() as session:
        return enqueue(session, **(letter | given), now=now)
