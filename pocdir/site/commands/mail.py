"""Mail from the command line: the outbox, what comes in, a letter to try the relay with, what the relay's log says."""

from __future__ import annotations

import datetime as dt
import re
import sys
from typing import Any

import click

from pocdir import running
from pocdir.accounts.guards import operator_for
from pocdir.core import clock
from pocdir.core.errors import Conflict, Invalid, Unavailable
from pocdir.core.mailboxes import parse_mailbox
from pocdir.core.refs import new_ref
from pocdir.core.times import isoformat
from pocdir.db import transaction
from pocdir.mail import actions, queries
from pocdir.mail.models import RESULTS, STATES, Mail, Received
from pocdir.mail.rules import delivery, headers, message
from pocdir.mail.rules.envelope import envelope_sender
from pocdir.mail.rules.replies import SENT
from pocdir.mail.smtp import Submission
from pocdir.outreach.actions.notifications import body_digest, record_event
from pocdir.outreach.queries import notifications
from pocdir.outreach.rules.letter import MAIL
from pocdir.site.actions import incoming
from pocdir.site.actions import outbox as outbox_actions
from pocdir.web.terminal import MOMENT, app_context, emit, json_option, plain, table, workspace_option

OPERATOR = "operator"
UNREAD = "unread"  # no room has read it yet
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h


@click.group()
def mail() -> None:
    """The outbox, what comes in, and whether the relay takes a letter."""


@mail.command("test")
@click.argument("address")
def test(address: str) -> None:
    """Send one letter to ADDRESS, past the outbox, and say what the relay answered; exit 1 when it was not taken.

    \b
    Example:  pocdir mail test you@example.org
    """
    with app_context():
        settings = running.settings()
    relay, now = settings.relay, clock.now()
    if relay is None or settings.mail_from is None:
        raise Conflict("mail_not_set_up", "set POCDIR_SMTP_URL and POCDIR_MAIL_FROM")
    try:
        to = parse_mailbox(address)
    except ValueError as error:
        raise Invalid("address_invalid", str(error), where="to") from None
    ref = new_ref(now)
    data = message.compose(
        message.Message(
            sender=settings.mail_from,
            to=to,
            subject=headers.subject("Test of outgoing mail", reference=ref),
            body=f"This is a test of the outgoing mail of {settings.external_url}\nNobody needs to answer it.\n",
            message_id=message.message_id(ref, ref, settings.mail_domain),
            date=now,
        )
    )
    sender = envelope_sender(settings.secret_key.encode(), settings.mail_from, ref)
    with Submission(relay, settings.mail_domain) as submission:
        outcome = submission.hand_over(sender=sender, to=to, data=data)
    if outcome.result != SENT:
        raise Unavailable("mail_not_taken", f"{relay.shown}: {outcome.reason}")
    click.echo(f"{relay.shown} took it: {plain(outcome.reason)}")


@mail.command()
@click.argument("notification")
@click.option("--at", type=MOMENT, required=True, help="When: 2026-11-22T12:00:00Z.")
@click.option("--server", required=True, metavar="HOST", help="The recipient's mail server.")
@click.option("--line", required=True, help="The line of the log, which names the server and its 250.")
@click.option("--message-id", help="Of the letter.")
@workspace_option
def taken(
    notification: str, at: dt.datetime, server: str, line: str, message_id: str | None, workspace: str | None
) -> None:
    """Record from your own relay's log that the recipient's mail server took the letter (its 250).

    Of the line its digest is kept, as evidence: keep the log. Where it names an address (to=<...>), that is the
    notification's.

    \b
    Example:  pocdir mail taken 019ab3f0-... --at 2026-11-22T12:00:05Z --server mx.example.org \\
                --line "status=sent, relay=mx.example.org[192.0.2.1]:25 (250 2.0.0 Ok: queued as 4B1)"
    """
    if server.casefold() not in line.casefold() or not re.search(r"\b250\b", line):
        message = f"it does not say that {plain(server)} answered 250; give the line of the log as it stands"
        raise Invalid("log_line_invalid", message, where="line")
    payload = {"hop": "recipient_mx", "kind": "email", "remote_mta": server, "message_id": message_id}
    with app_context():
        who = operator_for(workspace)
        with transaction() as session:
            told = notifications.own_notification_to_change(notification, who, session)
            if told.channel_kind != "email":
                raise Invalid("no_letter", "it went over another channel than mail", where="notification")
            if delivery.is_of_another(line, told.channel_value):
                message = f"the line is of another address; it went to {plain(told.channel_value)}"
                raise Invalid("log_line_of_another", message, where="line")
            record_event(
                session, told, type="message.submitted", payload=payload, occurred_at=at,
                now=clock.now(), actor=who.actor, claimed_by="service", assurance="A0",
                scope=f"taken:{told.ref}", key=f"{server}:{isoformat(at)}",
                evidence_digest=body_digest(line),
            )  # fmt: skip
            level = told.sent_level
    click.echo(f"{notification} is at {level}")


