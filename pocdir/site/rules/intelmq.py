"""Answers as IntelMQ's bots read them: in tuency's shape, and as the text line of contacts.cert.at."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from pocdir.core import rsit
from pocdir.core.errors import Invalid
from pocdir.routing.rules.contacts import Contact
from pocdir.routing.rules.destinations import mailboxes, told
from pocdir.routing.rules.resolver import Answer

SEPARATORS = {"tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
# How often the same may be told again is the sender's to decide: here nothing is held back.
AT_ONCE = {"unit": "immediate", "length": 1}


def kind_of_report(taxonomy: str, type_: str) -> str | None:
    """CLASS/TYPE of what IntelMQ calls it, CLASS alone for a type of its own, None for an unknown class."""
    for class_, of in ((taxonomy.lower(), type_.lower() or None), (taxonomy.lower(), None)):
        try:
            rsit.check(class_, of)
        except Invalid:
            continue
        return f"{class_}/{of}" if of else class_
    return None


def destinations_json(answer: Answer, purpose: str) -> dict[str, Any]:
    """{"destinations": [{"source", "name", "contacts": [{"email"}]}]}: who is told at once, those with a mail address.

    Where nobody of them has one it is the next in the chain. Who is to be told without detail is left out: a bot
    sends the whole event.
    """
    found = [
        {
            "source": contact.basis.source,
            "name": contact.team.name,
            "contacts": [{"email": email} for email in mailboxes(contact, purpose)],
        }
        for contact in _by_mail(answer, purpose)
    ]
    return {"destinations": found}


def line(address: str, answer: Answer | None, purpose: str, separator: str) -> str:
    """One line: the address, the country in which it is registered, the AS number, mail addresses with commas."""
    network = answer.registry if answer else None
    emails = (
        [e for contact in _by_mail(answer, purpose) for e in mailboxes(contact, purpose)] if answer else []
    )
    fields: Iterable[Any] = (
        address,
        (network and network.registered) or "",
        (network and network.asn) or "",
        ",".join(dict.fromkeys(emails)),
    )
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerow(fields)
    return text.getvalue()


def _by_mail(answer: Answer, purpose: str) -> list[Contact]:
    may = [c for c in answer.contacts if not c.without_detail and mailboxes(c, purpose)]
    first = [contact for contact in told(answer) if contact in may]
    return first or may[:1]
