"""Settings: one frozen value read from POCDIR_* variables, failing loudly."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from urllib.parse import urlsplit

import platformdirs

from pocdir.core.errors import Invalid
from pocdir.core.mailboxes import domain_of, needs_smtputf8, parse_mailbox
from pocdir.core.relays import Relay, is_loopback, parse_relay
from pocdir.core.times import duration

PACKAGE = Path(__file__).resolve().parent
_SECRET = ("secret_key", "smtp_url", "openpgp_key")  # their values are never repeated
SERVED = "served"  # in the data folder: the address that `up` or `serve` took last
DEMO_MARK = "demo.json"  # beside a database that `pocdir demo` made, and may make anew
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the operator decides; docs/settings.md explains each."""

    data: Path
    database_url: str
    host: str = "127.0.0.1"
    port: int = 8000
    base_url: str = ""
    trusted_proxies: int = 0
    secret_key: str
    smtp_url: str | None = None
    mail_from: str | None = None
    tick: float = 5.0  # seconds
    log_interval: float = 3600.0  # seconds
    log_level: str = "info"
    registry_country: str = "registered"
    confirmations: bool = False
    confirm_after: float = 180 * 86400.0  # seconds
    pings: int = 0  # a year and team
    upload_mb: int = 256
    strangers_mb: int = 2048
    keep_assets: float = 90 * 86400.0  # seconds after the incident is closed
    keep_messages: float = 365 * 86400.0  # seconds
    webhooks: str = "off"
    webhook_networks: str = ""
    heartbeat_url: str = ""
    authserv_id: str | None = None
    sends_per_day: int = 100
    openpgp_key: str | None = None
    demo: bool = False

    @property
    def external_url(self) -> str:
        """Where people reach the service, without a final slash."""
        everywhere = self.host in ("0.0.0.0", "::")  # noqa: S104
        host = "localhost" if everywhere else f"[{self.host}]" if ":" in self.host else self.host
        return self.base_url or f"http://{host}:{self.port}"

    @property
    def is_only_here(self) -> bool:
        """Whether no other machine can open what `external_url` leads to."""
        return is_loopback(urlsplit(self.external_url).hostname or "")

    @property
    def https(self) -> bool:
        return self.external_url.startswith("https://")

    @property
    def relay(self) -> Relay | None:
        """Where mail is handed over; None: it waits in the outbox for a person."""
        return parse_relay(self.smtp_url) if self.smtp_url and self.mail_from else None

    @property
    def mail_domain(self) -> str:
        """The right side of Message-IDs."""
        host = urlsplit(self.external_url).hostname or ""
        return domain_of(self.mail_from) if self.mail_from else host if host.isascii() else "localhost"

    @property
    def sqlite_path(self) -> Path | None:
        """The file of the embedded database; None on PostgreSQL."""
        prefix = "sqlite:///"
        return Path(self.database_url.removeprefix(prefix)) if self.database_url.startswith(prefix) else None


def folder(name: str) -> Path:
    """templates, migrations, seeds: inside the package once installed, beside it in a checkout."""
    for place in (PACKAGE / name, PACKAGE.parent / name):
        if place.is_dir():
            return place
    raise Invalid("installation_broken", f"folder {name!r} is missing; reinstall pocdir")


def load(environ: Mapping[str, str] | None = None, *, beside: bool = False) -> Settings:
    """Settings from the environment; the data folder and the secret are made where there is none.

    Raises what `look` raises.
    """
    settings = look(environ, beside=beside)
    if settings.secret_key:
        with contextlib.suppress(OSError):  # what cannot do without the folder says so
            _make(settings.data)
        return settings
    return replace(settings, secret_key=_kept_secret(settings.data))


def look(environ: Mapping[str, str] | None = None, *, beside: bool = False) -> Settings:
    """The same, and nothing is made: `secret_key` is empty before the first start.

    `beside` a service: where the environment names no address, links lead to the one that was served last.
    Raises Invalid `setting_invalid` or `setting_unknown` that names the variable.
    """
    given = _read_files(dict(os.environ if environ is None else environ))
    data = Path(given.get("data") or _default_data()).expanduser().absolute()
    values: dict[str, object] = {"data": data}
    values["database_url"] = _database_url(given.get("database_url") or f"sqlite:///{data / 'pocdir.db'}")
    for name, text in given.items():
        if name in _CHECKS:
            try:
                values[name] = _CHECKS[name](text)
            except (ValueError, Invalid) as error:
                shown = "" if name in _SECRET else f"={text!r}"
                raise Invalid("setting_invalid", f"POCDIR_{name.upper()}{shown}: {error}") from None
    values["secret_key"] = given.get("secret_key") or (
        _kept_secret(data) if _is_there(data / "secret_key") else ""
    )
    if beside and not given.keys() & {"base_url", "host", "port"}:
        values["base_url"] = _served(data)
    settings = Settings(**values)  # type: ignore[arg-type]
    path = settings.sqlite_path
    # Whoever starts it by hand and leaves POCDIR_DEMO out still sees what it is.
    return replace(settings, demo=True) if path and _is_there(path.parent / DEMO_MARK) else settings


