"""What a step's letter says: everything its reader needs to judge and to act, without asking back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from pocdir.outreach.rules.letter import Translate, one_line, reference_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is known of the report that a step follows; `own`: the letter goes to the same team again."""

    content: str  # reference, summary or full
    own: bool
    reference: str
    sender: str
    team: str
    channel: str
    sent_at: dt.datetime
    asked_for: dt.datetime | None
    failed: bool
    ticket: str | None
    about: str | None
    count: int
    since: dt.datetime | None
    message: str | None
    contact: str | None


def message(said: Said, _: Translate = str) -> str:
    """The words of the letter in the language of `_`; with `reference` nothing of what it is about."""
    return "\n\n".join(_paragraphs(said, _))


def _paragraphs(said: Said, _: Translate) -> Iterator[str]:
    yield "\n".join(_history(said, _))
    if said.content != "reference":
        yield "\n".join(_matter(said, _))
    if said.content == "full" and said.message:
        yield _("What we wrote then:") + "\n" + said.message.strip()
    yield "\n".join(_ways_back(said, _))


def _history(said: Said, _: Translate) -> Iterator[str]:
    names = {
        "sender": one_line(said.sender), "team": one_line(said.team), "channel": one_line(said.channel),
        "time": _time(said.sent_at),
    }  # fmt: skip
    if said.own:
        yield _("%(sender)s wrote to you on %(time)s UTC, to %(channel)s.") % names
    else:
        yield _("%(sender)s wrote to %(team)s on %(time)s UTC, to %(channel)s.") % names
    if said.failed:
        yield _("That could not be delivered.")
    elif said.asked_for is not None:
        yield _("No answer is recorded here by %(time)s UTC; one may have gone elsewhere.") % {
            "time": _time(said.asked_for)
        }
    if not said.own:
        yield _("We turn to you because you may reach them, or act in their place.")


def _matter(said: Said, _: Translate) -> Iterator[str]:
    if said.about:
        yield _("About: %(about)s") % {"about": one_line(said.about)}
    if said.since is None and said.count:
        yield _("Addresses or names concerned: %(count)s") % {"count": said.count}
    elif said.since is not None:
        yield _("Addresses or names concerned: %(count)s, since %(time)s UTC") % {
            "count": said.count, "time": _time(said.since),
        }  # fmt: skip


def _ways_back(said: Said, _: Translate) -> Iterator[str]:
    if said.ticket:
        yield _("Ticket number of %(team)s: %(ticket)s") % {
            "team": one_line(said.team), "ticket": one_line(said.ticket),
        }  # fmt: skip
    yield _("Reference of that report: %(reference)s") % {"reference": reference_tag(said.reference)}
    if said.contact:
        yield _("You can call us: %(contact)s") % {"contact": one_line(said.contact)}


def _time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M")
