"""The letter to every address on record when a change of what a national team confirmed is about to be accepted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from sqlalchemy.orm import Session

from pocdir.directory.models import Held, Team
from pocdir.directory.reading import mail_addresses
from pocdir.directory.rules.approval import Decision
from pocdir.directory.rules.doubts import Doubt
from pocdir.mail.actions import enqueue

KIND = "change_notice"


def send(
    session: Session,
    row: Held,
    team: Team,
    doubts: Sequence[Doubt],
    decision: Decision,
    *,
    mail_domain: str,
    now: dt.datetime,
) -> None:
    """Queue it to every mail address that anybody gives of the team, the confirmed ones among them."""
    for to in mail_addresses(session, team.merged_into_id or team.id):
        enqueue(
            session,
            kind=KIND,
            to=to,
            subject=f"Your entry in the directory is about to change: {team.name[:150]}",
            body=letter(team.name, row.source.name, doubts, decision),
            key=f"{KIND}:{row.ref}:{row.revision}:{to}"[:200],
            domain=mail_domain,
            now=now,
            team=team.slug,
        )


def letter(name: str, source: str, doubts: Sequence[Doubt], decision: Decision) -> str:
    """What it says: why, when at the earliest, and what to do."""
    reasons = "\n".join(f"- {doubt.words}" for doubt in doubts)
    if decision.missing:
        when = "It takes effect when another steward agrees."
    else:
        when = f"It takes effect on {decision.not_before:%Y-%m-%d at %H:%M} UTC."
    return (
        f"Hello {name},\n\n"
        f"a list that this directory reads ({source}) says something else of your team than you confirmed:\n\n"
        f"{reasons}\n\n"
        f"A steward has looked at it and would take it over. {when}\n\n"
        "If it is right, there is nothing to do. If it is not, please answer this letter: until then the\n"
        "directory stays as it is, and a steward can still refuse the change.\n"
    )
