"""`pocdir latency`: how long answers take, from the command line."""

from __future__ import annotations

import click

from pocdir.accounts.guards import operator_for
from pocdir.core import clock
from pocdir.core.times import isoformat
from pocdir.latency import queries
from pocdir.latency.promises import promised
from pocdir.latency.rules import Group, Promise
from pocdir.latency.rules import as_json as group_as_json
from pocdir.latency.schemas import BY
from pocdir.latency.standing import with_states
from pocdir.ledger.rules.vocabulary import SENT_LEVELS
from pocdir.routing.queries import index
from pocdir.web.terminal import app_context, emit, json_option, table, workspace_option

DAY = 86_400


@click.command()
@click.option("--by", type=click.Choice(BY), help="Groups side by side.")
@click.option("--level", type=click.Choice(queries.LEVELS), default="acknowledgement", show_default=True)
@click.option("--sent-level", type=click.Choice(SENT_LEVELS), default="P0", show_default=True)
@click.option(
    "--rules",
    type=click.Choice(queries.RULES),
    default=queries.MET,
    show_default=True,
    help="Reports that met their team's rules, or all.",
)
@click.option("--team", help="Only notifications to this team.")
@workspace_option
@json_option
def latency(
    by: str | None,
    level: str,
    sent_level: str,
    rules: str,
    team: str | None,
    workspace: str | None,
    as_json: bool,
) -> int:
    """How long answers take: Kaplan-Meier, so that never answering stays in the figure.

    \b
    Example:  pocdir latency --by team --level acknowledgement
    """
    with app_context():
        now = clock.now()
        found, left_out = queries.counted(
            queries.cases(operator_for(workspace), level=level, now=now, team=team, sent_level=sent_level),
            rules,
        )
        groups = queries.figures(found, by, promised(found, level))
        groups = with_states(groups, found, index()) if by == "team" else groups
    if as_json:
        asked = {
            "level": level, "by": by, "sent_level": sent_level, "rules": rules, "left_out": left_out,
            "as_known_at": isoformat(now),
        }  # fmt: skip
        for each in groups:
            emit(asked | group_as_json(each))
    else:
        table(
            (
                "group",
                "n",
                "answered",
                "still open",
                "not delivered",
                "half within",
                "within 3 days",
                "within promise",
                "beside it",
            ),
            [_cells(each) for each in groups],
        )
    return 0 if found else 1


def _cells(group: Group) -> tuple[str, ...]:
    median = (
        f"{group.median_seconds / DAY:.1f} days"
        if group.median_seconds is not None
        else ("not known" if group.undated else "fewer than half so far")
    )
    within = group.within["P3D"]
    share = "not known yet" if within is None else f"{within:.0%}"
    counts = (group.n, group.events, group.censored, group.ended_otherwise["undeliverable"])
    beside = ", ".join(state.replace("_", " ") for state in group.states)
    return group.label, *map(str, counts), median, share, _promise(group.promise), beside


def _promise(promise: Promise) -> str:
    if not promise.n:
        return "none published"
    return "not known yet" if promise.share is None else f"{promise.share:.0%} of {promise.n}"
