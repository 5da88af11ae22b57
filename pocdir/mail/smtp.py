"""Handing letters to the operator's relay (RFC 5321, 6409), with TLS checked and every answer read."""

from __future__ import annotations

import base64
import contextlib
import smtplib
import ssl
from types import TracebackType

from pocdir.core.mailboxes import needs_smtputf8
from pocdir.core.relays import STARTTLS, TLS, Relay
from pocdir.mail.rules.replies import DEFERRED, REFUSED, SENT, UNREACHABLE, Attempt, failed, said, trouble

TAKEN = (250, 251, 252)
REPORTS = "NOTIFY=SUCCESS,FAILURE,DELAY"


class _No(Exception):  # noqa: N818 - what the relay said
    """The relay does not let us in."""


class Submission:
    """One connection for as many letters as it lasts; opened for the first."""

    def __init__(self, relay: Relay, name: str) -> None:
        """`name`: how we greet, our mail domain."""
        self._relay, self._name = relay, name
        self._server: smtplib.SMTP | None = None

    def __enter__(self) -> Submission:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._server.quit()
        self._drop()

    def hand_over(self, *, sender: str, to: str, data: bytes, envid: str | None = None) -> Attempt:
        """One letter to one recipient; never raises for what a server or the network does.

        `envid`: under which reports of its delivery are asked for, where the relay knows how (RFC 3461).
        """
        try:
            server = self._connected()
        except _No as no:
            self._drop()
            return Attempt(UNREACHABLE, str(no))
        except (smtplib.SMTPException, OSError, ValueError) as error:
            self._drop()
            return Attempt(UNREACHABLE, self._trouble(error))
        try:
            return self._transaction(server, sender, to, data, envid)
        except (smtplib.SMTPException, OSError, ValueError) as error:
            self._drop()
            return Attempt(DEFERRED, self._trouble(error))

    def _transaction(
        self, server: smtplib.SMTP, sender: str, to: str, data: bytes, envid: str | None
    ) -> Attempt:
        options, wanted = [], []
        if needs_smtputf8(to):
            if not server.has_extn("smtputf8"):
                return Attempt(REFUSED, "our relay takes no address with letters beyond ASCII (no SMTPUTF8)")
            options = ["SMTPUTF8", "BODY=8BITMIME"]
        if envid is not None and server.has_extn("dsn"):
            options += ["RET=HDRS", f"ENVID={envid}"]
            wanted = [REPORTS]
        code, text = server.mail(sender, options)
        if code != 250:
            return self._refused("MAIL", code, text)
        code, text = server.rcpt(to, wanted)
        if code not in TAKEN:
            return self._refused("RCPT", code, text)
        try:
            code, text = server.data(data)
        except smtplib.SMTPDataError as error:  # no 354
            code, text = error.smtp_code, _bytes(error.smtp_error)
        if code not in TAKEN:
            return self._refused("DATA", code, text)
        return Attempt(SENT, said(code, _text(text), self._relay))

    def _refused(self, step: str, code: int, text: bytes) -> Attempt:
        try:
            if code == 421 or self._server is None or self._server.rset()[0] != 250:
                self._drop()
        except (smtplib.SMTPException, OSError):  # what it said of the letter stands
            self._drop()
        return failed(step, code, _text(text), self._relay)

    def _connected(self) -> smtplib.SMTP:
        if self._server is not None and self._server.sock is not None:
            return self._server
        relay = self._relay
        if relay.security == TLS:
            self._server = smtplib.SMTP_SSL(
                relay.host,
                relay.port,
                local_hostname=self._name,
                timeout=relay.timeout,
                context=_context(relay),
            )
        else:
            self._server = smtplib.SMTP(
                relay.host, relay.port, local_hostname=self._name, timeout=relay.timeout
            )
        self._greet(self._server)
        if relay.security == STARTTLS:
            if not self._server.has_extn("starttls"):
                raise _No("the relay offers no STARTTLS, and without it everything would travel readable")
            self._server.starttls(context=_context(relay))
            self._greet(self._server)
        if relay.user is not None and relay.password is not None:
            self._sign_in(self._server, relay.user, relay.password)
        return self._server

    def _greet(self, server: smtplib.SMTP) -> None:
        code, text = server.ehlo()
        if code != 250:
            raise _No(f"EHLO: {said(code, _text(text), self._relay)}")

    def _sign_in(self, server: smtplib.SMTP, user: str, password: str) -> None:
        """PLAIN (RFC 4616), else LOGIN: smtplib's own takes ASCII alone and prefers CRAM-MD5."""
        offered = server.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in offered:
            code, text = server.docmd("AUTH", "PLAIN " + _base64(f"\0{user}\0{password}"))
        elif "LOGIN" in offered:
            code, text = server.docmd("AUTH", "LOGIN " + _base64(user))
            if code == 334:
                code, text = server.docmd(_base64(password))
        else:
            raise _No("the relay offers neither AUTH PLAIN nor AUTH LOGIN")
        if code != 235:
            raise _No(f"the relay refuses our name and password ({said(code, _text(text), self._relay)})")

    def _trouble(self, error: Exception) -> str:
        if isinstance(error, smtplib.SMTPResponseException):
            return said(error.smtp_code, _text(_bytes(error.smtp_error)), self._relay)
        if isinstance(error, smtplib.SMTPServerDisconnected):
            # smtplib hides the time-out in it.
            return trouble(
                error.__context__ if isinstance(error.__context__, OSError) else EOFError(), self._relay
            )
        return trouble(error, self._relay)

    def _drop(self) -> None:
        if self._server is not None:
            self._server.close()
        self._server = None


def _context(relay: Relay) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=relay.ca)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
