"""One team: what the directory knows of it, and how it answered the workspace that asks."""

from __future__ import annotations

from flask import g, render_template

from pocdir.accounts.guards import guard
from pocdir.core import clock
from pocdir.directory.pages import shown
from pocdir.site.pages.lookup import blueprint
from pocdir.site.queries.responsiveness import responsiveness


@blueprint.get("/teams/<slug>")
@guard("directory.read")
def team(slug: str) -> str:
    """How to reach it, what it answers for, and who says so; its record only for a workspace, its own."""
    known = responsiveness(g.principal, [slug], now=clock.now())
    return render_template("directory/team.html", **shown(slug), responsiveness=known.get(slug))
