"""The steward's desk: what needs a person, the most harmful first."""

from __future__ import annotations

from flask import render_template

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.directory.queries import listings
from pocdir.site.pages.lookup import blueprint
from pocdir.site.queries import steward as queries

MOST = 200


@blueprint.get("/steward")
@guard("directory.edit")
def steward() -> str:
    """What waits, with what happens by itself and when; below it what may be looked at without haste."""
    found = queries.lines(clock.now())
    return render_template(
        "site/steward.html",
        lines=found[:MOST],
        more=max(0, len(found) - MOST),
        counts=listings.looked_at_without_haste(),
        imports=listings.last_imports(),
    )
