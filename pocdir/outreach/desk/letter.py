"""The daily mail to a team that asked for it: whose reports stand open, and nothing of what they are about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Translate = Callable[[str], str]
MOST = 50  # lines of one mail


@dataclass(frozen=True, slots=True)
class Open:
    """A report without a word of the team; `sender` None: its label keeps that out of a mail."""

    link: str
    sent_at: dt.datetime
    tlp: str
    sender: str | None
    asked_for: dt.datetime | None


class Letter(NamedTuple):
    subject: str
    body: str


def letter(
    *,
    team: str,
    waiting: Sequence[Open],
    total: int,
    desk: str,
    without_outcome: int = 0,
    _: Translate = str,
) -> Letter:
    """The newest first; `total` counts those that are not listed too. `_` is a gettext function.

    `without_outcome`: of how many answered ones it was asked in vain what became of them.
    """
    count = {"team": team, "count": str(total)}
    paragraphs = [_("Dear colleagues,")]
    if waiting:
        paragraphs += [
            _("this is recorded here as told to %(team)s, without a word of yours yet. Number: %(count)s.")
            % count,
            "\n\n".join(_line(each, _) for each in waiting[:MOST]),
        ]
    if without_outcome:
        asked = _(
            "of what you answered, it was asked what became of it, and nothing is recorded. Number: %(count)s."
        )
        paragraphs.append(asked % {"count": str(without_outcome)})
    if total > len(waiting[:MOST]):
        paragraphs.append(_("The others stand in the list at your desk."))
    paragraphs += [
        _("You owe nobody an answer. What you say there is recorded as the word of your team."),
        _(
            "You get this at most once a day, because your team asked for it, and only when something new came."
        )
        + "\n"
        + _("To change the hour or end it:")
        + f" {desk}",
    ]
    return Letter(
        _("What was told to %(team)s and stands open") % {"team": team}, "\n\n".join(paragraphs) + "\n"
    )


def _line(each: Open, _: Translate) -> str:
    told = [f"{each.sent_at.astimezone(dt.UTC):%Y-%m-%d}", each.tlp]
    told += [" ".join(each.sender.split())] if each.sender else []
    if each.asked_for:
        told.append(_("reply asked for %(day)s") % {"day": f"{each.asked_for.astimezone(dt.UTC):%Y-%m-%d}"})
    return " · ".join(told) + f"\n{each.link}"
