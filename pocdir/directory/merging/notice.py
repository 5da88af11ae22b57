"""The letter to every address on record when the entry of a national team is about to be merged or split."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import Session

from pocdir.directory.models import Pairing, Team
from pocdir.directory.reading import mail_addresses
from pocdir.directory.rules.approval import Decision
from pocdir.directory.rules.office import Office
from pocdir.mail.actions import enqueue

KIND = "merge_notice"
_ACT = {
    "merge": "the entries {0} and {1} are of one team, and shall be read as one",
    "split": "the entries {0} and {1} are of two teams, and shall stand apart again",
}


def send(
    session: Session,
    row: Pairing,
    teams: Sequence[Team],
    decision: Decision,
    *,
    office: Office,
    now: dt.datetime,
) -> None:
    """Queue it to every live mail address that anybody gives of the two."""
    for team in teams:
        for to in mail_addresses(session, team.id):
            enqueue(
                session,
                kind=KIND,
                to=to,
                subject=f"Your entry in the directory is about to change: {team.name[:150]}",
                body=letter(team.name, row.what, [it.slug for it in teams], decision),
                key=f"{KIND}:{row.ref}:{to}"[:200],
                domain=office.mail_domain,
                now=now,
                team=team.slug,
            )


def letter(name: str, what: str, slugs: Sequence[str], decision: Decision) -> str:
    """What it says: what is to happen, when at the earliest, and what to do."""
    if decision.missing:
        when = "It takes effect when another steward agrees."
    else:
        when = f"It takes effect on {decision.not_before:%Y-%m-%d at %H:%M} UTC."
    return (
        f"Hello {name},\n\n"
        f"a steward of this directory says that {_ACT[what].format(*slugs)}. {when}\n"
        "Nothing that anybody says of either is lost by it, and it can be undone.\n\n"
        "If it is right, there is nothing to do. If it is not, please answer this letter: until then the\n"
        "directory stays as it is, and a steward can still refuse the change.\n"
    )
