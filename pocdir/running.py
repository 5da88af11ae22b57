"""What the running application was started with."""

from __future__ import annotations

from flask import current_app

from pocdir.config import Settings


def settings() -> Settings:
    """Its settings."""
    found: Settings = current_app.extensions["pocdir"]
    return found


def secret() -> bytes:
    """The secret from which its links, digests and tokens are derived."""
    return settings().secret_key.encode()
