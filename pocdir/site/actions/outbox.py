"""Reading a letter that carries a link for its reader alone, where a person has to send it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy.orm import Session

from pocdir.directory.rules.checks import LETTERS
from pocdir.ledger.actions import append
from pocdir.mail import queries
from pocdir.mail.models import Mail


def is_for_its_reader(mail: Mail) -> bool:
    """Whether it carries a link by which whoever holds it acts as the team: of a claim, a notice, or a check."""
    return mail.confidential or mail.kind in LETTERS


def read_letter(session: Session, *, ref: str, now: dt.datetime, actor: str) -> Mail:
    """The letter with its link; that somebody has read it stands in the history of the team. Raises NotFound."""
    mail = queries.mail(ref, session)
    if is_for_its_reader(mail) and mail.body is not None:
        append(
            session, type="contact.letter_read", now=now, actor=actor, claimed_by="steward", team=mail.team,
            payload={"letter": mail.ref, "kind": mail.kind, "address": mail.to},
        )  # fmt: skip
    return mail
