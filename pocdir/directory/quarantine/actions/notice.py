"""The letter to every address on record when a change of what a national team confirmed is about to be accepted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from pocdir.directory.actions import notices
from pocdir.directory.actions.notices import Words
from pocdir.directory.models import Held, Team
from pocdir.directory.rules import held
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
    beside: bool = False,
    mail_domain: str,
    now: dt.datetime,
) -> None:
    """Queue it to every mail address that anybody gives of the team, the confirmed ones among them.

    `beside`: the team is not the one that would change, it answers for the code of which the doubt speaks.
    """
    again = f"{row.revision or 0}:{min(row.approvals.values(), default='')}"
    notices.send(
        session, kind=KIND, ref=row.ref, again=again, team=team, domain=mail_domain, now=now,
        words=lambda: letter(team.name, row, doubts, decision, beside),
    )  # fmt: skip


def letter(name: str, row: Held, doubts: Sequence[Doubt], decision: Decision, beside: bool) -> Words:
    """What it says: why, and when at the earliest."""
    when = (
        _("It takes effect when another steward agrees.")
        if decision.missing
        else _("It takes effect on %(time)s UTC.") % {"time": decision.not_before.strftime("%Y-%m-%d %H:%M")}
    )
    first = _("a list that this directory reads (%(source)s) says something else of %(team)s "
              "than the team has confirmed:")  # fmt: skip
    subject = _("Your entry in the directory is about to change")
    if beside:
        first = _("a list that this directory reads (%(source)s) says of %(team)s, an entry beside yours:")
        subject = _("Another team is to answer for %(code)s")
    of = {
        "source": row.source.name,
        "team": held.name_in(row.changes, row.team or "") if beside else name,
        "code": doubts[0].values.get("value"),
    }
    return Words(
        subject % of,
        (
            first % of,
            "\n".join(f"- {_(doubt.words.pattern) % dict(doubt.values)}" for doubt in doubts),
            _("A steward has looked at it and would take it over.") + " " + when,
        ),
    )  # fmt: skip
