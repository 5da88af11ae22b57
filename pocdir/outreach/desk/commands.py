"""What was told to a team, from the command line."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from pocdir.accounts.guards import Principal
from pocdir.accounts.queries import team_id_of
from pocdir.core import clock
from pocdir.db import db, transaction
from pocdir.directory.actions.edits import edit_team
from pocdir.directory.formats import records
from pocdir.directory.rules.record import INTAKE, PROMISES
from pocdir.outreach.commands.record import told_each
from pocdir.outreach.desk import presentation, queries, rules, schemas
from pocdir.outreach.desk.actions import answer_many, choose_automatic
from pocdir.outreach.desk.digests import choose_digest
from pocdir.outreach.rules.recipient import ACTIONS, check_said
from pocdir.web.terminal import WORDS, app_context, emit, json_option, table

_item = schemas.ToldAnswer()
_desk = schemas.DeskAnswer()
OPERATOR, STEWARD = "operator", "steward"
team_option = click.option("--team", required=True, help="The team (slug).")
note_option = click.option(
    "--note", type=WORDS, required=True, help="Whose word of the team it is, and when it was said."
)
COLUMNS = ("ref", "sent_at", "sender", "kind", "tlp", "response")


@click.command()
@click.option("--team", required=True, help="The team (slug).")
@click.option("--state", type=click.Choice(schemas.STATES), help="One of the lists; else all of it.")
@click.option("--csv", "as_csv", is_flag=True, help="A row for each asset, in IntelMQ's names.")
@json_option
def told(team: str, state: str | None, as_csv: bool, as_json: bool) -> int:
    """What was told to a team, whoever told it, oldest recorded first; exit 1 when there is nothing.

    \b
    Example:  pocdir told --team cert-at --state open --json
    """
    with app_context():
        found = presentation.in_parts(queries.all_told(team_id_of(db.session(), team), state=state))
        if as_csv:
            items = list(found)
            csv.writer(sys.stdout).writerows([rules.COLUMNS, *rules.rows(items)])
            return 0 if items else 1
        shown = [json.loads(_item.dumps(each)) for each in found]
        if as_json:
            for each in shown:
                emit(each)
        elif shown:
            table(COLUMNS, ([each[name] for name in COLUMNS] for each in shown))
        return 0 if shown else 1


@click.group()
def desk() -> None:
    """A team's own desk, for a team that said it to the operator: each change tells whose word it was.

    \b
    Example:  pocdir desk show --team cert-at
    """


@desk.command()
@team_option
@json_option
def show(team: str, as_json: bool) -> None:
    """What a team does not take, its rules for reports, its promise, what it takes at once, its daily mail.

    \b
    Example:  pocdir desk show --team cert-at
    """
    with app_context():
        _shown(presentation.desk(team_id_of(db.session(), team)), as_json)


@desk.command()
@team_option
@click.option(
    "--decline", "declines", multiple=True, help="A kind of notification or class of report; repeat."
)
@click.option("--declines-nothing", is_flag=True, help="It takes every kind again.")
@click.option(
    "--intake", multiple=True, type=click.Choice(INTAKE), help="A rule for reports; repeat for more."
)
@click.option("--no-intake", is_flag=True, help="It has no rules for reports any more.")
@click.option(
    "--promise", "promises", multiple=True, metavar="OF=WITHIN", help="Such as acknowledgement=PT24H."
)
@click.option("--no-promise", is_flag=True, help="It promises nothing any more.")
@note_option
@json_option
def say(
    team: str,
    declines: tuple[str, ...],
    declines_nothing: bool,
    intake: tuple[str, ...],
    no_intake: bool,
    promises: tuple[str, ...],
    no_promise: bool,
    note: str,
    as_json: bool,
) -> None:
    """Enter, as a steward, what a team says of itself; what is not named stays as it is.

    \b
    Example:  pocdir desk say --team cert-at --promise acknowledgement=PT24H --note "J. Doe by phone, 2026-11-23"
    """
    words: dict[str, Any] = {}
    if declines or declines_nothing:
        words["opt_outs"] = list(declines)
    if intake or no_intake:
        words["intake"] = list(intake)
    if promises or no_promise:
        words["promise"] = _promise(promises)
    if not words:
        raise click.UsageError("say what: --decline, --intake or --promise, or that there is none")
    with app_context():
        facts = records.facts(words)
        with transaction() as session:
            slug = queries.slug_of(team_id_of(session, team))
            edit_team(session, slug=slug, facts=facts, evidence=note, now=clock.now(), actor=OPERATOR)
        _shown(presentation.desk(team_id_of(db.session(), team)), as_json)


def _promise(given: tuple[str, ...]) -> dict[str, str] | None:
    found = dict(each.partition("=")[::2] for each in given)
    unknown = next((name for name in found if name not in PROMISES), None)
    if unknown is not None:
        raise click.UsageError(
            f"{unknown[:40]!r}: one of {', '.join(PROMISES)}, such as acknowledgement=PT24H"
        )
    return found or None


@desk.command()
@team_option
@click.option(
    "--kind", "kinds", multiple=True, type=click.Choice(schemas.TAKES), help="Repeat; none: nothing."
)
@note_option
@json_option
def takes(team: str, kinds: tuple[str, ...], note: str, as_json: bool) -> None:
    """Enter what a team takes without a person's yes to each letter.

    \b
    Example:  pocdir desk takes --team cert-at --kind follow_up --note "J. Doe by phone, 2026-11-23"
    """
    with app_context():
        with transaction() as session:
            team_id = team_id_of(session, team)
            choose_automatic(session, team_id, kinds, now=clock.now(), actor=OPERATOR, by=STEWARD, note=note)
        _shown(presentation.desk(team_id), as_json)


@desk.command()
@team_option
@click.option("--hour", type=click.IntRange(0, 23), help="Of the team's own day; without it there is none.")
@click.option("--address", help="One of the entry's mail addresses.")
@json_option
def digest(team: str, hour: int | None, address: str | None, as_json: bool) -> None:
    """Enter at which hour a team wants its one mail a day, or end it.

    \b
    Example:  pocdir desk digest --team cert-at --hour 8 --address reports@cert.example
    """
    with app_context():
        with transaction() as session:
            team_id = team_id_of(session, team)
            choose_digest(
                session, team_id, hour=hour, address=address, now=clock.now(), actor=OPERATOR, by=STEWARD
            )
        _shown(presentation.desk(team_id), as_json)


@desk.command()
@team_option
@click.argument("choice", metavar="ANSWER", type=click.Choice(tuple(ACTIONS)))
@click.argument("refs", metavar="REF...", nargs=-1, required=True)
@click.option("--note", type=WORDS, help="The team's words.")
@click.option("--ticket", type=WORDS, help="The team's own number.")
@click.option("--count", type=click.IntRange(0, 99_999_999), help="To how many it was passed on, or is done.")
@click.option("--ask", type=WORDS, help="With not_ours: whom to ask.")
@json_option
def answer(team: str, choice: str, refs: tuple[str, ...], as_json: bool, **given: Any) -> int:
    """Give one answer to reports, as the team gave it to the operator; each is recorded or refused by itself.

    ANSWER is what the recipient's page offers: received passed_on not_ours need done answered contest. It is the team's
    word, with no proof but the operator's (S).

    \b
    Example:  pocdir desk answer --team cert-at passed_on 019ab3f0-0000-7000-8000-000000000000 --count 31
    """
    chosen = ACTIONS[choice]
    filled_in = {name: value for name, value in given.items() if value is not None}
    strange = next((name for name in filled_in if name not in chosen.asks), None)
    if strange is not None:
        raise click.UsageError(f"--{strange} says nothing with {choice}; it takes {', '.join(chosen.asks)}")
    check_said(chosen, filled_in)
    with app_context(), transaction() as session:
        viewer = Principal(kind="operator", actor=OPERATOR, team_id=team_id_of(session, team))
        done = answer_many(
            session, refs, viewer, choice=choice, filled_in=filled_in, now=clock.now(), actor=OPERATOR,
            by_word=True,
        )  # fmt: skip
    return told_each(done, as_json=as_json)


def _shown(found: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        emit(_desk.dump(found))
        return
    digest, promise = found["digest"], found["promise"] or {}
    table(
        ("of", "says"),
        [
            ("does not take", " ".join(found["opt_outs"]) or "-"),
            ("rules for reports", " ".join(found["intake"]) or "-"),
            ("promise", " ".join(f"{of}={within}" for of, within in promise.items() if within) or "-"),
            ("takes at once", " ".join(found["takes"]) or "-"),
            ("daily mail", f"{digest['hour']:02}:00 to {digest['address']}" if digest else "-"),
        ],
    )
