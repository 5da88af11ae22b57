"""Whether this installation is safe and well."""

from __future__ import annotations

import click

from pocdir import running
from pocdir.core import clock
from pocdir.site.queries.checks import FAIL, checks
from pocdir.web.terminal import app_context, emit, json_option, table


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Say what is unsafe or broken, a line for each check; exit 1 when one fails.

    \b
    Example:  pocdir doctor
    """
    with app_context():
        found = list(checks(running.settings(), clock.now()))
    if as_json:
        for check in found:
            emit({"check": check.name, "level": check.level, "finding": check.finding})
    else:
        table(("level", "check", "finding"), [(check.level, check.name, check.finding) for check in found])
    if any(check.level == FAIL for check in found):
        raise click.exceptions.Exit(1)
