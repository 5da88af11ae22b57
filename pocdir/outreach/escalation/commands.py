"""`pocdir policy`: policies as files, and when their steps fall due."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import click

from pocdir.accounts.guards import Principal, operator_for
from pocdir.core import clock
from pocdir.core.times import isoformat
from pocdir.db import db, transaction
from pocdir.outreach.escalation import presentation, queries, schemas
from pocdir.outreach.escalation.actions import policies as actions
from pocdir.outreach.escalation.deciding import (
    approve_or_stop,
    choose_policy,
    decide,
    decide_many,
    path_shown,
    suggested,
)
from pocdir.outreach.escalation.files import read_policy, written
from pocdir.outreach.sending.options import send_options
from pocdir.routing.queries import index
from pocdir.routing.rules.index import Index
from pocdir.web.terminal import MOMENT, WORDS, app_context, emit, json_option, table, workspace_option

MOST_LISTED = 10_000
version_option = click.option("--version", type=int, help="Which version; the newest unless one is named.")


@click.group()
def policy() -> None:
    """Which next step follows where no answer is recorded: policies as files.

    \b
    Example:  pocdir policy add national-first.yaml
    """


@policy.command()
@click.argument("file", type=click.Path(path_type=Path))
@workspace_option
@json_option
def add(file: Path, workspace: str | None, as_json: bool) -> None:
    """Keep a policy from a YAML or JSON file (- for stdin); a change is another version.

    \b
    Example:  pocdir policy add national-first.yaml
    """
    given = read_policy(file)
    with app_context():
        who = operator_for(workspace)
        with transaction() as session:
            kept = actions.add(
                session, given, workspace_id=who.workspace_id or 0, now=clock.now(), actor=who.actor
            )
            shown = {"slug": kept.slug, "version": kept.version, "digest": kept.digest}
    if as_json:
        emit(shown)
    else:
        click.echo(f"{shown['slug']}, version {shown['version']}")


@policy.command(name="list")
@workspace_option
@json_option
def list_(workspace: str | None, as_json: bool) -> None:
    """The newest version of each policy.

    \b
    Example:  pocdir policy list
    """
    with app_context():
        who = operator_for(workspace)
        default = queries.default_of(who.workspace_id or 0)
        found = queries.policies(who.workspace_id or 0)
        shown = [presentation.shown_policy(each, default=default) for each in found]
    if as_json:
        for each in shown:
            emit(schemas.PolicyAnswer().dump(each))
        return
    rows = [
        (each["slug"], str(each["version"]), str(len(each["steps"])), "yes" if each["is_default"] else "")
        for each in shown
    ]
    table(("policy", "version", "steps", "default"), rows)


@policy.command()
@click.argument("slug")
@version_option
@workspace_option
@json_option
def show(slug: str, version: int | None, workspace: str | None, as_json: bool) -> None:
    """One policy, in the shape of its file.

    \b
    Example:  pocdir policy show national-first
    """
    with app_context():
        who = operator_for(workspace)
        row = queries.policy(slug, workspace_id=who.workspace_id, version=version)
        shown = presentation.shown_policy(row, default=queries.default_of(who.workspace_id or 0))
        words = dict(row.definition)
    if as_json:
        emit(schemas.PolicyAnswer().dump(shown))
    else:
        click.echo(written(words), nl=False)


@policy.command()
@click.argument("slug")
@click.option(
    "--start",
    type=MOMENT,
    help="For which an answer was asked for: 2026-11-22T12:00:00Z; now unless it is named.",
)
@click.option("--team", help="Slug of the team whose working hours and holidays count; UTC without one.")
@version_option
@workspace_option
@json_option
def timetable(
    slug: str,
    start: dt.datetime | None,
    team: str | None,
    version: int | None,
    workspace: str | None,
    as_json: bool,
) -> None:
    """When each step falls due if nothing is recorded until then.

    \b
    Example:  pocdir policy timetable national-first --team cert-at
    """
    with app_context():
        who = operator_for(workspace)
        row = queries.policy(slug, workspace_id=who.workspace_id, version=version)
        rules = queries.rules_of(row)
        there = presentation.place(index(), team, rules)
        found = presentation.timetable(rules, start or clock.now(), there)
        about = {"policy": row.slug, "version": row.version}
    if as_json:
        emit(schemas.TimetableAnswer().dump(found | about))
        return
    rows = [
        (str(each["level"]), isoformat(each["due_at"]), each["due_at"].astimezone(there.zone).strftime("%a %H:%M"),
         each["target"], each["content"])
        for each in found["steps"]
    ]  # fmt: skip
    table(("step", "due", there.zone.key, "target", "content"), rows)


@policy.command(name="by-itself")
@click.argument("slug")
@click.option("--stop", is_flag=True, help="Every step waits for a person again.")
@version_option
@workspace_option
@json_option
def by_itself(slug: str, stop: bool, version: int | None, workspace: str | None, as_json: bool) -> None:
    """Approve beforehand that the steps of a version go out by themselves, to teams that take them so; or stop it.

    \b
    Example:  pocdir policy by-itself national-first
    """
    with app_context():
        who = operator_for(workspace)
        with transaction() as session:
            given = {"by_itself": not stop, "version": version}
            shown = approve_or_stop(session, who, slug, given, now=clock.now())
    if as_json:
        emit(schemas.PolicyAnswer().dump(shown))
    else:
        said = "waits for a person" if stop else "goes out by itself where the team takes it so"
        click.echo(f"{shown['slug']}, version {shown['version']}: each step {said}")


@policy.command()
@click.argument("slug", required=False)
@click.option("--incident", help="Reference of the incident; for the whole workspace without it.")
@click.option("--notification", help="Reference of a notification that is logged already.")
@click.option("--not-before", type=MOMENT, help="With --notification: no step before 2026-11-22T12:00:00Z.")
@click.option("--at", type=MOMENT, help="With --notification: when it came to follow it, if not now.")
@workspace_option
@json_option
def choose(
    slug: str | None,
    incident: str | None,
    notification: str | None,
    not_before: dt.datetime | None,
    at: dt.datetime | None,
    workspace: str | None,
    as_json: bool,
) -> None:
    """Follow a policy (without SLUG: none) in what is logged from now on, or in one notification.

    \b
    Example:  pocdir policy choose national-first
    """
    given = {
        "policy": slug, "incident": incident, "notification": notification,
        "not_before": not_before, "at": at,
    }  # fmt: skip
    with app_context():
        who = operator_for(workspace)
        with transaction() as session:
            chosen = choose_policy(session, who, given, now=clock.now())
    if as_json:
        emit(schemas.PolicyChosen().dump(chosen))
    else:
        click.echo(f"follows {slug}" if slug else "follows no policy")


@policy.command()
@click.argument("notification")
@click.option("--take", type=int, help="Take this step: its message is logged, the letter shown by its page.")
@click.option("--skip", type=int, help="Leave this step out; needs --note.")
@click.option("--approve", type=int, help="Agree to this step, as an owner: somebody else takes it.")
@click.option("--pause", is_flag=True, help="Let the clock stand still.")
@click.option("--resume", is_flag=True, help="Let it go on.")
@click.option("--note", type=WORDS, help="Why.")
@click.option("--at", type=MOMENT, help="When it was done, if not now: 2026-11-22T12:00:00Z.")
@click.option("--people-at-risk", is_flag=True, help="With --take: it is known that the incident says so.")
@send_options
@workspace_option
@json_option
def steps(
    notification: str,
    take: int | None,
    skip: int | None,
    approve: int | None,
    pause: bool,
    resume: bool,
    note: str | None,
    at: dt.datetime | None,
    people_at_risk: bool,
    workspace: str | None,
    as_json: bool,
    **sent: bool,
) -> None:
    """Where a notification stands on its path; or decide about a step.

    \b
    Example:  pocdir policy steps 019ab3d0-... --take 1
    """
    levels = {"take": take, "skip": skip, "approve": approve}
    asked = {name: level is not None for name, level in levels.items()} | {"pause": pause, "resume": resume}
    actions_asked = [name for name, is_asked in asked.items() if is_asked]
    if len(actions_asked) > 1:
        raise click.UsageError("one of --take, --skip, --approve, --pause and --resume")
    given = {
        "action": next(iter(actions_asked), None), "level": levels.get("".join(actions_asked)), "body": None,
        "note": note, "people_at_risk": people_at_risk, "at": at, **sent,
    }  # fmt: skip
    with app_context():
        who, known, now, led_to = operator_for(workspace), index(), clock.now(), None
        if actions_asked:
            with transaction() as session:
                led_to = decide(session, who, notification, given, known=known, now=now)
        shown = path_shown(db.session(), who, notification, known=known, now=now)
    if as_json:
        emit(schemas.StepDone().dump(shown | {"notification": led_to}))
        return
    if led_to:
        click.echo(f"logged {led_to}")
    rows = [
        (str(each["level"]), each["state"], isoformat(each["due_at"]), each["target"], each["content"])
        for each in shown["steps"]
    ]
    table(("step", "state", "due", "target", "content"), rows)


def _chosen(text: str) -> tuple[str, int]:
    """A step of a notification; raises BadParameter, which click gives the option's name."""
    ref, _colon, level = text.partition(":")
    if not (level.isascii() and level.isdigit() and len(level) < 4):
        raise click.BadParameter(f"{text[:60]!r}: a reference, a colon and the number of the step are right")
    return ref, int(level)


