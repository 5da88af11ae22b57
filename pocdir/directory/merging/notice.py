"""The letter to every address on record when the entry of a national team is about to be merged or split."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pocdir.directory.actions import notices
from pocdir.directory.actions.notices import Words
from pocdir.directory.models import Pairing, Team
from pocdir.directory.rules.approval import Decision
from pocdir.directory.rules.office import Office

KIND = "merge_notice"


def send(
    session: Session,
    row: Pairing,
    teams: Sequence[Team],
    decision: Decision,
    *,
    office: Office,
    now: dt.datetime,
) -> None:
    """Queue it once to every mail address of the two that is to be told: before a split they are one."""
    since = f"{row.proposed_at:%Y%m%dT%H%M%S}"
    ids = {team.id for team in teams}
    for team in (it for it in dict.fromkeys(teams) if it.merged_into_id not in ids):
        notices.send(
            session, kind=KIND, ref=row.ref, again=f"{team.id}:{since}", team=team, domain=office.mail_domain,
            now=now, words=lambda: letter(row.what, [it.slug for it in teams], decision),
        )  # fmt: skip


def letter(what: str, slugs: Sequence[str], decision: Decision) -> Words:
    """What it says: what is to happen, when at the earliest."""
    says = (
        _("a steward of this directory says that the entries %(one)s and %(other)s are of one team, "
          "and shall be read as one.")
        if what == "merge"
        else _("a steward of this directory says that the entries %(one)s and %(other)s are of two teams, "
               "and shall stand apart again.")
    )  # fmt: skip
    when = (
        _("It takes effect when another steward agrees.")
        if decision.missing
        else _("It takes effect on %(time)s UTC.") % {"time": decision.not_before.strftime("%Y-%m-%d %H:%M")}
    )
    return Words(
        _("Your entry in the directory is about to change"),
        (
            says % {"one": slugs[0], "other": slugs[1]},
            when + " " + _("Nothing that anybody says of either is lost by it, and it can be undone."),
        ),
    )