class ForMailServers(click.Command):
    """A command that a mail server calls: of a wrong call too it learns that it has to keep the mail and try again. Any
    other code than 0 and 75 makes it send the mail back, to somebody who can do nothing about it."""

    def make_context(self, *given: Any, **more: Any) -> click.Context:
        try:
            return super().make_context(*given, **more)
        except click.UsageError as error:
            click.echo(f"pocdir: not kept, called wrongly: {plain(error.format_message())}", err=True)
            raise click.exceptions.Exit(TRY_AGAIN) from None


@mail.command(cls=ForMailServers)
@click.option("--sender", help="The envelope's sender, as the mail server knows it; empty for none.")
@click.option("--recipient", help="The envelope's recipient.")
def receive(sender: str | None, recipient: str | None) -> None:
    """Take in one mail from standard input, as a mail server's pipe gives it.

    Exit 0 once it is kept; 75 when it could not be, so that the mail server keeps it and tries again, also where the
    options are wrong.

    \b
    Example:  pocdir mail receive --sender reports@cert.example --recipient pocdir@example.org
    """
    try:
        with app_context():
            secret, now = running.secret(), clock.now()
            about: dict[str, Any] = {"secret": secret, "server": running.settings().authserv_id, "now": now}
            row = incoming.take(sys.stdin.buffer, sender=sender, to=recipient, **about)
            _read(row, **about)
    except Exception as error:  # whatever it is, the mail server has the mail still, and must not lose it
        click.echo(
            f"pocdir: not kept, try again: {plain(type(error).__name__)}: {plain(error)[:300]}", err=True
        )
        raise click.exceptions.Exit(TRY_AGAIN) from None


def _read(row: Received, **about: Any) -> None:
    """What follows from a mail that is kept; where that fails, the worker tries again and says why."""
    try:
        incoming.read(row, **about)
    except Exception as error:
        click.echo(f"pocdir: kept, and left to the worker: {plain(type(error).__name__)}", err=True)


@mail.command("list")
@click.option(
    "--result",
    "results",
    multiple=True,
    type=click.Choice((*RESULTS, UNREAD)),
    help="Only these; several times.",
)
@json_option
def received_list(results: tuple[str, ...], as_json: bool) -> None:
    """Mails that came in, the newest first: at most 1,000. What answers a notification its workspace reads.

    \b
    Example:  pocdir mail list --result unmatched
    """
    with app_context():
        chosen = [None if each == UNREAD else each for each in results or (*RESULTS, UNREAD)]
        rows, total = queries.received_list(results=chosen, limit=1000)
        if as_json:
            for each in rows:
                emit(_shown_received(each))
            return
        columns = ("ref", "received", "class", "result", "sender", "subject")
        lines = [
            (m.ref, isoformat(m.received_at), m.mail_class, m.result or UNREAD, m.sender, m.subject)
            for m in rows
        ]
        table(columns, lines)
        if total > len(rows):
            click.echo(f"and {total - len(rows)} older ones", err=True)


def _shown_received(found: Received) -> dict[str, Any]:
    names = (
        "ref", "digest", "size", "sender", "subject", "excerpt", "attachments", "rule", "word", "letter", "proven",
        "action", "status", "server", "result", "reason", "event",
    )  # fmt: skip
    return {
        "received_at": isoformat(found.received_at),
        "class": found.mail_class,
        "seen_at": isoformat(found.seen_at) if found.seen_at else None,
    } | {name: getattr(found, name) for name in names}


@mail.group()
def outbox() -> None:
    """What waits, what was sent, what could not be."""


