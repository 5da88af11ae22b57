"""This service, as the letters of the directory know it."""

from __future__ import annotations

from flask import current_app

from pocdir.config import Settings
from pocdir.directory.rules.office import Office


def office() -> Office:
    """The office of the running application."""
    settings: Settings = current_app.extensions["pocdir"]
    secret = str(current_app.config["SECRET_KEY"]).encode()
    return Office(secret=secret, url=settings.external_url, mail_domain=settings.mail_domain)