@policy.command()
@click.option(
    "--take", type=_chosen, multiple=True, metavar="REF:STEP", help="Log its message; repeat for more."
)
@click.option("--skip", type=_chosen, multiple=True, metavar="REF:STEP", help="Leave it out; needs --note.")
@click.option("--approve", type=_chosen, multiple=True, metavar="REF:STEP", help="Agree to it, as an owner.")
@click.option("--waiting", is_flag=True, help="Only those that wait for the yes of an owner.")
@click.option("--ahead", is_flag=True, help="What is to come under policies that were approved beforehand.")
@click.option("--note", type=WORDS, help="Why.")
@send_options
@workspace_option
@json_option
def due(
    take: tuple[tuple[str, int], ...],
    skip: tuple[tuple[str, int], ...],
    approve: tuple[tuple[str, int], ...],
    waiting: bool,
    ahead: bool,
    note: str | None,
    workspace: str | None,
    as_json: bool,
    **sent: bool,
) -> int:
    """The suggested steps of all notifications; or decide on some, each done or refused by itself.

    \b
    Example:  pocdir policy due --take 019ab3d0-...:1 --take 019ab3d1-...:2
    """
    asked = {name: refs for name, refs in (("take", take), ("skip", skip), ("approve", approve)) if refs}
    if len(asked) > 1:
        raise click.UsageError("one of --take, --skip and --approve")
    action = next(iter(asked), "")
    chosen = list(asked.get(action, ()))
    with app_context():
        who, known, now = operator_for(workspace), index(), clock.now()
        if not chosen:
            return _list_due(who, known, now, waiting=waiting or None, ahead=ahead, as_json=as_json)
        given = {"action": action, "note": note, **sent}
        with transaction() as session:
            done = decide_many(session, who, chosen, given, known=known, now=now)
    for each in done:
        if as_json:
            emit(each.as_dict())
        elif each.refused:
            option = {"rules_not_met": "; --despite-rules", "opted_out": "; --despite-opt-out"}
            why = f"{each.refused['detail']} ({each.refused['code']}{option.get(each.refused['code'], '')})"
            said = f"{each.ref} step {each.level} refused: {why}"
            click.echo(said, err=True)
        else:
            said = {"take": f"logged {each.notification}", "skip": "left out", "approve": "agreed to"}[action]
            click.echo(f"{each.ref} step {each.level} {said}")
    return 1 if any(each.refused for each in done) else 0


def _list_due(
    who: Principal, known: Index, now: dt.datetime, *, waiting: bool | None, ahead: bool, as_json: bool
) -> int:
    _found, shown = suggested(
        db.session(), who, known=known, now=now, limit=MOST_LISTED, waiting=waiting, ahead=ahead
    )
    if as_json:
        for each in shown:
            emit(schemas.SuggestedStep().dump(each))
    else:
        rows = [
            (f"{it['ref']}:{it['level']}", isoformat(it["due_at"]), it["team"],
             _reached(it["to"]),
             "an owner" if it["approval"] and not it["approved"] else "", _by_itself(it))
            for it in shown
        ]  # fmt: skip
        table(("step", "due", "team", "to", "decides", "goes by itself"), rows)
    return 0 if shown else 1


def _reached(to: dict[str, Any] | None) -> str:
    return f"{to['team']} {to['channel']['value']}" if to else "nobody is known"


def _by_itself(step: dict[str, Any]) -> str:
    if step["by_itself"]:
        return "yes"
    return f"no: {presentation.why_held(step['held'])}" if step["held"] else "no"
