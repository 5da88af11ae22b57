"""One team: what the directory knows of it, and how it answered the workspace that asks."""

from __future__ import annotations

from flask import g, render_template

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.directory.checks import queries as checks
from pocdir.directory.pages import shown
from pocdir.site.pages.lookup import blueprint
from pocdir.site.queries.responsiveness import responsiveness


@blueprint.get("/teams/<slug>")
@guard("directory.read")
def team(slug: str) -> str:
    """How to reach it, what it answers for, and who says so; its record only for a workspace, its own."""
    known = responsiveness(g.principal, [slug], now=clock.now())
    page = shown(slug)
    letters = checks.of_team(page["team"]["id"]) if page["inner_dates"] and not page["as_of"] else ()
    return render_template("directory/team.html", **page, letters=letters, responsiveness=known.get(slug))
