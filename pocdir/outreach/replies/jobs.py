"""What the worker does with mail on notifications that the command which took it in has left unread."""

from __future__ import annotations

import datetime as dt

from pocdir.outreach.replies.reading import read_next


def read_replies(now: dt.datetime) -> int:
    """Read what came in and answers the letter of a notification; returns how many."""
    read = 0
    while read_next(now=now):
        read += 1
    return read
