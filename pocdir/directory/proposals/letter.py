"""The notice to every address on record that a guarded change was proposed, in plain text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pocdir.directory.actions.notices import Words
from pocdir.directory.rules.approval import Approval

Translate = Callable[[str], str]


def notice(
    *,
    team: str,
    url: str,
    changes: Iterable[Mapping[str, Any]],
    by_team: bool,
    needed: Approval,
    not_before: dt.datetime,
    beside: str | None = None,
    _: Translate = str,
) -> Words:
    """What would change, and when; `_` is a gettext function. `beside`: the code for which its reader answers too."""
    who = (
        _("Somebody who is known to us as the team's own contact has proposed it.")
        if by_team
        else _("A steward of the directory has proposed it.")
    )
    when = (
        _("It takes effect as soon as two stewards have approved it.")
        if needed.eyes > 1
        else _("It takes effect not before %(time)s UTC, and after a steward's approval where one is needed.")
        % {"time": not_before.strftime("%Y-%m-%d %H:%M")}
    )
    subject, first = (
        (
            _("A change of your entry was proposed"),
            _("a change of the entry of %(team)s in this directory of points of contact was proposed:"),
        )
        if beside is None
        else (_("Another team is to answer for %(code)s"), second(_))
    )
    paragraphs = (
        first % {"team": team, "code": beside} + f"\n{url}",
        "\n".join(f"- {line(each, _)}" for each in changes),
        f"{who} {when}",
    )
    return Words(subject % {"code": beside}, paragraphs)


def second(_: Translate = str) -> str:
    """What a team hears first where another one is to answer for the same code (`team`, `code`)."""
    return _("in this directory of points of contact %(team)s is to answer for %(code)s beside your team:")


def line(change: Mapping[str, Any], _: Translate = str) -> str:
    """One change: `cert@example.org (incident): added`, `website: old -> new`."""
    before, after = change["before"], change["after"]
    if change["field"] not in ("channel", "responsibility"):
        return f"{change['field']}: {_said(before, _)} -> {_said(after, _)}"
    done = _("added") if before is None else _("removed") if after is None else _("changed")
    kind, value, of = change["of"]
    named = f"{value} ({kind}, {of})" if change["field"] == "channel" else f"{kind} {value} ({of})"
    if before is None or after is None:
        return f"{named}: {done}"
    words = (
        f"{name}: {before.get(name)} -> {after[name]}" for name in after if after[name] != before.get(name)
    )
    return f"{named}: {done} ({', '.join(words)})"


def _said(words: Mapping[str, Any] | None, _: Translate) -> str:
    value = words["value"] if words else None
    if value in (None, []):
        return _("none")
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
