"""What the worker does with mail on notifications that the command which took it in has left unread."""

from __future__ import annotations

import datetime as dt

from pocdir import running
from pocdir.outreach.replies.reading import read_next


def read_replies(now: dt.datetime) -> int:
    """Read what came in and answers the letter of a notification; returns how many."""
    read, server = 0, running.settings().authserv_id
    while read_next(now=now, server=server):
        read += 1
    return read
