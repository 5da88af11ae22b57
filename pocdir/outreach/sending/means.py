"""What this service has to send with, as the operator has set it up."""

from __future__ import annotations

from dataclasses import dataclass

from pocdir import running


@dataclass(frozen=True, slots=True)
class Means:
    """`can_send`: a relay takes letters by themselves; `a_day`: how many a workspace may send within 24 hours."""

    can_send: bool
    a_day: int
    domain: str  # right side of Message-IDs


def means() -> Means:
    """Of the running application; a demonstration sends nothing."""
    settings = running.settings()
    return Means(
        settings.relay is not None and not settings.demo, settings.sends_per_day, settings.mail_domain
    )
