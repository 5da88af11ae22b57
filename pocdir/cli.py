"""The command line: one table of commands, each loaded when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pocdir.core.errors import Refusal
from pocdir.core.loading import nothing_thrown_away
from pocdir.core.version import VERSION

LONGEST_LINE = 1000
UNDEFINED_TABLE = "42P01"  # PostgreSQL's

if TYPE_CHECKING:
    from flask import Flask

    from pocdir.config import Settings

# command -> where it lives, and one line for `pocdir --help` (which loads none of them)
COMMANDS = {
    "up": ("pocdir.worker:up", "Migrate, seed when empty, serve web, API and worker."),
    "serve": ("pocdir.worker:serve", "Serve web and API alone."),
    "worker": ("pocdir.worker:work", "Run the worker alone."),
    "db": ("pocdir.site.commands.database:db", "Migrate the database, or show where it stands."),
    "seed": ("pocdir.site.commands.seed:seed", "Load the shipped directory and registry."),
    "demo": ("pocdir.site.commands.demo:demo", "Make a separate database with a synthetic year."),
    "user": ("pocdir.site.commands.user:user", "Create people and their one-time links."),
    "token": ("pocdir.accounts.commands:token", "Create and revoke API tokens."),
    "lookup": ("pocdir.site.commands.lookup:lookup", "Whom do I tell? Contacts for an indicator."),
    "route": ("pocdir.site.commands.route:route", "Split a file into parcels, one for each contact."),
    "registry": ("pocdir.routing.commands:registry", "Import who holds which address."),
    "directory": ("pocdir.directory.commands:directory", "Import, export and correct the directory."),
    "notify": ("pocdir.outreach.commands.notify:notify", "Log a notification, or a spreadsheet of them."),
    "notification": (
        "pocdir.outreach.commands.notification:notification",
        "What was logged, what is recorded of it, its letter.",
    ),
    "unanswered": (
        "pocdir.outreach.commands.unanswered:unanswered",
        "Notifications without a recorded answer.",
    ),
    "feed": ("pocdir.outreach.commands.feed:feed", "A member's own feed of what is still open."),
    "desk": ("pocdir.outreach.desk.commands:desk", "A team's own desk, on its word to the operator."),
    "told": ("pocdir.outreach.desk.commands:told", "What was told to a team, as a table, JSON or CSV."),
    "record": ("pocdir.outreach.commands.record:record", "Record a fact about one notification or many."),
    "workspace": ("pocdir.site.commands.workspace:workspace", "Take out all that a workspace has recorded."),
    "policy": ("pocdir.outreach.escalation.commands:policy", "Policies: which next step follows when."),
    "sending": ("pocdir.outreach.sending.commands:sending", "Which workspaces may send from here."),
    "incident": (
        "pocdir.outreach.outcome.commands:incident",
        "Open a case, tell its contacts, see what became of it.",
    ),
    "webhook": ("pocdir.outreach.webhooks.commands:webhook", "Have another program told of new events."),
    "latency": ("pocdir.latency.commands:latency", "How long answers take, honestly."),
    "mail": (
        "pocdir.site.commands.mail:mail",
        "The outbox, what comes in, and whether the relay takes a letter.",
    ),
    "ledger": ("pocdir.site.commands.ledger:ledger", "Verify and export the record."),
    "retention": (
        "pocdir.site.commands.retention:retention",
        "Erase what was kept long enough.",
    ),
    "doctor": ("pocdir.site.commands.doctor:doctor", "Say what is unsafe or broken."),
    "backup": ("pocdir.site.commands.backup:backup", "Write everything into one file."),
    "restore": ("pocdir.site.commands.backup:restore", "Read it back, and verify it."),
}


class LazyGroup(click.Group):
    """Loads a command's module only when it is needed: `pocdir lookup` starts fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        with nothing_thrown_away():
            return getattr(importlib.import_module(module), attribute)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # a reader that has seen enough (`| head`) is no refusal; click calls it one
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def create(settings: Settings) -> Flask:
    """The application of these settings."""
    from pocdir.app import create_app  # takes a third of a second: not for --help
    from pocdir.web import logs

    app = create_app(settings)
    logs.init("warning")  # a command answers on standard output; `up` and its halves say more
    return app


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="pocdir")
@click.pass_context
def pocdir(ctx: click.Context) -> None:
    """Neutral directory of CERTs, CSIRTs and points of contact, and the record of who was told.

    \b
    Example:  pocdir lookup 203.0.113.70
    """
    from pocdir.web.terminal import ApplicationFactory  # takes a second: not for --help, and Ctrl-C is heard

    ctx.obj = ApplicationFactory(create)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command; exit 0 done, 1 refused or nothing found, 2 wrong usage."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """The same as a number: refusals and usage errors are one line on stderr."""
    try:
        result = pocdir.main(args=arguments, prog_name="pocdir", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.Abort:
        return _refuse("stopped", 1)
    except click.UsageError as error:
        hint = f" (see {error.ctx.command_path} --help)" if error.ctx else ""
        return _refuse(error.format_message() + hint, 2)
    except click.ClickException as error:
        return _refuse(error.format_message(), error.exit_code)
    except Refusal as refusal:
        box = refusal.where or ""
        said = (
            f"{refusal.message} (--{box.replace('_', '-')})" if box.startswith("despite_") else str(refusal)
        )
        return _refuse(said, 1)
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        return _refuse("PostgreSQL needs one package more: pip install 'pocdir[postgres]'", 1)
    except KeyboardInterrupt:  # before click listens, while it still loads
        return _refuse("stopped", 1)
    except OSError as error:  # a disk that is full, a file that may not be read
        about = f": {error.filename}" if error.filename else ""
        return _refuse(f"{error.strerror or error}{about}", 1)
    except Exception as error:
        from sqlalchemy.exc import SQLAlchemyError  # not for --help

        if not isinstance(error, SQLAlchemyError):
            raise
        return _refuse(_database_says(getattr(error, "orig", None) or error), 1)
    return result if isinstance(result, int) else 0


def _database_says(error: object) -> str:
    """Its own words, never the statement with its values."""
    if "no such table" in str(error) or getattr(error, "sqlstate", None) == UNDEFINED_TABLE:
        return "the database is empty or behind; run `pocdir up`, or `pocdir seed`"
    return f"the database says: {error} (`pocdir doctor` tells more)"


def _refuse(message: str, code: int) -> int:
    """One line on stderr, of a length that can be read, without what a terminal would obey."""
    from pocdir.web.terminal import plain

    line = plain(" ".join(message.split()))
    click.echo(f"pocdir: {line[:LONGEST_LINE]}{'...' if len(line) > LONGEST_LINE else ''}", err=True)
    return code


if __name__ == "__main__":
    main()
