"""Reading the mails on notifications, one after the other, each in a transaction of its own."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from pocdir.mail import receiving
from pocdir.mail.models import Mail, Received
from pocdir.outreach.replies import actions, copies
from pocdir.outreach.rules.letter import MAIL

LETTERS = (MAIL,)


def read_next(*, now: dt.datetime, server: str | None, ref: str | None = None) -> bool:
    """Read the oldest mail on a notification that nobody has read (or this one). False: there is none.

    `server`: the authserv-id of our own mail server, whose word on signatures counts; None: nobody's does.
    """

    def read(session: Session, row: Received, letter: Mail | None) -> None:
        if letter is not None:
            actions.read(session, row, letter, now=now)
        else:
            copies.read_copy(session, row, server=server, now=now)

    return receiving.read_next(read, kinds=LETTERS, ref=ref, copies=True)
