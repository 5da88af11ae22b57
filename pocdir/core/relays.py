"""The operator's mail relay, read from one URL. Refusals are ValueErrors that repeat no part of it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from pocdir.core.domains import parse_domain

RIGHT = "smtp://user:password@host:587 or smtps://... is right"
PORTS = {"smtp": 587, "smtps": 465}
TLS, STARTTLS, NONE = "tls", "starttls", "none"
_WORDS = ("starttls", "ca", "timeout")
_LONGEST = 600  # seconds that one answer may be waited for


@dataclass(frozen=True, slots=True)
class Relay:
    """Where mail is handed over. `security`: tls (from the first byte), starttls (required), none (readable)."""

    host: str
    port: int
    security: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: str | None = None  # file of the certificates to trust instead of the system's
    timeout: float = 60.0  # seconds to wait for each answer

    @property
    def shown(self) -> str:
        """For people: never the password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        kept = {TLS: "TLS", STARTTLS: "STARTTLS", NONE: "readable on the way"}[self.security]
        return f"{host}:{self.port}, {kept}"


def parse_relay(text: str) -> Relay:
    """`smtp://[user:password@]host[:587]` or `smtps://...[:465]`, with `?starttls=required|none&ca=FILE&timeout=60`.

    TLS is required unless the host is this machine; its certificate is always checked. User and password are
    percent-encoded.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
        host = _host(parts.hostname or "")
    except ValueError:  # the library's own words may repeat a piece of the password
        raise ValueError(f"host or port cannot be read; {RIGHT}") from None
    if any(ord(sign) <= 0x20 or ord(sign) == 0x7F for sign in text) or parts.scheme not in PORTS:
        raise ValueError(RIGHT)
    if parts.fragment or "#" in text or parts.path not in ("", "/") or port == 0:
        raise ValueError(
            f"{RIGHT}; in user and password write / as %2F, # as %23, ? as %3F, @ as %40, : as %3A"
        )
    words = _query(parts.query)
    security = _security(parts.scheme, words.get("starttls"), host)
    user, password = _login(parts.username, parts.password)
    if user and security == NONE and not is_loopback(host):
        raise ValueError("with starttls=none the password would travel readable; leave one of them out")
    return Relay(
        host=host,
        port=port or PORTS[parts.scheme],
        security=security,
        user=user,
        password=password,
        ca=words.get("ca"),
        timeout=_timeout(words.get("timeout", "60")),
    )


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text if text == "localhost" or _is_plain(text) else parse_domain(text)


def _is_plain(text: str) -> bool:
    """A name without dots, as containers and small networks give it."""
    return text.isascii() and text.replace("-", "").replace("_", "").isalnum() and not text.isdigit()


def is_loopback(host: str) -> bool:
    """Whether a host or address is the machine that reads it."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _query(text: str) -> dict[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=10)
    words = dict(pairs)
    if (
        len(words) != len(pairs)
        or not words.keys() <= set(_WORDS)
        or (text and not pairs)
        or "" in words.values()
    ):
        raise ValueError(f"after the ? stand {', '.join(_WORDS)}, each once and with a value")
    return words


def _security(scheme: str, starttls: str | None, host: str) -> str:
    if scheme == "smtps":
        if starttls is not None:
            raise ValueError("smtps:// has TLS from the first byte; leave starttls out")
        return TLS
    if starttls not in (None, "required", "none"):
        raise ValueError("starttls is required or none")
    if starttls is None:
        return NONE if is_loopback(host) else STARTTLS
    return STARTTLS if starttls == "required" else NONE


def _login(user: str | None, password: str | None) -> tuple[str | None, str | None]:
    if not user and not password:
        return None, None
    if not user or not password:
        raise ValueError("user and password are given both, or none")
    try:
        name, secret = unquote(user, errors="strict"), unquote(password, errors="strict")
    except UnicodeDecodeError:
        raise ValueError("user and password are percent-encoded UTF-8") from None
    if any(ord(sign) < 0x20 or ord(sign) == 0x7F for sign in name + secret):
        raise ValueError("user and password hold no control characters")
    return name, secret


def _timeout(text: str) -> float:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _LONGEST:
        raise ValueError(f"timeout is a whole number of seconds from 1 to {_LONGEST}")
    return float(text)
