"""`pocdir notify`: one notification, a folder of parcels, or an old spreadsheet."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pocdir.accounts.guards import Principal, operator_for
from pocdir.core import clock, tlp
from pocdir.core.batches import batches
from pocdir.core.errors import Conflict, Invalid
from pocdir.core.times import isoformat
from pocdir.db import transaction
from pocdir.incidents import queries as incident_queries
from pocdir.ledger.rules.vocabulary import NOTIFICATION_KINDS
from pocdir.outreach import campaigns, schemas
from pocdir.outreach.actions.parcels import keep
from pocdir.outreach.actions.spreadsheet import LineResult, expected, import_spreadsheet, tally
from pocdir.outreach.presentation.notification import shown_notification
from pocdir.outreach.queries import parcels, plans, snapshots
from pocdir.outreach.queries.spreadsheet import Matched, matched
from pocdir.outreach.rules.delimited import LARGEST
from pocdir.outreach.rules.letter import one_line
from pocdir.outreach.rules.parcels import Brought
from pocdir.outreach.rules.plan import Choices, Plan, Planned, WaitingParcel
from pocdir.outreach.rules.spreadsheet import Refused, Spreadsheet, read_spreadsheet
from pocdir.outreach.sending.options import send_options
from pocdir.outreach.sending.rules import SEND_FLAGS
from pocdir.outreach.sending.telling import tell
from pocdir.web.terminal import (
    MOMENT,
    app_context,
    emit,
    json_option,
    loaded,
    read_input,
    table,
    workspace_option,
)

AT_ONCE = 200  # lines of a spreadsheet in one transaction


@click.command()
@click.option("--team", help="Slug of the team that was told.")
@click.option("--incident", help="Reference of the incident.")
@click.option("--channel", help="How: KIND:VALUE, such as phone:+43... or other:conference.")
@click.option("--kind", type=click.Choice(NOTIFICATION_KINDS), default="report", show_default=True)
@click.option("--sent-at", type=MOMENT, help="When, if not now: 2026-11-22T12:00:00Z.")
@click.option("--subject", help="What it was about.")
@click.option(
    "--tlp",
    type=click.Choice(tlp.LABELS),
    help="Default: the strictest of the incident's and what it follows, else TLP:AMBER.",
)
@click.option("--language", help="Of the letter; default: the first of the team's that we write.")
@click.option("--parent", metavar="REF", help="The notification that this one follows.")
@click.option("--asset", "assets", multiple=True, help="An address or name concerned; repeat for more.")
@click.option("--expect", "expected", multiple=True, help="OF:WITHIN, such as acknowledgement:P2D.")
@click.option("--for-information", is_flag=True, help="No answer is asked for.")
@click.option(
    "--csv", "spreadsheet", type=click.Path(path_type=Path), help="Your old spreadsheet (- for stdin)."
)
@click.option("--day-first", is_flag=True, help="With --csv: 03/04/2026 is the third of April.")
@click.option("--month-first", is_flag=True, help="With --csv: 03/04/2026 is the fourth of March.")
@click.option(
    "--routed",
    type=click.Path(path_type=Path),
    help="A folder that `pocdir route` made: each contact is told, with its own parcel. Needs --incident.",
)
@click.option(
    "--to", multiple=True, metavar="SLUG", help="With --routed: only this contact; repeat for more."
)
@click.option("--dry-run", is_flag=True, help="With --csv or --routed: show what would be logged.")
@send_options
@click.option(
    "--people-at-risk", is_flag=True, help="You know that people may be at risk: this contact is told."
)
@workspace_option
@json_option
def notify(
    spreadsheet: Path | None,
    routed: Path | None,
    to: tuple[str, ...],
    dry_run: bool,
    day_first: bool,
    month_first: bool,
    workspace: str | None,
    as_json: bool,
    **given: Any,
) -> int:
    """Log that a team was told, or bring a spreadsheet of contact, date, bounced, answered.

    \b
    Example:  pocdir notify --team cert-at --subject "Sinkhole hits" --asset 203.0.113.70
              pocdir notify --csv contacts.csv --dry-run
              pocdir notify --routed parcels --incident 019ab3...
    """
    with app_context():
        who = operator_for(workspace)
        if routed is not None:
            if not given["incident"]:
                raise click.UsageError("--routed needs --incident")
            lines = tell_contacts(who, routed, given, to, dry_run=dry_run)
            _print(lines, as_json, dry_run=dry_run)
            return 0
        if spreadsheet is not None:
            if day_first and month_first:
                raise click.UsageError("--day-first and --month-first: only one can be meant")
            first = day_first if day_first or month_first else None
            return _import(who, spreadsheet, first, dry_run, as_json)
        if not given["team"]:
            raise click.UsageError("--team or --csv is needed")
        shown = _log(who, given)
        if as_json:
            emit(schemas.NotificationAnswer().dump(shown))
        else:
            done = "logged" if shown["sending"] is None else shown["sending"]["state"].replace("_", " ")
            click.echo(f"{done} {shown['ref']} to {shown['team']} ({shown['channel']['value']})")
            click.echo(f"recipient's page: {shown['recipient_page']}")
    return 0


class _DryRunEnds(Exception):  # noqa: N818 - no error
    """All of it was done as it would be, and nothing of it is to stay."""


def tell_contacts(
    who: Principal, folder: Path, given: Mapping[str, Any], to: Sequence[str], *, dry_run: bool
) -> list[dict[str, Any]]:
    """Keep a folder's parcels with the incident and log a notification for each contact: all, or none.

    A dry run does the same, is refused for the same, and leaves nothing. Where people may be at risk each contact must
    be named in `to`. Raises Conflict `people_at_risk` else, Invalid `not_in_plan`, and what log_chosen raises.
    """
    now, ref = clock.now(), str(given["incident"])
    brought = parcels.in_folder(folder)
    incident = incident_queries.incident(ref, workspace_id=who.workspace_id)
    if incident.people_at_risk and not to:
        raise Conflict("people_at_risk", "people may be at risk: say yes to each contact by --to", where="to")
    planned = plans.plan_of(incident, on=now.date(), brought=brought)
    contacts = planned.by_slug()
    chosen = Choices(
        choose=to or [slug for slug, each in contacts.items() if each.parcels],
        kind=given["kind"],
        sent_at=given["sent_at"],
        answer_asked="false" if given["for_information"] else "true",
        people_at_risk=bool(to),
        **{name: given[name] for name in SEND_FLAGS},
    )
    if not chosen.choose:
        raise Invalid(
            "not_in_plan", "nobody is left to tell: each contact has its parcel, or no address is known"
        )
    logged: list[str] = []
    with contextlib.suppress(_DryRunEnds), transaction() as session:
        incident = incident_queries.incident(ref, workspace_id=who.workspace_id, session=session, lock=True)
        keep(session, incident, brought, now=now, actor=who.actor)
        logged = campaigns.tell(
            session,
            incident,
            chosen,
            plan=planned,
            workspace_id=who.workspace_id or 0,
            now=now,
            actor=who.actor,
        )
        if dry_run:
            raise _DryRunEnds
    told = [
        _line(contacts[slug], None if dry_run else one)
        for slug, one in zip(chosen.slugs, logged, strict=True)
    ]
    return told if to else [*told, *_to_nobody(brought, planned)]


def _line(contact: Planned, notification: str | None) -> dict[str, Any]:
    channel = contact.channel.value
    return {"team": contact.slug, "channel": channel, "rows": contact.rows, "notification": notification}


def _to_nobody(brought: Sequence[Brought], plan: Plan) -> list[dict[str, Any]]:
    """Parcels of teams that cannot be written to any more: they wait with the incident."""
    names = {each.what.name for each in plan.unrouted if isinstance(each.what, WaitingParcel)}
    return [
        {"team": each.team, "channel": None, "rows": each.rows, "notification": None}
        for each in brought
        if each.name in names
    ]


def _print(lines: Sequence[Mapping[str, Any]], as_json: bool, *, dry_run: bool) -> None:
    if as_json:
        for line in lines:
            emit(line)
        return
    table(
        ("team", "channel", "rows", "notification"),
        [(it["team"], it["channel"] or "no address known", it["rows"], it["notification"]) for it in lines],
    )
    if dry_run:
        click.echo("(dry run, nothing was changed)", err=True)


def _log(who: Principal, given: dict[str, Any]) -> dict[str, Any]:
    kind, _, value = (given["channel"] or "").partition(":")
    body = {
        "team": given["team"],
        "incident": given["incident"],
        "channel": {"kind": kind, "value": value} if kind else None,
        "kind": given["kind"],
        "sent_at": given["sent_at"] and isoformat(given["sent_at"]),
        "subject": given["subject"],
        "tlp": given["tlp"],
        "language": given["language"],
        "parent": given["parent"],
        "assets": list(given["assets"]) or None,
        "answer_asked": not given["for_information"],
        **{name: given[name] for name in (*SEND_FLAGS, "people_at_risk")},
        "expect": [
            dict(zip(("of", "within"), each.partition(":")[::2], strict=True)) for each in given["expected"]
        ]
        or None,
    }
    words, now = loaded(schemas.NotificationSchema(), body), clock.now()
    found = plans.routed(words, workspace_id=who.workspace_id, on=now.date())
    with transaction() as session:
        ref = tell(session, words, routed=found, workspace_id=who.workspace_id or 0, now=now, actor=who.actor)
        return shown_notification(snapshots.snapshot(ref, who, session))


def _import(who: Principal, path: Path, day_first: bool | None, dry_run: bool, as_json: bool) -> int:
    now = clock.now()
    sheet = read_spreadsheet(read_input(path, most=LARGEST), now=now, day_first=day_first)
    lines = matched(sheet, workspace_id=who.workspace_id or 0, now=now)
    results = []
    for batch in batches(lines, AT_ONCE):
        done = expected(batch) if dry_run else _write(batch, who, now)
        for each in done:
            if as_json:
                emit(each.as_json())
            else:
                click.echo(" ".join(filter(None, _said(each))))
        results += done
    counts = tally(results)
    click.echo(_columns(sheet), err=True)
    end = " (dry run, nothing was changed)" if dry_run else ""
    click.echo(f"{len(results)} lines: {_counted(counts)}{end}", err=True)
    return 1 if counts["refused"] else 0


def _write(lines: Sequence[Matched | Refused], who: Principal, now: dt.datetime) -> list[LineResult]:
    """In steps, so that others can write meanwhile: a file that was cut short goes on where it is brought again."""
    with transaction() as session:
        return import_spreadsheet(
            session, lines, workspace_id=who.workspace_id or 0, now=now, actor=who.actor
        )


_GAINS = {"ack.given": "an answer", "delivery.failed": "a bounce"}


def _said(each: LineResult) -> tuple[str, ...]:
    gained = " and ".join(_GAINS[type_] for type_ in each.events) if each.result == "gains" else ""
    return f"line {each.line}: {each.result}", gained, each.team or each.contact, each.message


def _counted(counts: Mapping[str, int]) -> str:
    said = [f"{counts['new']} new"]
    if counts["answers"]:
        said.append(f"{counts['answers']} gain an answer")
    if counts["bounces"]:
        said.append(f"{counts['bounces']} gain a bounce")
    return ", ".join([*said, f"{counts['known']} known", f"{counts['refused']} refused"])


def _columns(sheet: Spreadsheet) -> str:
    said = "columns: " + ", ".join(
        f"{field} = {' / '.join(headers)}" for field, headers in sheet.columns.items()
    )
    if sheet.unread:
        said += f"; not read: {', '.join(sheet.unread)}"
    if sheet.day_first is not None:
        said += f"; dates such as 03/04/2026 have the {'day' if sheet.day_first else 'month'} first"
    return one_line(said)
