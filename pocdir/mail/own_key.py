"""This service's own OpenPGP key, which signs what it encrypts: made on first use and kept beside the secret."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from pocdir.config import Settings
from pocdir.core.errors import Invalid, Unavailable
from pocdir.mail.rules.encryption import new_key, public_of

FILE = "openpgp_key"


def own_key(settings: Settings) -> str:
    """The private key, armoured: of the settings, else the one that is kept.

    Raises Unavailable `data_not_writable`, Invalid `setting_invalid` where it is none that can sign.
    """
    found = settings.openpgp_key or _kept(settings)
    public_of(found)
    return found


def _kept(settings: Settings) -> str:
    path = settings.data / FILE
    try:
        if not path.exists():
            _make(path, new_key("pocdir", settings.mail_from or f"pocdir@{settings.mail_domain}"))
        return path.read_text("utf-8")
    except OSError as error:
        raise Unavailable("data_not_writable", f"cannot keep a key in {path}: {error.strerror}") from None


def kept(settings: Settings) -> tuple[str, str] | None:
    """(fingerprint, public key) of the one that stands, None before its first use; raises Invalid `setting_invalid`."""
    if settings.openpgp_key:
        return public_of(settings.openpgp_key)
    try:
        return public_of((settings.data / FILE).read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError):
        raise Invalid("setting_invalid", f"{settings.data / FILE} cannot be read") from None


def _make(path: Path, text: str) -> None:
    """Whole or not at all; of two processes at once the first one's stays."""
    made = path.with_name(f"{path.name}.{os.getpid()}")
    handle = os.open(made, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(made, path)
    finally:
        made.unlink(missing_ok=True)
