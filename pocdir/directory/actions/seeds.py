"""Loading the facts that are shipped, each under its own source."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from pocdir.directory.actions.codes import replace_codes
from pocdir.directory.actions.rows import Batch, lock_directory, source_ids, write
from pocdir.directory.formats import seed
from pocdir.directory.queries import versions
from pocdir.directory.queries.statements import said_by
from pocdir.directory.rules import record as rules


def load_seeds(session: Session, *, folder: Path, now: dt.datetime) -> dict[str, Any]:
    """Bring the shipped facts in, each under its own source; rows of others stay. Again: nothing changes."""
    directory, known = seed.files(folder)
    sources, says = seed.parse(directory)
    lock_directory(session, now=now)
    ids = source_ids(session, sources.values(), make=True, now=now)
    kept = said_by(session, [ids[name] for name in sources])
    batches = []
    for name, rows in says.items():
        before = kept.get((ids[name], "imported"), {})
        change = rules.diff({key: row.statement for key, row in before.items()}, rows)
        if change:
            batches.append(Batch(ids[name], name, "imported", change, before))
    replace_codes(session, seed.codes(known))
    if batches:
        write(session, batches, now=now, actor="service", claimed_by="service")
    return {
        "teams": len({key[1] for rows in says.values() for key in rows}),
        "sources": len(sources),
        "changed": sum(len(b.diff.added) + len(b.diff.changed) + len(b.diff.removed) for b in batches),
        "directory_version": versions.directory_version(),
    }
