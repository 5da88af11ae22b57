"""What a letter of the directory has to know of this service, and in which language it is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pocdir.core.codes import LANGUAGES


@dataclass(frozen=True, slots=True)
class Office:
    """The place from where this service writes: its secret signs the links in a letter."""

    secret: bytes
    url: str  # without a final slash
    mail_domain: str  # the right side of Message-IDs


def language_for(languages: Iterable[str]) -> str:
    """The first of a team's languages in which we can write; else English."""
    spoken = (tag.partition("-")[0].lower() for tag in languages)
    return next((tag for tag in spoken if tag in LANGUAGES), LANGUAGES[0])
