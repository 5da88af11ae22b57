"""The letter with the link that lets a team's staff in, and the one that tells of a second claim."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple

Translate = Callable[[str], str]


class Letter(NamedTuple):
    subject: str
    body: str


def link(*, team: str, url: str, link: str, expires: dt.datetime, _: Translate = str) -> Letter:
    """The letter with the link, to the address on record that was chosen; `_` is a gettext function."""
    paragraphs = (
        _("Dear colleagues,"),
        _(
            "somebody has asked, on the page of %(team)s in this directory of points of contact, to keep its entry:"
        )
        % {"team": team}
        + f"\n{url}",
        _("If that was you, this link makes you its contact here:") + f"\n{link}",
        _("It works once, until %(time)s UTC, and opening it changes nothing.")
        % {"time": expires.strftime("%Y-%m-%d %H:%M")},
        _("If it was not you, nothing is asked of you: without the link nothing happens."),
    )
    return Letter(_("Do you answer for this entry?"), "\n\n".join(paragraphs) + "\n")


def again(*, team: str, url: str, when: dt.datetime, _: Translate = str) -> Letter:
    """The letter about a second contact, to the addresses through which both were let in."""
    paragraphs = (
        _("Dear colleagues,"),
        _(
            "at %(time)s UTC another person became a contact of %(team)s in this directory of points of contact:"
        )
        % {"team": team, "time": when.strftime("%Y-%m-%d %H:%M")}
        + f"\n{url}",
        _(
            "This letter goes to the addresses through which both were let in. If both are yours, all is well."
        ),
        _("If one of them is not, please answer this letter: a steward will look at it."),
    )
    return Letter(_("Another contact for your entry"), "\n\n".join(paragraphs) + "\n")
