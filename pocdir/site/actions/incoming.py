"""Taking one mail in: it is kept first, and then the room reads it whose letter it answers."""

from __future__ import annotations

import datetime as dt
from typing import BinaryIO

from pocdir.db import transaction
from pocdir.directory.checks import received as checks
from pocdir.mail import receiving
from pocdir.mail.models import Received
from pocdir.outreach.replies import copies
from pocdir.outreach.replies import reading as replies

PRIVATE = frozenset(replies.LETTERS)  # what comes back on these their workspace alone reads
READ = PRIVATE | frozenset(checks.LETTERS)  # kinds of letters of which a room reads what comes back


def take(
    file: BinaryIO,
    *,
    secret: bytes,
    server: str | None,
    now: dt.datetime,
    sender: str | None = None,
    to: str | None = None,
) -> Received:
    """Keep one mail; `sender` and `to` are the envelope's, where they are known, `server` the authserv-id of our own
    mail server. Where it raises, nothing is kept."""
    looked = receiving.look(receiving.taken_in(file), secret=secret, sender=sender, to=to)
    copy_of = copies.claimed(looked.mail, server=server)
    with transaction() as session:
        return receiving.keep(
            session, looked, secret=secret, now=now, read=READ, private=PRIVATE, copy_of=copy_of
        )


def read(row: Received, *, secret: bytes, server: str | None, now: dt.datetime) -> None:
    """What follows from a mail that is kept; what is left unread the worker reads."""
    ref = row.ref
    if not checks.read_next(now=now, secret=secret, ref=ref):
        replies.read_next(now=now, server=server, ref=ref)
