"""What a delivery report says of the directory's address, as one about a letter on an entry does."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from pocdir.directory.actions.marking import lock_directory, put_address
from pocdir.directory.rules import address_state as states
from pocdir.mail.models import Mail
from pocdir.mail.rules.delivery import Recipient
from pocdir.outreach.replies import queries


def came_back(session: Session, letter: Mail, said: Recipient, *, now: dt.datetime) -> None:
    """The mailbox or its domain is none: the address bounces, and what the team has confirmed stays guarded. Not where
    somebody has answered from this address since the letter left."""
    lock_directory(session, now=now)
    address = queries.address(session, "email", letter.to)
    if address is None:
        return
    sent = letter.sent_at or letter.created_at
    state = states.after(address.state, states.BOUNCED)
    if state == address.state or (address.confirmed_at is not None and address.confirmed_at > sent):
        return
    by = f"a delivery report of {said.server}" if said.server else "a delivery report"
    put_address(
        session, address, state=state, evidence=f"mail came back: {said.status} ({by})", now=now, actor="service",
        claimed_by="service", stays_guarded=True,
    )  # fmt: skip
