"""What a delivery report says of each recipient (RFC 3464): by its Action, the digits are detail.."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pocdir.core.mailboxes import parse_mailbox
from pocdir.mail.rules.headers import one_line
from pocdir.mail.rules.mime import Headers, entity

FAILED, DELAYED = "failed", "delayed"
ACTIONS = (FAILED, DELAYED, "delivered", "relayed", "expanded")
MOST_RECIPIENTS = 200  # of one report that are read
LONGEST_DIAGNOSTIC = 300  # characters

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_LOGGED_TO = re.compile(r"(?<![\w-])(?:orig_)?to=(\S+)", re.I)  # of Postfix, Sendmail, OpenSMTPD
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
# RFC 3463, as an SMTP refusal counts (replies.is_bounce): no mailbox, or no domain.
_NO_MAILBOX = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
_VAGUE = ("5.0.0", "")


@dataclass(frozen=True, slots=True)
class Recipient:
    """What became of the letter at one address: the final one, or the original one where no other is said."""

    address: str
    action: str
    status: str = ""  # 5.1.1; empty where none is said
    server: str = ""  # who said so, where it is a host's name
    last_attempt: str = ""  # its Last-Attempt-Date, as it stands
    diagnostic: str = ""  # what the remote server said, on one line

    @property
    def has_no_mailbox(self) -> bool:
        """Whether it failed because the mailbox or its domain is none."""
        return self.action == FAILED and self.status in _NO_MAILBOX


def recipients(reports: Iterable[bytes]) -> list[Recipient]:
    """Those of which a report says an Action that is one, the first MOST_RECIPIENTS."""
    found: list[Recipient] = []
    reporter = ""
    for headers in _blocks(reports):
        reporter = _host(headers, "reporting-mta") or reporter  # said once, of them all
        action = _first(headers, "action").split(maxsplit=1)[:1]
        if action and action[0].lower() in ACTIONS and len(found) < MOST_RECIPIENTS:
            address = _address(headers, "final-recipient") or _address(headers, "original-recipient")
            server = _host(headers, "remote-mta") or reporter
            last, said = _first(headers, "last-attempt-date"), _first(headers, "diagnostic-code")
            words = (one_line(last, 100), one_line(said, LONGEST_DIAGNOSTIC))
            found.append(Recipient(address, action[0].lower(), _status(headers), server, *words))
    return found


def each_of_address(found: Iterable[Recipient], address: str) -> list[Recipient]:
    """All that is said of this very address, each thing once."""
    return list(dict.fromkeys(it for it in found if it.address.casefold() == address.casefold()))


def of_address(found: Iterable[Recipient], address: str) -> Recipient | None:
    """The worst that is said of this very address: a dead member behind a list or an alias says nothing of it."""
    same = [it for it in found if it.address.casefold() == address.casefold()]
    return min(same, key=lambda it: ACTIONS.index(it.action), default=None)


def is_of_another(line: str, address: str) -> bool:
    """Whether a mail server's log line names recipients (`to=<...>`, `orig_to=<...>`), none of them this address."""
    named = {each for said in _LOGGED_TO.findall(line) for each in re.split(r"[<>,;]", said) if each}
    return bool(named) and _one_spelling(address) not in map(_one_spelling, named)


def _one_spelling(address: str) -> str:
    try:
        return parse_mailbox(address).casefold()
    except ValueError:
        return address.casefold()


def _blocks(reports: Iterable[bytes]) -> Iterator[Headers]:
    for report in reports:
        text, left = report.replace(b"\r\n", b"\n").strip(b"\n"), MOST_RECIPIENTS + 1
        while text and left:
            block, _, text = text.partition(b"\n\n")
            yield entity(block + b"\n").headers
            text, left = text.lstrip(b"\n"), left - 1


def _first(headers: Headers, name: str) -> str:
    return next(iter(headers.get(name, ())), "").strip()


def _address(headers: Headers, name: str) -> str:
    """`rfc822; <cert@example.org>` is `cert@example.org`."""
    return _first(headers, name).rpartition(";")[2].strip().strip("<>").strip()[:254]


def _status(headers: Headers) -> str:
    """That of the field; where it is vague or absent, the one in what the remote server said."""
    said = _STATUS.search(_first(headers, "status"))
    status = said[0] if said else ""
    if status in _VAGUE and (told := _STATUS.search(_first(headers, "diagnostic-code"))):
        return told[0]
    return status


def _host(headers: Headers, name: str) -> str:
    host = _first(headers, name).rpartition(";")[2].strip()
    return host.lower() if _HOST.fullmatch(host) and "." in host else ""
