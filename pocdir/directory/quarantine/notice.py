"""The letter to every address on record when a change of what a national team confirmed is about to be accepted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pocdir.directory import notices
from pocdir.directory.models import Held, Team
from pocdir.directory.notices import Words
from pocdir.directory.rules.approval import Decision
from pocdir.directory.rules.doubts import Doubt

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
    again = f"{row.revision or 0}:{min(row.approvals.values(), default='')}"
    notices.send(
        session, kind=KIND, ref=row.ref, again=again, team=team, domain=mail_domain, now=now,
        words=lambda: letter(team.name, row.source.name, doubts, decision),
    )  # fmt: skip


def letter(name: str, source: str, doubts: Sequence[Doubt], decision: Decision) -> Words:
    """What it says: why, and when at the earliest."""
    when = (
        _("It takes effect when another steward agrees.")
        if decision.missing
        else _("It takes effect on %(time)s UTC.") % {"time": decision.not_before.strftime("%Y-%m-%d %H:%M")}
    )
    return Words(
        _("Your entry in the directory is about to change"),
        (
            _("a list that this directory reads (%(source)s) says something else of %(team)s "
              "than the team has confirmed:")
            % {"source": source, "team": name},
            "\n".join(f"- {_(doubt.words.pattern) % dict(doubt.values)}" for doubt in doubts),
            _("A steward has looked at it and would take it over.") + " " + when,
        ),
    )  # fmt: skip
