"""The options by which a command sends from here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def send_options(command: Command) -> Command:
    """--send, --plain-text, --despite-rules and --despite-opt-out."""
    rules = click.option(
        "--despite-rules", is_flag=True, help="With --send: also where it does not meet the team's rules."
    )
    opted_out = click.option(
        "--despite-opt-out", is_flag=True, help="With --send: also to a team that does not take such."
    )
    plain = click.option("--plain-text", is_flag=True, help="With --send: it may go in plain text.")
    return click.option("--send", is_flag=True, help="Send it from here, now.")(
        plain(rules(opted_out(command)))
    )
