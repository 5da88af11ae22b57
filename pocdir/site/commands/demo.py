"""`pocdir demo`: a separate database with a synthetic year, clearly marked."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from pocdir import config
from pocdir.accounts.sign_in import welcome_link
from pocdir.config import Settings
from pocdir.core import clock
from pocdir.core.errors import Conflict, Invalid
from pocdir.db import db, transaction
from pocdir.directory.actions.seeds import load_seeds
from pocdir.routing.actions import load_seed_registry
from pocdir.site.actions import demo as actions
from pocdir.site.actions.database import upgrade
from pocdir.site.rules.demo import YEAR, year
from pocdir.web import logs
from pocdir.web.terminal import emit, json_option


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Another number, another year.")
@click.option("--notifications", type=click.IntRange(100, 100_000), default=3000, show_default=True)
@click.option("--incidents", type=click.IntRange(2, 1000), default=40, show_default=True)
@click.option("--teams", type=click.IntRange(10, 300), default=60, show_default=True)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), help="The year ends as this day begins (default: today)."
)
@click.option("--up", is_flag=True, help="Serve it afterwards.")
@json_option
def demo(
    seed: int,
    notifications: int,
    incidents: int,
    teams: int,
    until: dt.datetime | None,
    up: bool,
    as_json: bool,
) -> None:
    """Make a separate database with a synthetic year of outreach; the real one is not touched.

    \b
    The same seed, sizes and day give the same cases, counts and times (references differ).
    Example:  pocdir demo --seed 7 --up
    """
    logs.init("warning")
    settings = demo_settings()
    day = until.date() if until else clock.now().date()
    shown = make(
        settings,
        seed=seed,
        notifications=notifications,
        incidents=incidents,
        teams=teams,
        until=day,
        say=_print,
    )
    if as_json:
        emit(shown)
    else:
        click.echo(f"The demonstration is at {shown['database']}.")
    if not up and not as_json:  # `up` prints the link itself, as its last words
        click.echo(f"Start it: POCDIR_DATA={settings.data} pocdir up\nIts one-time link, once it runs:")
        click.echo(f"  {shown['link']}")
    if up:
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, "-m", "pocdir.cli", "up"], _environment(settings.data))  # noqa: S606


def demo_settings() -> Settings:
    """Those of the environment, in a folder, with a database and a secret of its own, and without mail."""
    return config.load(_environment(config.look().data / "demo"))


def make(
    settings: Settings,
    *,
    seed: int,
    notifications: int,
    incidents: int,
    teams: int,
    until: dt.date,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Make the database anew; returns where it is, what is in it and its owner's link.

    Raises Conflict `not_a_demo` when a database is there that was not made here.
    """
    now = clock.now()
    ends = dt.datetime.combine(until, dt.time(), dt.UTC)
    if ends > now:
        raise Invalid("until_in_future", "nothing can have been recorded on a day to come", where="--until")
    path = _cleared(settings)
    with actions.database_of(settings):
        upgrade(db.engine)
        say("Loading the shipped directory and registry.")
        seeds = config.folder("seeds")
        load_seed_registry(seeds / "registry", settings.data / "registry", now=now)
        with transaction() as session:
            load_seeds(session, folder=seeds, now=ends - YEAR)
            user, workspace = actions.owner(session, now=ends - YEAR)
            link, workspace_id, actor = welcome_link(user, now), workspace.id, f"user:{user.ref}"
            slugs, talk_team = actions.chosen_teams(session, seed=seed, count=teams)
        told, month = 0, ""
        for case in year(
            seed, slugs, talk_team, notifications=notifications, incidents=incidents, until=ends
        ):
            if month != (month := f"{case.opened_at:%B %Y}"):
                say(f"{month}: {told} of {notifications} notifications, {100 * told // notifications} %")
            with transaction() as session:
                told += actions.record_case(session, case, workspace_id=workspace_id, actor=actor, until=ends)
                session.expunge_all()
        with transaction() as session:
            actions.bring_lists(session, until=ends)
        say(f"All {told} notifications are recorded.")
    return {
        "database": str(path), "seed": seed, "until": ends.isoformat(), "teams": len(slugs),
        "incidents": incidents, "notifications": told, "talk_team": talk_team, "workspace": "demonstration",
        "email": actions.EMAIL, "link": link,
    }  # fmt: skip


def _cleared(settings: Settings) -> Path:
    """The path of the database, its file removed and the mark set; only what was made here is removed."""
    path, mark = settings.sqlite_path, settings.data / config.DEMO_MARK
    if path is None or (path.exists() and not mark.exists()):
        raise Conflict("not_a_demo", f"{path} was not made by `pocdir demo`; move it away first")
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    mark.write_text(json.dumps({"made_by": "pocdir demo"}), encoding="utf-8")
    return path


def _environment(folder: Path) -> dict[str, str]:
    """The environment with the demonstration's folder and nothing that would lead to the real database."""
    apart = ("DATA", "DATABASE_URL", "SECRET_KEY", "SMTP_URL", "MAIL_FROM", "DEMO")
    dropped = {f"POCDIR_{name}{ending}" for name in apart for ending in ("", "_FILE")}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"POCDIR_DATA": str(folder), "POCDIR_DEMO": "1"}


def _print(line: str) -> None:
    click.echo(line, err=True)
