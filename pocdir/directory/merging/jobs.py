"""What the worker does for merges: doing what was agreed on and whose 72 hours have passed."""

from __future__ import annotations

import datetime as dt

from pocdir.db import transaction
from pocdir.directory.merging import actions, queries
from pocdir.directory.office import office


def apply_due(now: dt.datetime) -> int:
    """Merge and split what is due; returns how many."""
    if not queries.pairings(state="open"):
        return 0
    with transaction() as session:
        return actions.apply_due(session, office=office(), now=now)
