"""A real mail server on loopback, with every mood a relay can be in."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Answer = str | Callable[[SMTP], Any]
USER, PASSWORD = "pocdir", "pässword:with/signs"


@dataclass
class Taken:
    """One message as it arrived."""

    sender: str
    to: list[str]
    data: bytes
    options: list[str] = field(default_factory=list)


class Relay:
    """Answers what it is told to: to RCPT and at the end of DATA, in turn; then 250."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.seen: list[bytes] = []  # data of every DATA, taken or not
        self.at_rcpt: list[Answer] = []
        self.at_data: list[Answer] = []
        self.at_mail: list[Answer] = []
        self.connections = 0

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return await self._answer(server, self.at_mail)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        said = await self._answer(server, self.at_rcpt)
        if said.startswith("25"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        data = envelope.original_content
        assert data is not None
        self.seen.append(data)
        said = await self._answer(server, self.at_data)
        if said.startswith("250"):
            self.taken.append(
                Taken(str(envelope.mail_from), list(envelope.rcpt_tos), data, list(envelope.mail_options))
            )
        return said

    async def _answer(self, server: SMTP, answers: list[Answer]) -> str:
        answer = answers.pop(0) if answers else "250 OK"
        if isinstance(answer, str):
            return answer
        done = answer(server)
        if asyncio.iscoroutine(done):
            await done
        return "451 nobody listens any more"


def hang_up(server: SMTP) -> None:
    """Close the connection without a word."""
    assert server.transport is not None
    server.transport.abort()


async def dawdle(_server: SMTP) -> None:
    """Longer than anybody waits in a test."""
    await asyncio.sleep(3)


def _sign_in(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    assert isinstance(data, LoginPassword)
    right = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=right, handled=False)


@contextmanager
def serving(
    relay: Relay, *, port: int = 0, tls: ssl.SSLContext | None = None, implicit: bool = False, **more: Any
) -> Iterator[int]:
    """The port it listens on."""
    if implicit:
        more["ssl_context"] = tls
    elif tls is not None:
        more |= {"tls_context": tls, "require_starttls": True}
    controller = _Controller(relay, hostname="127.0.0.1", port=port, **more)
    controller.start()
    assert controller.server is not None
    try:
        yield controller.port
    finally:
        controller.stop()


class _Controller(Controller):
    """One that says which port it was given."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


def signing_in(**more: Any) -> dict[str, Any]:
    """Keywords of `serving` for a relay that wants our name and password."""
    return {"authenticator": _sign_in, "auth_required": True, "auth_require_tls": True} | more


def certificate(folder: Path, host: str = "127.0.0.1", *, days: int = 1) -> tuple[ssl.SSLContext, Path]:
    """(what a server presents, file of the certificate to trust), made here."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay of the tests")])
    now = dt.datetime.now(dt.UTC)
    try:
        names: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        names = x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / "relay.pem", folder / "relay.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public
