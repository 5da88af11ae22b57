"""The words of every letter: one table of texts with a fixed list of variables, checked whole when it is loaded."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from pocdir.core.errors import Invalid

# All that a letter knows; a text, in whatever language, may use these and no other.
VARIABLES = (
    "about", "channel", "contact", "count", "kind", "name", "port", "reference", "sender", "team", "ticket", "time",
    "title",
)  # fmt: skip

Translate = Callable[[str], str]
_VARIABLE = re.compile(r"%\((\w+)\)s")


def load(_: Translate = str) -> Mapping[str, str]:
    """Every text of every kind of letter in the language of `_`, a gettext function.

    Raises Invalid `letter_variable_unknown` for a text that asks for something which no letter knows.
    """
    texts = _openings(_) | _matter(_) | _history(_) | _asked(_) | _answers(_)
    for text in texts.values():
        check(text)
    return texts


def check(text: str) -> None:
    """Raises Invalid `letter_variable_unknown`, also for a percent sign that begins no variable."""
    left = _VARIABLE.sub(lambda found: "" if found[1] in VARIABLES else found[0], text)
    if "%" in left:
        known = ", ".join(VARIABLES)
        raise Invalid("letter_variable_unknown", f"a letter knows {known}; this text asks for more: {text!r}")


def _openings(_: Translate) -> dict[str, str]:
    """What a letter of each kind is, for its subject (`name.`), and how it begins (`opening.`)."""
    return {
        "name.report": _("Report"),
        "opening.report": _(
            "We report this to you because, as far as we know, it lies within your responsibility."
        ),
        "name.follow_up": _("Follow-up"),
        "opening.follow_up": _("We come back to what we have reported to you before."),
        "name.sample_request": _("Request for a sample"),
        "opening.sample_request": _(
            "We ask you for a sample of the malicious code that this report is about."
        ),
        "name.referral": _("Referral"),
        "opening.referral": _(
            "We pass this on to you because, as far as we know, it lies within your responsibility."
        ),
        "name.ping": _("Test of this contact"),
        "opening.ping": _("This is a test of this contact. No incident stands behind it."),
    }


def _matter(_: Translate) -> dict[str, str]:
    return {
        "title": _("Subject: %(title)s"),
        "kind": _("Kind of report: %(kind)s"),
        "concerned": _("Concerned: %(count)s (times in UTC)"),
        "concerned_count": _("Addresses or names concerned: %(count)s"),
        "concerned_since": _("Addresses or names concerned: %(count)s, since %(time)s UTC"),
        "port": _("port %(port)s"),
        "first_seen": _("first seen %(time)s"),
        "last_seen": _("last seen %(time)s"),
        "more": _("and %(count)s more: ask us for the list"),
        "file": _("A file goes with this: %(name)s, rows: %(count)s"),
        "file_by_link": _("If it is not attached, the link at the end leads to it."),
        "file_by_asking": _("If it is not attached, ask us for it."),
        "sample": _(
            "What we ask for is a copy of the code from one of the devices concerned; where it may not be passed on, "
            "its SHA-256 hash and where it was found."
        ),
        "sample_packed": _("Please pack it in an archive with a password, or ask us for another way."),
    }


def _history(_: Translate) -> dict[str, str]:
    """What is said of the report that a letter follows."""
    return {
        "wrote_to_you": _("%(sender)s wrote to you on %(time)s UTC, to %(channel)s."),
        "wrote_to": _("%(sender)s wrote to %(team)s on %(time)s UTC, to %(channel)s."),
        "undelivered": _("That could not be delivered."),
        "no_answer": _("No answer is recorded here by %(time)s UTC; one may have gone elsewhere."),
        "answered": _("%(team)s answered on %(time)s UTC."),
        "you_answered": _("You answered on %(time)s UTC."),
        "not_theirs": _("They say that it is not for them."),
        "objects": _("%(team)s objects to that report."),
        "you_object": _("You object to that report."),
        "you_may": _("We turn to you because you may reach them, or act in their place."),
        "about": _("About: %(about)s"),
        "your_ticket": _("Your ticket number: %(ticket)s"),
        "their_ticket": _("Ticket number of %(team)s: %(ticket)s"),
        "reference": _("Reference of that report: %(reference)s"),
        "contact": _("You can call us: %(contact)s"),
    }


def _asked(_: Translate) -> dict[str, str]:
    return {
        "nothing_asked": _("This is for your information. No reply is asked for."),
        "acknowledgement": _("Please tell us that a person has received this."),
        "ask.sample": _("Please send us a sample, or tell us that there is none."),
        "remediation": _("Please tell us when this has been put in order."),
        "answer": _("Please answer what we ask above."),
        "by": _("Reply asked for %(time)s UTC."),
    }


def _answers(_: Translate) -> dict[str, str]:
    """How to answer: by a reply, and last of all by the link."""
    return {
        "reply": _("A reply is enough. Its first line may say, in your own words or in these:"),
        "received": _("we have it (with your ticket number, if there is one)"),
        "passed on": _("passed on to so many operators"),
        "not ours": _("not for us, and who to ask instead"),
        "need": _("we need more from you"),
        "done": _("it has been put in order"),
        "keep": _("Please keep this reference in your reply:"),
        "link": _("The same without writing, for this recipient only; no account is needed:"),
    }