def keep_served(settings: Settings) -> None:
    """Remember the address of this start for the commands of another shell."""
    made = settings.data / f"{SERVED}.{os.getpid()}"
    try:
        made.write_text(settings.external_url, "utf-8")
        made.replace(settings.data / SERVED)  # whole or not at all
    except OSError:  # a full disk; nothing but a link of a later command hangs on it
        made.unlink(missing_ok=True)


def _served(data: Path) -> str:
    try:
        return _http_url((data / SERVED).read_text("utf-8"))
    except (OSError, ValueError):
        return ""


def _read_files(environ: dict[str, str]) -> dict[str, str]:
    known = {field.name for field in fields(Settings)}
    given: dict[str, str] = {}
    for variable, text in environ.items():
        if not variable.startswith("POCDIR_") or variable.startswith("POCDIR_TEST_"):
            continue
        name = variable.removeprefix("POCDIR_").lower()
        if name.removesuffix("_file") in known and name not in known:
            name = name.removesuffix("_file")
            try:
                text = Path(text).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise Invalid("setting_invalid", f"{variable}: cannot read it ({error})") from None
        if name not in known:
            raise Invalid(
                "setting_unknown", f"{variable} is no setting of pocdir; docs/settings.md lists them"
            )
        if text:
            given[name] = text
    return given


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # in a folder that may not be entered; who wants to write there is told so
        return False


def _default_data() -> Path:
    checkout = PACKAGE.parent / "setup.cfg"
    return PACKAGE.parent / "instance" if checkout.is_file() else Path(platformdirs.user_data_dir("pocdir"))


def _database_url(text: str) -> str:
    scheme, _, rest = text.partition("://")
    if scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        return f"postgresql+psycopg://{rest}"
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        return text
    raise Invalid(
        "setting_invalid", "POCDIR_DATABASE_URL: write sqlite:////path or postgresql://user@host/name"
    )


def _kept_secret(data: Path) -> str:
    """Made once and kept readable by its owner only: else every start would end every session and link."""
    path = data / "secret_key"
    try:
        _make(data)
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "w") as file:
                file.write(secrets.token_urlsafe(32))
        except FileExistsError:
            pass
        kept = path.read_text("utf-8").strip()
    except OSError as error:
        raise Invalid(
            "data_not_writable", f"cannot keep data in {data}: {error.strerror}; set POCDIR_DATA"
        ) from None
    if len(kept) < 32:
        raise Invalid("setting_invalid", f"{path} holds no secret of at least 32 characters; remove it")
    return kept


def _make(data: Path) -> None:
    data.mkdir(parents=True, exist_ok=True, mode=0o700)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high} is right")
        return int(text)

    return check


def _one_of(*words: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {', '.join(words)} is right")
        return text

    return check


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address such as https://pocdir.example.org is right")
    return text.rstrip("/")


def _heartbeat_url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc):
        raise ValueError("an address such as https://monitor.example.org/pocdir is right")
    return text


def _smtp_url(text: str) -> str:
    relay = parse_relay(text)
    if relay.ca is not None:
        import ssl

        try:
            ssl.create_default_context(cafile=relay.ca)
        except (OSError, ValueError):  # ssl's own are OSErrors
            raise ValueError("ca names no readable file of certificates (PEM)") from None
    return text


def _mail_address(text: str) -> str:
    name, _, domain = text.rpartition("@")
    address = text if domain == "localhost" and parse_mailbox(f"{name}@example.org") else parse_mailbox(text)
    if needs_smtputf8(address):
        raise ValueError(
            "only letters of ASCII stand before the @ of an address that every server answers to"
        )
    return address


def _server_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,253}", text):
        raise ValueError("the name that your mail server writes into Authentication-Results is right")
    return text.lower()


def _networks(text: str) -> str:
    for each in text.split(","):
        ipaddress.ip_network(each.strip())
    return text


def _secret(text: str) -> str:
    if len(text) < 32:
        raise ValueError("at least 32 characters are right")
    return text


def _private_key(text: str) -> str:
    import pysequoia

    try:
        pysequoia.Tsk.from_bytes(text.encode()).signer()
    except Exception:  # the library raises errors of its own, whose words are not shown
        message = "an OpenPGP private key without a password that can sign is right; keep it in a file"
        raise ValueError(message) from None
    return text


def _seconds(text: str) -> float:
    return duration(text).total_seconds()


_CHECKS: dict[str, Callable[[str], object]] = {
    "host": str,
    "port": _whole(0, 65535),
    "base_url": _http_url,
    "trusted_proxies": _whole(0, 10),
    "secret_key": _secret,
    "smtp_url": _smtp_url,
    "mail_from": _mail_address,
    "tick": _seconds,
    "log_interval": _seconds,
    "log_level": _one_of(*LOG_LEVELS),
    "registry_country": _one_of("registered", "located"),
    "confirmations": lambda text: _one_of("0", "1")(text) == "1",
    "confirm_after": _seconds,
    "pings": _whole(0, 2),
    "upload_mb": _whole(1, 10_000),
    "strangers_mb": _whole(0, 1_000_000),
    "keep_assets": _seconds,
    "keep_messages": _seconds,
    "webhooks": _one_of("off", "https", "http"),
    "webhook_networks": _networks,
    "heartbeat_url": _heartbeat_url,
    "openpgp_key": _private_key,
    "authserv_id": _server_name,
    "sends_per_day": _whole(0, 100_000),
    "demo": lambda text: _one_of("0", "1")(text) == "1",
}
