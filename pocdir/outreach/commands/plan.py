"""`pocdir incident plan`: whom an incident's assets concern, their letters, and logging them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import click

from pocdir.accounts.guards import operator_for
from pocdir.core import clock
from pocdir.core.errors import Conflict, Invalid
from pocdir.core.times import isoformat
from pocdir.db import Line, transaction
from pocdir.incidents import queries as incident_queries
from pocdir.ledger.rules.vocabulary import NOTIFICATION_KINDS
from pocdir.outreach import campaigns, schemas
from pocdir.outreach.presentation.plan import shown_contact
from pocdir.outreach.queries.plans import plan_of
from pocdir.outreach.rules.plan import Choices, Plan
from pocdir.outreach.sending.options import send_options
from pocdir.web.terminal import (
    LENGTH,
    MOMENT,
    app_context,
    emit,
    json_option,
    loaded,
    table,
    workspace_option,
)

MOST_NAMED = 10  # contacts of a plan, in a refusal


@click.command()
@click.argument("ref")
@click.option("--to", multiple=True, metavar="SLUG", help="Only this contact; repeat for more.")
@click.option("--letters", is_flag=True, help="Show the letter to each, as it would be.")
@click.option("--log", "is_logged", is_flag=True, help="Log a notification for each: all, or none.")
@click.option("--kind", type=click.Choice(NOTIFICATION_KINDS), default="report", show_default=True)
@click.option("--message", help="What you write to all of them.")
@click.option("--within", type=LENGTH, help="Within which time a reply is asked for: P2D.")
@click.option("--sent-at", type=MOMENT, help="When, if not now: 2026-11-22T12:00:00Z.")
@click.option("--for-information", is_flag=True, help="No answer is asked for.")
@send_options
@workspace_option
@json_option
def plan(
    ref: str,
    to: tuple[str, ...],
    letters: bool,
    is_logged: bool,
    sent_at: dt.datetime | None,
    for_information: bool,
    workspace: str | None,
    as_json: bool,
    **words: Any,
) -> int:
    """Whom an incident's assets concern: a preview, one parcel for each contact; nothing is logged without --log.

    \b
    Example:  pocdir incident plan 019ab3... --letters
    """
    if letters and is_logged:
        raise click.UsageError("either --letters or --log")
    if words["send"] and not is_logged:
        raise click.UsageError("--send needs --log")
    now = clock.now()
    with app_context():
        who = operator_for(workspace)
        incident = incident_queries.incident(ref, workspace_id=who.workspace_id)
        found, told = plan_of(incident, on=now.date()), campaigns.told_already(incident)
        _require_planned(found, to)
        if not letters and not is_logged:
            return _preview(found, told, to, as_json=as_json)
        if incident.people_at_risk and not to:
            message = "people may be at risk: say yes to each contact by --to"
            raise Conflict("people_at_risk", message, where="to")
        said = {name: value for name, value in words.items() if value is not None}
        said |= {
            "choose": list(to) or campaigns.suggested(found, told, words["kind"]),
            "people_at_risk": bool(to),
        }
        if not said["choose"]:
            raise Invalid("not_in_plan", "nobody is left to tell of those to write to", where="to")
        said |= {"answer_asked": "false" if for_information else "true"}
        chosen = Choices(**loaded(schemas.PlanChosen(), said) | {"sent_at": sent_at})
        with transaction() as session:
            incident = incident_queries.incident(ref, workspace_id=who.workspace_id, session=session)
            about: dict[str, Any] = {"plan": found, "now": now}
            if letters:
                done = campaigns.letters(session, incident, chosen, principal=who, **about)
            else:
                refs = campaigns.tell(
                    session, incident, chosen, workspace_id=who.workspace_id or 0, actor=who.actor, **about
                )
                done = [
                    {"team": slug, "notification": one} for slug, one in zip(chosen.slugs, refs, strict=True)
                ]
    _print(done, as_json=as_json)
    return 0


def _require_planned(found: Plan, to: tuple[str, ...]) -> None:
    """Raises Invalid `not_in_plan` for whom the plan does not name, with whom it does."""
    known = [each.slug for each in found.contacts]
    strangers = [slug[:60] for slug in to if slug not in known]
    if strangers:
        more = f" and {len(known) - MOST_NAMED} more" if len(known) > MOST_NAMED else ""
        named = f"it has {', '.join(known[:MOST_NAMED])}{more}" if known else "it has none"
        raise Invalid("not_in_plan", f"no contact of this plan: {', '.join(strangers)}; {named}", where="to")


def _preview(found: Plan, told: Mapping[str, Line], to: tuple[str, ...], *, as_json: bool) -> int:
    shown = [each for each in found.contacts if not to or each.slug in to]
    if as_json:
        for each in shown:
            ref = told[each.slug].ref if each.slug in told else None
            emit(schemas.PlanContact().dump(shown_contact(each)) | {"told": ref})
    else:
        rows = [
            (it.slug, it.role, it.channel.value, len(it.assets),
             isoformat(told[it.slug].sent_at) if it.slug in told else "")
            for it in shown
        ]  # fmt: skip
        table(("team", "role", "channel", "assets", "told"), rows)
        if found.unrouted:
            click.echo(f"{len(found.unrouted)} assets without a contact", err=True)
    return 0 if shown else 1


def _print(done: list[dict[str, Any]], *, as_json: bool) -> None:
    for each in done:
        if as_json:
            emit(schemas.CampaignLetter().dump(each) if "body" in each else each)
        elif "body" in each:
            click.echo(f"To: {each['to']}\nSubject: {each['subject']}\n\n{each['body']}\n")
        else:
            click.echo(f"logged {each['notification']} to {each['team']}")
