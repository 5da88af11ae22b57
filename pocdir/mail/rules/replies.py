"""What a relay's answer means for a letter, and how it is told without its secrets."""

from __future__ import annotations

import base64
import re
import socket
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

from pocdir.core.relays import Relay
from pocdir.mail.rules.headers import one_line
from pocdir.mail.rules.references import without_secrets

SENT, REFUSED, DEFERRED, UNREACHABLE, HELD = "sent", "refused", "deferred", "unreachable", "held"
LONGEST = 300  # characters of what a server said
_NO_MAILBOX = re.compile(r"(?:RCPT|DATA): 5\d\d[ -]5\.(?:1\.(?:1|2|3|6|10)|2\.1)(?!\d)")
# Said of the recipient, as a relay may put off what it has against ourselves (Postfix: smtpd_delay_reject).
_ABOUT_US = re.compile(
    r"relay(?:ing)?(?: access)?(?: is)? (?:denied|prohibited|not (?:permitted|allowed))|unable to relay|\b5\.1\.[78]\b"
    r"|sender address rejected|client host rejected|must (?:first )?(?:authenticate|issue a starttls)|not logged in",
    re.IGNORECASE,
)
_OURS = frozenset({530, 534, 535, 538})  # about our signing in (RFC 4954), wherever it is said


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of handing a letter over once. Refused: for good, by the recipient's side. Deferred: not now.
    Unreachable: our relay's own trouble, which the next letter would meet too. Held: it must not go as it would
    have to, so nobody was asked. `pause`: the recipient's domain asks for patience."""

    result: str
    reason: str = ""
    pause: bool = False


def failed(step: str, code: int, text: str, relay: Relay) -> Attempt:
    """An attempt by the answer to MAIL, RCPT or DATA that ended it (RFC 5321, 4.2.1: 4yz for now, 5yz for good)."""
    reason = f"{step}: {said(code, text, relay)}"
    if step == "MAIL" or code in _OURS or code == 421 or (step == "RCPT" and _ABOUT_US.search(text)):
        return Attempt(UNREACHABLE, reason)
    if 500 <= code < 600:
        return Attempt(REFUSED, reason)
    return Attempt(DEFERRED, reason, pause=400 <= code < 500)


def is_bounce(reason: str) -> bool:
    """Whether a letter was refused because its mailbox or domain is none (RFC 3463: 5.1.1, 5.1.2, 5.1.3, 5.1.6,
    5.1.10, 5.2.1), as `failed` told it; a refusal for any other reason says nothing of the address."""
    return _NO_MAILBOX.match(reason) is not None


def said(code: int, text: str, relay: Relay) -> str:
    """`550 5.1.1 no such user` on one line, without our name and password in any spelling, and without the link of a
    letter: whoever refuses one for an address in it often says which."""
    for secret in _secrets(relay):
        text = text.replace(secret, "[redacted]")
    return one_line(without_secrets(f"{code} {text}"), LONGEST)


def trouble(error: Exception, relay: Relay) -> str:
    """In words: no library's trace, nothing of the password."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the relay's certificate is not valid for {relay.host}: {one_line(error.verify_message, 120)}"
    if isinstance(error, ssl.SSLError):
        return "TLS with the relay failed: " + one_line((error.reason or "no reason given").lower(), 120)
    if isinstance(error, TimeoutError):
        return f"the relay did not answer within {relay.timeout:g} s"
    if isinstance(error, socket.gaierror):
        return f"the relay's name {relay.host} is not found"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens at {relay.host}:{relay.port}"
    if isinstance(error, (ConnectionError, EOFError)):
        return "the relay closed the connection"
    return "the relay cannot be reached: " + one_line(
        getattr(error, "strerror", None) or "no reason given", 120
    )


def _secrets(relay: Relay) -> Iterable[str]:
    """Longest first, so that none hides in a piece of another."""
    user, password = relay.user or "", relay.password or ""
    plain = [f"\0{user}\0{password}", password] if password else []
    coded = [base64.b64encode(text.encode()).decode() for text in plain]
    return sorted({each for each in (*plain, *coded) if each}, key=len, reverse=True)
