"""What our own mail server says of a mail's DKIM signature (RFC 8601): its topmost word, and nobody else's."""

from __future__ import annotations

import re

from pocdir.mail.rules import classes
from pocdir.mail.rules.mime import Entity
from pocdir.mail.rules.references import mailboxes

DEEPEST = 5  # comments inside of comments; a field with deeper ones says nothing

_COMMENT = re.compile(r"\([^()]{0,500}\)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.){0,500}"')
_DOMAIN = re.compile(r"(?<=\s)header\.d\s*=\s*([A-Za-z0-9.-]{1,253})(?=\s|$)", re.IGNORECASE)
_PASS = re.compile(r"dkim\s*=\s*pass(?=[\s;]|$)", re.IGNORECASE)


def signed_sender(head: Entity, *, server: str | None) -> str | None:
    """The address of the one From line, where the topmost Authentication-Results is that of `server` (an authserv-id)
    and tells of a valid DKIM signature by the very domain of that address; else None.

    A field further down counts nothing, whatever name it bears: the sender may have put it there.
    """
    said, senders = head.first("authentication-results"), head.headers.get("from", ())
    if not server or not said or len(senders) != 1 or "," in _QUOTED.sub("", senders[0]):
        return None
    said = _QUOTED.sub(" ", said)
    for _depth in range(DEEPEST):
        said = _COMMENT.sub(" ", said)
    name, *results = said.split(";")
    if "(" in said or name.lower().split()[:1] != [server.lower()]:
        return None
    sender = classes.address(senders[0])
    if mailboxes(head, ("from",)) != {
        sender.casefold()
    }:  # a comment or a name that looks like another's address
        return None
    domain = sender.rpartition("@")[2].lower()
    for result in results:
        signed = _DOMAIN.search(result)
        if _PASS.match(result.strip()) and signed and domain and signed[1].lower() == domain:
            return sender
    return None
