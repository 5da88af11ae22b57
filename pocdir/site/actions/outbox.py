"""Reading a letter that carries a link for its reader alone, where a person has to send it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from pocdir.ledger.actions import append
from pocdir.mail import queries
from pocdir.mail.models import Mail


def read_letter(session: Session, *, ref: str, now: dt.datetime, actor: str) -> Mail:
    """The letter with its link; that somebody has read it stands in the history of the team. Raises NotFound."""
    mail = queries.mail(ref, session)
    if mail.confidential and mail.body is not None:
        append(
            session, type="contact.letter_read", now=now, actor=actor, claimed_by="steward", team=mail.team,
            payload={"letter": mail.ref, "kind": mail.kind, "address": mail.to},
        )  # fmt: skip
    return mail