@outbox.command("list")
@click.option(
    "--state", "states", multiple=True, type=click.Choice(STATES), help="Only these; several times."
)
@json_option
def list_(states: tuple[str, ...], as_json: bool) -> None:
    """Letters, the newest first: at most 1,000.

    \b
    Example:  pocdir mail outbox list --state failed --state dead
    """
    with app_context():
        mails, total = queries.listed(states=states or STATES, limit=1000)
        if as_json:
            for each in mails:
                emit(_shown(each))
            return
        columns = ("ref", "state", "kind", "to", "created", "reason")
        told = map(_shown, mails)
        rows = [
            (m["ref"], m["state"], m["kind"], m["to"] or "of a workspace", m["created_at"], m["last_error"])
            for m in told
        ]
        table(columns, rows)
        if total > len(mails):
            click.echo(f"and {total - len(mails)} older ones", err=True)


@outbox.command()
@click.argument("ref")
@json_option
def show(ref: str, as_json: bool) -> None:
    """One letter as it will be sent, or what is left of it.

    \b
    Example:  pocdir mail outbox show 019a5c1e-7d00-7a10-9f00-0242ac120002
    """
    with app_context(), transaction() as session:
        if queries.mail(ref, session).kind == MAIL:
            raise Conflict(
                "mail_of_a_workspace", "this letter belongs to a notification; its workspace reads it"
            )
        found = outbox_actions.read_letter(session, ref=ref, now=clock.now(), actor=OPERATOR)
    if as_json:
        emit(_shown(found) | {"body": found.body})
        return
    for name, value in (("To", found.to), ("Subject", found.subject), ("Message-ID", found.message_id)):
        click.echo(f"{name}: {plain(value)}")
    click.echo(f"State: {found.state}{f' ({plain(found.last_error)})' if found.last_error else ''}\n")
    click.echo("\n".join(map(plain, (found.body or "(erased)").splitlines())))


@outbox.command()
@click.argument("ref")
def retry(ref: str) -> None:
    """Begin anew with a letter that waits, failed or was given up.

    \b
    Example:  pocdir mail outbox retry 019a5c1e-7d00-7a10-9f00-0242ac120002
    """
    with app_context(), transaction() as session:
        actions.retry(session, ref=ref, now=clock.now(), actor=OPERATOR)
    click.echo("It is tried again from now on.")


@outbox.command()
@click.argument("ref")
def sent(ref: str) -> None:
    """Say that a person has sent it with a mail program.

    \b
    Example:  pocdir mail outbox sent 019a5c1e-7d00-7a10-9f00-0242ac120002
    """
    with app_context(), transaction() as session:
        if queries.mail(ref, session).kind == MAIL:
            raise Conflict(
                "mail_of_a_workspace", "this letter belongs to a notification; its workspace decides"
            )
        actions.mark_sent_by_hand(session, ref=ref, now=clock.now(), actor=OPERATOR)
    click.echo("Marked as sent.")


@outbox.command()
@click.argument("ref")
@click.option("--reason", help="Why; it stands beside the letter.")
def withdraw(ref: str, reason: str | None) -> None:
    """Take a letter back before it is sent; this cannot be undone.

    \b
    Example:  pocdir mail outbox withdraw 019a5c1e-7d00-7a10-9f00-0242ac120002 --reason "wrong team"
    """
    with app_context(), transaction() as session:
        actions.withdraw(session, ref=ref, now=clock.now(), actor=OPERATOR, reason=reason)
    click.echo("Withdrawn.")


# Of a notification's letter: what its workspace alone reads.
_ITS_WORKSPACES = ("to", "subject", "last_error")


def _shown(found: Mail) -> dict[str, Any]:
    """One object of `--json`."""
    times = ("created_at", "next_attempt_at", "expires_at", "sent_at", "settled_at")
    return {
        name: getattr(found, name)
        for name in ("ref", "key", "kind", "state", "team", "notification", "to", "subject", "message_id")
    } | {
        "attempts": found.attempts,
        "last_error": found.last_error,
        "settled_by": found.settled_by,
        **{name: isoformat(at) if (at := getattr(found, name)) else None for name in times},
        **(dict.fromkeys(_ITS_WORKSPACES) if found.kind == MAIL else {}),
    }
