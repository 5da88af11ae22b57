"""The ledger from the command line: verify it, and export its leaves."""

from __future__ import annotations

import click

from pocdir.db import snapshot, transaction
from pocdir.outreach.actions import projection
from pocdir.outreach.actions.granted import rebuild
from pocdir.outreach.queries import granted, projections
from pocdir.site.queries.ledger import exported, verified
from pocdir.web.terminal import app_context, emit, json_option

SHOWN = 20
AT_ONCE = 100  # states in one transaction: others write between two of them


@click.group()
def ledger() -> None:
    """Verify and export the record.

    Signed checkpoints and proofs of single events (`checkpoint`, `proof REF`) come together with the Merkle tree;
    what they will rest on is stored with every event already.
    """


@ledger.command("verify")
@click.option("--rebuild", is_flag=True, help="First make states anew that differ from their events.")
@json_option
def verify(rebuild: bool, as_json: bool) -> None:
    """Recompute every stored event, its values, the triggers and all states; exit 1 when anything differs.

    \b
    Example:  pocdir ledger verify
    """
    with app_context():
        done = _rebuild() if rebuild else 0
        found = verified()
    if as_json:
        emit(found.as_dict() | ({"rebuilt": done} if rebuild else {}))
    else:
        if rebuild:
            click.echo(f"{done} states made anew")
        for fault in found.faults[:SHOWN]:
            click.echo(fault)
        if len(found.faults) > SHOWN:
            click.echo(f"... and {len(found.faults) - SHOWN} more (--json shows all)")
        state = f"{len(found.faults)} faults" if found.faults else "verified"
        click.echo(f"{found.events} events, {found.erased} values erased, head {found.head}: {state}")
    if found.faults:
        raise click.exceptions.Exit(1)


def _rebuild() -> int:
    with snapshot():
        refs, others = list(projections.to_rebuild()), list(granted.unlike())
    for start in range(0, len(refs), AT_ONCE):
        with transaction() as session:
            for ref in refs[start : start + AT_ONCE]:
                projection.rebuild(session, ref)
    for other in others:
        with transaction() as session:
            rebuild(session, other)
    return len(refs) + len(others)


@ledger.command("export")
def export() -> None:
    """Print every leaf as a JSON line {"leaf": base64}, in the order of the events' ids.

    A leaf is a salted digest: nobody reads from it who told whom what and when.

    \b
    Example:  pocdir ledger export > leaves.jsonl
    """
    with app_context():
        for leaf in exported():
            emit(leaf)
