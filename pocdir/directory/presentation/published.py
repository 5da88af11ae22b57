"""What anybody may have of the directory, written once for each version of it and held in memory."""

from __future__ import annotations

import os
import threading
from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import current_app

from pocdir.config import Settings
from pocdir.core.canonical import b64
from pocdir.core.errors import Invalid
from pocdir.directory.formats import certbund, dump, first, pocdir_json, ti
from pocdir.directory.queries import exports, versions
from pocdir.directory.queries.entries import PUBLIC, Entry
from pocdir.directory.queries.exports import Exported
from pocdir.directory.rules import record as rules

T = TypeVar("T")
KEY_FILE = "directory_key"
_HELD = "pocdir.published"
_writing = threading.RLock()


@dataclass(frozen=True, slots=True)
class Published:
    """One version; each form of it is written when somebody first asks for it."""

    version: str
    made: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What was made under this name, or is now, by one thread."""
        if name not in self.made:
            with _writing:
                if name not in self.made:
                    self.made[name] = make()
        found: T = self.made[name]
        return found


def published() -> Published:
    """The version that stands: one row is read, and nothing else while nobody changes the directory."""
    version = versions.directory_version()
    held: Published | None = current_app.extensions.get(_HELD)
    if held is None or held.version != version:
        held = current_app.extensions[_HELD] = Published(version)
    return held


def first_shapes(held: Published) -> tuple[list[dict[str, Any]], str]:
    """Every team in FIRST's shape, by name, and the newest date."""

    def make() -> tuple[list[dict[str, Any]], str]:
        usable = _usable(held)
        shapes = [first.shape(team, usable.dates[team["slug"]]) for team in usable.teams]
        return sorted(shapes, key=lambda it: (it["team"].casefold(), it["id"])), usable.as_of

    return held.once("first", make)


def ti_bytes(held: Published) -> bytes:
    """Every team in the Trusted Introducer's shape."""
    return held.once("ti", lambda: pocdir_json.text_of([ti.shape(team) for team in _usable(held).teams]))


def certbund_bytes(held: Published) -> bytes:
    """CERT-Bund's list of national teams."""
    return held.once("certbund", lambda: certbund.write(_usable(held).teams))


def dump_bytes(held: Published) -> bytes:
    """The signed dump: every team, leads too (their confidence says so), with living channels for the public alone."""

    def make() -> bytes:
        settings: Settings = current_app.extensions["pocdir"]
        whole = exports.exported_with_dates(audiences=PUBLIC, passes=_living)
        said = pocdir_json.whole(whole.teams, whole.as_of)
        key = signing_key(settings.data)
        return dump.write(said, version=held.version, name=key_name(settings), key=key)

    return held.once("dump", make)


def verifier_key(settings: Settings) -> str:
    """The public key of the dump, as text."""
    return dump.verifier_key(key_name(settings), signing_key(settings.data).public_key().public_bytes_raw())


def key_name(settings: Settings) -> str:
    """What the key is called: the host where people reach the service."""
    return f"{urlsplit(settings.external_url).netloc}/directory"


def signing_key(data: Path, *, make: bool = True) -> Ed25519PrivateKey:
    """The key of the dump, kept in the data folder and readable by its owner only; made on its first use.

    Raises Invalid `key_missing` (with `make=False`), `key_invalid`, `data_not_writable`.
    """
    path = data / KEY_FILE
    try:
        if make and not path.exists():
            _keep_new(path)
        return Ed25519PrivateKey.from_private_bytes(b64decode(path.read_text("ascii"), validate=True))
    except FileNotFoundError:
        raise Invalid(
            "key_missing", f"no key is kept in {data}; give one with --key", where="--key"
        ) from None
    except ValueError:
        raise Invalid("key_invalid", f"{path} holds no key; restore it from the backup") from None
    except OSError as error:
        raise Invalid("data_not_writable", f"cannot keep a key in {data}: {error.strerror}") from None


def _keep_new(path: Path) -> None:
    """Whole under its name or not at all: another process may be making one at the same time."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(b64(Ed25519PrivateKey.generate().private_bytes_raw()))
            file.flush()
            os.fsync(file.fileno())
        os.link(part, path)
    except FileExistsError:  # the other one's key stands
        pass
    finally:
        part.unlink()


def _usable(held: Published) -> Exported:
    """What may stand in a shape that has no word for doubt: no lead, nothing of low confidence, no dead address."""

    def make() -> Exported:
        whole = exports.exported_with_dates(audiences=PUBLIC, passes=_certain)
        teams = [team for team in whole.teams if team["confidence"] != "low"]
        return Exported(teams, max((whole.dates[it["slug"]] for it in teams), default=""), whole.dates)

    return held.once("usable", make)


def _living(it: Entry) -> Entry:
    """Nobody writes to an address that bounces or was withdrawn; the shape has no word for it."""
    return it._replace(channels=[row for row in it.channels if row.state not in rules.DEAD_STATES])


def _certain(it: Entry) -> Entry:
    channels = [row for row in it.channels if row.confidence != "low" and row.state not in rules.DEAD_STATES]
    return it._replace(
        channels=channels, responsibilities=[row for row in it.responsibilities if row.confidence != "low"]
    )
