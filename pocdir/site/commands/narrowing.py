"""The options that narrow a question: those of `pocdir lookup` and `pocdir route`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
OPTIONS = (
    click.option("--sector", help="The sector concerned, such as energy: its team comes first."),
    click.option(
        "--kind-of-report", metavar="CLASS/TYPE", help="Of the incident taxonomy; it changes the order."
    ),
    click.option("--exclude-team", metavar="SLUG", multiple=True, help="Not to this team; may be repeated."),
    click.option(
        "--exclude-country", metavar="CC", multiple=True, help="Not to this country; may be repeated."
    ),
    click.option(
        "--exclude-host",
        metavar="KIND",
        multiple=True,
        help="Not to whom this kind of body hosts: police, intelligence, military, ...; may be repeated.",
    ),
    click.option(
        "--purpose", help="Which of their addresses: incident, vulnerability, sample, emergency, general."
    ),
)


def narrowing_options(command: Command) -> Command:
    """All of them, in this order in its --help; what they say goes to `routing.queries.question`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
